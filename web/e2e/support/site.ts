/**
 * The build of the dashboard with a platform in memory, served from the process of the test. The requests are real ones: Playwright
 * intercepts none, so that the browser keeps the files it has loaded.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { Db } from '../../mocks/db.ts';
import { respond } from '../../mocks/http.ts';
import { ANSWERED } from '../../mocks/platform.ts';
import { PTY } from '../../mocks/shells.ts';
import { accept } from '../../mocks/websocket.ts';

const BUILD = new URL('../../build/', import.meta.url).pathname;
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

interface Served {
  headers: Record<string, string>;
  body: Buffer;
}

export class Site {
  /** The platform of the test that runs. Between two tests nobody answers. */
  db: Db | undefined;
  /** Requests for which there is no handler. */
  unknown: string[] = [];
  #server: Server;
  #files = new Map<string, Served>();
  #page: Served;

  private constructor() {
    this.#page = load('200.html');
    const policy = /http-equiv="content-security-policy" content="([^"]*)"/.exec(this.#page.body.toString());
    // What `locule serve` sends with the page.
    this.#page.headers['content-security-policy'] =
      `${policy?.[1] ?? "default-src 'none'"}; frame-ancestors 'none'`;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('upgrade', (request, stream) => {
      const { db } = this;
      if (db && PTY.test(request.url ?? '')) accept(request, stream, (socket) => db.shells.accept(socket));
      else stream.destroy();
    });
    // A connection that ends while the browser sends on it would cost a request.
    this.#server.keepAliveTimeout = 600_000;
  }

  static async start(): Promise<Site> {
    const site = new Site();
    await new Promise<void>((resolve) => site.#server.listen(0, '127.0.0.1', resolve));
    return site;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (!ANSWERED.test(path)) {
      const { headers, body } = this.#file(path);
      response.writeHead(200, headers).end(body);
    } else if (this.db)
      await respond(this.db, request, response, { unknown: (name) => this.unknown.push(name) });
    else response.destroy();
  }

  #file(path: string): Served {
    const known = this.#files.get(path);
    if (known) return known;
    const isFile = path !== '/' && existsSync(join(BUILD, path)) && statSync(join(BUILD, path)).isFile();
    const file = isFile ? load(path) : this.#page;
    this.#files.set(path, file);
    return file;
  }
}

function load(path: string): Served {
  const immutable = path.startsWith('/_app/immutable/');
  return {
    headers: {
      'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
      'cache-control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    },
    body: readFileSync(join(BUILD, path)),
  };
}
