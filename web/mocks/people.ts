/** Answers about accounts, keys, members, the audit log and the administration. */
import type { AuditEntry, Member } from '../src/lib/api/types.ts';
import { minutesAgo, type Db } from './db.ts';
import { type Answered, type Handler, login, refuse } from './handlers.ts';

const ok = (body: unknown, status = 200): Answered => ({ status, body });
const none: Answered = { status: 204 };
const left = { sandboxes: [], has_more: false };

export function auditEntry(
  more: Partial<Omit<AuditEntry, 'metadata'>> & { metadata?: Record<string, unknown> } = {},
): AuditEntry {
  return {
    id: 'log-00000000-0000-4000-8000-000000000001',
    actor_type: 'user',
    actor_id: 'usr-33333333-3333-4333-8333-333333333333',
    actor_name: 'Ada Lovelace',
    resource_type: 'sandbox',
    resource_id: 'sb-7f3a91c2-08d1-4a44-9f00-000000000000',
    action: 'create',
    scope: 'team',
    status: 'success',
    metadata: { template: 'minimal' },
    created_at: minutesAgo(10),
    ...more,
  } as AuditEntry;
}

export function member(id: string, name: string, more: Partial<Member> = {}): Member {
  return {
    user_id: id,
    name,
    email: `${name.toLowerCase() || 'invited'}@example.com`,
    verified: true,
    role: 'member',
    status: 'active',
    joined_at: minutesAgo(600),
    ...more,
  };
}

function logs(db: Db, query: URLSearchParams): Answered {
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
  return ok({ items: page, ...(last ? { next_before: last.id } : {}) });
}

const body = (asked: { body: unknown }) => (asked.body ?? {}) as Record<string, string>;

