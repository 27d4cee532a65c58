/** The platform in memory behind a server of Node.js: the same for the browser tests and for the development server. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Sent } from './api.ts';
import { answer } from './platform.ts';
import type { Db } from './db.ts';

async function read(incoming: IncomingMessage): Promise<Request> {
  const url = new URL(incoming.url ?? '/', 'http://localhost');
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const json = incoming.headers['content-type']?.includes('json') === true && text !== '';
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    text,
    body: json ? (JSON.parse(text) as unknown) : undefined,
  };
}

/** What a server may do with the answers. */
export interface Serving {
  /** A request for which there is no handler. */
  unknown: (name: string) => void;
  /** Changes a body before it is sent. */
  sent?: (body: unknown) => unknown;
}

/** Answers one request. */
export async function respond(
  db: Db,
  incoming: IncomingMessage,
  response: ServerResponse,
  serving: Serving,
): Promise<void> {
  const request = await read(incoming);
  const answered = answer(db, request);
  if (db.delay > 0) await new Promise((resolve) => setTimeout(resolve, db.delay));
  if (answered === 'hang') return;
  if (answered === 'lost') {
    response.destroy();
    return;
  }
  if (answered === 'unknown') {
    serving.unknown(`${request.method} ${request.path}`);
    response.writeHead(501).end();
    return;
  }
  send(answered, response, serving);
  if (!answered.open) return;
  db.streams.add(response);
  response.once('close', () => db.streams.delete(response));
}

function send(answered: Sent, response: ServerResponse, { sent = (body) => body }: Serving): void {
  const { status, headers, body, raw, open } = answered;
  response.writeHead(status, {
    'x-request-id': 'req-1',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  });
  if (open) response.write(raw ?? '');
  else response.end(body === undefined ? raw : JSON.stringify(sent(body)));
}
