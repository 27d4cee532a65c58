/** Answers about the audit log. */
import type { Schemas } from '../src/lib/api/types.ts';
import { type Handlers, refuse } from './api.ts';
import type { Db } from './db.ts';

function logs(db: Db, { query }: { query: URLSearchParams }): { status: 200; body: Schemas['AuditPage'] } {
  const list = (name: string) => query.get(name)?.split(',');
  const [types, actions, ids, actors] = ['resource_type', 'action', 'resource_id', 'actor_id'].map(list);
  const items = db.audit.filter(
    (entry) =>
      (types?.includes(entry.resource_type) ?? true) &&
      (actions?.includes(entry.action) ?? true) &&
      (ids?.includes(entry.resource_id ?? '') ?? true) &&
      (actors?.includes(entry.actor_id ?? '') ?? true),
  );
  const start = items.findIndex(({ id }) => id === query.get('before')) + 1;
  const page = items.slice(start, start + Number(query.get('limit') ?? 50));
  const last = page.at(-1);
  return { status: 200, body: { items: page, ...(last ? { next_before: last.id } : {}) } };
}

export const AUDIT: Handlers = {
  'GET /v1/audit-logs': logs,
  'GET /v1/admin/audit-logs': logs,
  'GET /v1/audit-logs/{id}': (db, { params }) => {
    const found = db.audit.find(({ id }) => id === params.id);
    return found ? { status: 200, body: found } : refuse(404, 'not_found', 'audit log entry not found');
  },
};