export const PEOPLE: Record<string, Handler> = {
  'GET /v1/info': (db) => ok(db.info),
  'GET /v1/limits': (db) =>
    ok({
      sandboxes: { used: db.sandboxes.length, max: 20 },
      vcpus: { used: 2, max: 40 },
      memory_mb: { used: 1024, max: 40_960 },
      paused_sandboxes: { used: 0, max: 100 },
      storage_mb: { used: 95_000, max: 102_400 },
      creates_per_minute_max: 60,
      sandbox: {
        vcpus_max: 8,
        memory_mb_min: 128,
        memory_mb_max: 8192,
        memory_mb_step: 128,
        timeout_sec_max: 86_400,
      },
    }),
  'POST /v1/auth/signup': (db) =>
    db.info.mail ? ok({ message: 'check your e-mail' }, 201) : ok(login(db), 201),
  'POST /v1/auth/activate': (db, asked) =>
    body(asked).token === 'good' ? ok(login(db)) : refuse(400, 'invalid_token', 'the token is not valid'),
  'POST /v1/me/password/reset': () => none,
  'POST /v1/me/password/reset/confirm': (_, asked) =>
    body(asked).token === 'good'
      ? ok({ providers: [], api_keys: [], removed: false })
      : refuse(400, 'invalid_token', 'the token is not valid'),
  'POST /v1/invitations/*/accept': (db, _asked, [token]) => {
    const team = db.teams.at(-1);
    return token === 'good' && team ? ok(team) : refuse(400, 'invalid_token', 'the token is not valid');
  },
  'POST /v1/auth/renew': (db) => {
    db.tokenEnd += 6 * 3600;
    return ok(login(db));
  },
  'GET /v1/me/sessions': (db) => ok({ items: db.logins }),
  'DELETE /v1/me/sessions': (db) => {
    db.logins = db.logins.filter(({ current }) => current);
    return none;
  },
  'DELETE /v1/me/sessions/*': (db, _asked, [id]) => {
    db.logins = db.logins.filter((one) => one.id !== id);
    return none;
  },
  'PATCH /v1/me': (db, asked) => {
    db.me.name = body(asked).name ?? db.me.name;
    return ok(login(db));
  },
  'POST /v1/me/password': (db, asked) =>
    body(asked).current_password === db.password
      ? ok({ providers: [], api_keys: [], removed: false })
      : refuse(401, 'wrong_password', 'the password is wrong'),
  'POST /v1/api-keys': (db, asked) => {
    const { name = '', scope = 'full' } = body(asked);
    const key = {
      id: `key-0000000${db.keys.length}-0000-4000-8000-000000000000`,
      team_id: db.me.team_id ?? '',
      name,
      scope: scope as 'full',
      key_prefix: 'e2b_a1b2c3',
      created_at: minutesAgo(0),
      created_by: db.me.user_id,
      created_by_name: db.me.name,
    };
    db.keys.unshift(key);
    return ok({ ...key, key: 'e2b_a1b2c3d4e5f6' }, 201);
  },
  'DELETE /v1/api-keys/*': (db, _asked, [id]) => {
    db.keys = db.keys.filter((key) => key.id !== id);
    return ok(left);
  },
  'PATCH /v1/teams/*': (db, asked, [id]) => {
    db.teams = db.teams.map((team) => (team.id === id ? { ...team, name: body(asked).name ?? '' } : team));
    return none;
  },
  'DELETE /v1/teams/*': (db, _asked, [id]) => {
    db.teams = db.teams.filter((team) => team.id !== id);
    db.me.team_id = null;
    return none;
  },
  'POST /v1/teams/*/leave': (db, _asked, [id]) => {
    db.teams = db.teams.filter((team) => team.id !== id);
    db.me.team_id = null;
    return none;
  },
  'GET /v1/teams/*/members': (db, _asked, [id]) => ok(db.members[id ?? ''] ?? []),
  'POST /v1/teams/*/members': (db, asked, [id]) => {
    const made = member('usr-99999999-0000-4000-8000-000000000000', '', {
      email: body(asked).email ?? '',
      status: 'invited',
      verified: false,
      joined_at: minutesAgo(0),
    });
    (db.members[id ?? ''] ??= []).push(made);
    return ok(db.info.mail ? made : { ...made, link: 'http://host.example/invitation?token=abc' }, 201);
  },
  'PATCH /v1/teams/*/members/*': (db, asked, [id, user]) => {
    const found = db.members[id ?? '']?.find((one) => one.user_id === user);
    if (found) found.role = body(asked).role as 'admin';
    return none;
  },
  'DELETE /v1/teams/*/members/*': (db, _asked, [id, user]) => {
    db.members[id ?? ''] = (db.members[id ?? ''] ?? []).filter((one) => one.user_id !== user);
    return ok(left);
  },
  'GET /v1/users/search': (db, asked) =>
    ok(db.found.filter(({ email }) => email.startsWith(asked.query.get('email') ?? ''))),
  'GET /v1/audit-logs': (db, asked) => logs(db, asked.query),
  'GET /v1/admin/audit-logs': (db, asked) => logs(db, asked.query),
  'GET /v1/audit-logs/*': (db, _asked, [id]) => {
    const found = db.audit.find((entry) => entry.id === id);
    return found ? ok(found) : refuse(404, 'not_found', 'audit log entry not found');
  },
  'GET /v1/admin/teams': (db, asked) => {
    const teams = db.allTeams.filter(({ name }) => name.includes(asked.query.get('q') ?? ''));
    return ok({ teams, total: teams.length, page: 1, per_page: 100, total_pages: 1 });
  },
  'PUT /v1/admin/teams/*/byoc': (db, asked, [id]) => {
    const found = db.allTeams.find((team) => team.id === id);
    if (found) found.is_byoc = (asked.body as { enabled: boolean }).enabled;
    return none;
  },
  'GET /v1/admin/users': (db, asked) => {
    const users = db.allUsers.filter(({ name }) => name.includes(asked.query.get('q') ?? ''));
    return ok({ users, total: users.length, page: 1, per_page: 100, total_pages: 1 });
  },
  'PUT /v1/admin/users/*/active': (db, asked, [id]) => {
    const found = db.allUsers.find((user) => user.id === id);
    if (found) found.status = (asked.body as { active: boolean }).active ? 'active' : 'disabled';
    return ok(left);
  },
};
