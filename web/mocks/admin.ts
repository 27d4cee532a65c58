/** Answers about what administrators of the platform see of capsules and tasks. */
import type { Schemas } from '../src/lib/api/types.ts';
import { type Db, sandbox } from './db.ts';
import type { Handler } from './handlers.ts';

type AdminSandbox = Schemas['AdminSandbox'];

export function adminSandbox(
  team: { id: string; name: string },
  more: Partial<AdminSandbox> = {},
): AdminSandbox {
  return {
    ...sandbox({
      desired: 'running',
      created_by: { kind: 'user', id: 'usr-33333333-3333-4333-8333-333333333333', name: 'Ada Lovelace' },
      host_id: 'host-55555555-5555-4555-8555-555555555555',
      origin: { template: 'minimal' },
      ...more,
    }),
    team: { id: team.id, name: team.name },
  };
}

function matches(one: AdminSandbox, query: URLSearchParams): boolean {
  const is = (name: string, value: string | null | undefined) =>
    (query.get(name) ?? value ?? '') === (value ?? '');
  const statuses = query.get('status')?.split(',');
  const shown = statuses?.includes(one.status) ?? (query.has('ended') || !/stopped|error/.test(one.status));
  return (
    shown &&
    is('team', one.team.id) &&
    is('host', one.host_id) &&
    is('template', one.template) &&
    is('created_by', one.created_by.id) &&
    one.id.includes(query.get('q') ?? '')
  );
}

function page(db: Db, query: URLSearchParams): { items: AdminSandbox[]; headers: Record<string, string> } {
  const all = db.allSandboxes.filter((one) => matches(one, query));
  const [from, limit] = [Number(query.get('cursor') ?? 0), Number(query.get('limit') ?? 1000)];
  const next = from + limit;
  return {
    items: all.slice(from, next),
    headers: {
      'x-total-count': String(all.length),
      ...(next < all.length ? { link: `</v1/admin/sandboxes?cursor=${next}>; rel="next"` } : {}),
    },
  };
}

export const ADMIN: Record<string, Handler> = {
  'GET /v1/admin/sandboxes': (db, asked) => {
    const { items, headers } = page(db, asked.query);
    return { status: 200, body: items, headers };
  },
  'GET /v1/admin/tasks': (db) => ({ status: 200, body: { items: db.tasks } }),
};
