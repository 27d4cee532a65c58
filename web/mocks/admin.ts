/** Answers to administrators of the platform. */
import type { Schemas } from '../src/lib/api/types.ts';
import type { Handlers } from './api.ts';
import { type Db, minutesAgo, sandbox, team } from './db.ts';

type AdminSandbox = Schemas['AdminSandbox'];
type AdminTeam = Schemas['AdminTeam'];
type AdminUser = Schemas['AdminUser'];

export function adminTeam(id: string, name: string, more: Partial<AdminTeam> = {}): AdminTeam {
  return {
    ...team(id, name, 'owner'),
    member_count: 3,
    active_sandbox_count: 0,
    channel_count: 0,
    owner_name: 'Ada Lovelace',
    owner_email: 'ada@example.com',
    ...more,
  };
}

export function adminUser(id: string, name: string, more: Partial<AdminUser> = {}): AdminUser {
  return {
    id,
    name,
    email: `${name.toLowerCase()}@example.com`,
    is_admin: false,
    status: 'active',
    created_at: minutesAgo(9000),
    teams_joined: 2,
    teams_owned: 1,
    ...more,
  };
}

export function adminSandbox(
  { id, name }: { id: string; name: string },
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
    team: { id, name },
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

/** Of a team for which no limit is set. */
export const UNSET: Schemas['SetQuotaRequest'] = {
  sandboxes_max: null,
  vcpus_max: null,
  memory_mb_max: null,
  paused_sandboxes_max: null,
  storage_mb_max: null,
  creates_per_minute_max: null,
};
const whole = { page: 1, per_page: 100, total_pages: 1 };
const left = { sandboxes: [], has_more: false };

export const ADMIN: Handlers = {
  'GET /v1/admin/teams': (db, { query }) => {
    const teams = db.allTeams.filter(({ name }) => name.includes(query.get('q') ?? ''));
    return { status: 200, body: { teams, total: teams.length, ...whole } };
  },
  'PUT /v1/admin/teams/{id}/byoc': (db, { params, body }) => {
    const found = db.allTeams.find(({ id }) => id === params.id);
    if (found) found.is_byoc = body.enabled;
    return { status: 204 };
  },
  'GET /v1/admin/teams/{id}/quota': (db, { params }) => ({
    status: 200,
    body: { own: db.quotas[params.id] ?? UNSET, limits: db.limits },
  }),
  'PUT /v1/admin/teams/{id}/quota': (db, { params, body }) => {
    db.quotas[params.id] = body;
    return { status: 204 };
  },
  'GET /v1/admin/users': (db, { query }) => {
    const users = db.allUsers.filter(({ name }) => name.includes(query.get('q') ?? ''));
    return { status: 200, body: { users, total: users.length, ...whole } };
  },
  'PUT /v1/admin/users/{id}/active': (db, { params, body }) => {
    const found = db.allUsers.find(({ id }) => id === params.id);
    if (found) found.status = body.active ? 'active' : 'disabled';
    return { status: 200, body: left };
  },
  'GET /v1/admin/sandboxes': (db, asked) => {
    const { items, headers } = page(db, asked.query);
    return { status: 200, body: items, headers };
  },
  'GET /v1/admin/tasks': (db) => ({ status: 200, body: { items: db.tasks } }),
};
