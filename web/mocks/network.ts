/** Answers about the ports of a sandbox. */
import { type Handlers, refuse } from './api.ts';
import { minutesAgo } from './db.ts';

export const NETWORK: Handlers = {
  'GET /v1/sandboxes/{id}/ports': (db) => ({ status: 200, body: db.ports }),
  'POST /v1/sandboxes/{id}/ports/{port}/link': (db, { params }) => {
    const url = db.ports.ports.find(({ port }) => String(port) === params.port)?.url;
    return url
      ? { status: 200, body: { url: `${url}?once=1`, expires_at: minutesAgo(-1) } }
      : refuse(404, 'not_found', 'no program listens on this port');
  },
};
