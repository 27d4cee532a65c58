/** Serves the build as `locule serve` does, without a platform: tests with mocks answer the API in the browser. */
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const BUILD = new URL('../../build/', import.meta.url).pathname;
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};
const page = readFileSync(join(BUILD, '200.html'), 'utf8');
const policy =
  /http-equiv="content-security-policy" content="([^"]*)"/.exec(page)?.[1] ?? "default-src 'none'";

createServer((request, response) => {
  const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
  const file = join(BUILD, path);
  if (path !== '/' && existsSync(file) && statSync(file).isFile()) {
    const packed = `${file}.br`;
    const brotli = existsSync(packed) && (request.headers['accept-encoding'] ?? '').includes('br');
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      ...(brotli ? { 'content-encoding': 'br' } : {}),
    });
    createReadStream(brotli ? packed : file).pipe(response);
    return;
  }
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `${policy}; frame-ancestors 'none'`,
  });
  response.end(page);
}).listen(Number(process.env.PORT ?? 4173), '127.0.0.1');
