/** The stream of the events of a team. */
import type { Schemas } from '../src/lib/api/types.ts';
import type { Handlers } from './api.ts';
import type { Db } from './db.ts';

export const EVENTS: Handlers = {
  'GET /v1/events': () => ({
    status: 200,
    raw: ': begin\n\n',
    open: true,
    headers: { 'content-type': 'text/event-stream' },
  }),
};

/** Sends an event to every page that follows. */
export function tell(db: Db, { event, data }: Schemas['TeamEvent']): void {
  for (const stream of db.streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** The connection of every page that follows breaks. */
export function cut(db: Db): void {
  for (const stream of db.streams) stream.destroy();
}
