/** Answers about teams, their members and their keys. */
import type { ApiKey } from '../src/lib/api/types.ts';
import { type Handlers, refuse } from './api.ts';
import { type Db, member, minutesAgo, team } from './db.ts';

/** What a change left behind: nothing. */
const left = { sandboxes: [], has_more: false };

function forget(db: Db, id: string): { status: 204 } {
  db.teams = db.teams.filter((one) => one.id !== id);
  db.me.team_id = null;
  return { status: 204 };
}

export const TEAMS: Handlers = {
  'GET /v1/limits': (db) => ({
    status: 200,
    body: { ...db.limits, sandboxes: { ...db.limits.sandboxes, used: db.sandboxes.length } },
  }),
  'GET /v1/teams': (db) => ({ status: 200, body: db.teams }),
  'POST /v1/teams': (db, { body }) => {
    const made = team('team-44444444-4444-4444-8444-444444444444', body.name, 'owner', {
      created_at: minutesAgo(0),
    });
    db.teams.push(made);
    return { status: 201, body: made };
  },
  'GET /v1/teams/{id}': (db, { params }) => {
    const found = db.teams.find((one) => one.id === params.id);
    return found
      ? { status: 200, body: { team: found, members: db.members[found.id] ?? [] } }
      : refuse(404, 'not_found', 'team not found');
  },
  'PATCH /v1/teams/{id}': (db, { params, body }) => {
    db.teams = db.teams.map((one) => (one.id === params.id ? { ...one, name: body.name } : one));
    return { status: 204 };
  },
  'DELETE /v1/teams/{id}': (db, { params }) => forget(db, params.id),
  'POST /v1/teams/{id}/leave': (db, { params }) => forget(db, params.id),
  'GET /v1/teams/{id}/members': (db, { params }) => ({ status: 200, body: db.members[params.id] ?? [] }),
  'POST /v1/teams/{id}/members': (db, { params, body }) => {
    const made = member('usr-99999999-0000-4000-8000-000000000000', '', {
      email: body.email,
      status: 'invited',
      verified: false,
      joined_at: minutesAgo(0),
    });
    (db.members[params.id] ??= []).push(made);
    const link = db.info.mail ? {} : { link: 'http://host.example/invitation?token=abc' };
    return { status: 201, body: { ...made, ...link } };
  },
  'PATCH /v1/teams/{id}/members/{user_id}': (db, { params, body }) => {
    const found = db.members[params.id]?.find((one) => one.user_id === params.user_id);
    if (found) found.role = body.role;
    return { status: 204 };
  },
  'DELETE /v1/teams/{id}/members/{user_id}': (db, { params }) => {
    db.members[params.id] = (db.members[params.id] ?? []).filter((one) => one.user_id !== params.user_id);
    return { status: 200, body: left };
  },
  'GET /v1/users/search': (db, { query }) => ({
    status: 200,
    body: db.found.filter(({ email }) => email.startsWith(query.get('email') ?? '')),
  }),
  'POST /v1/invitations/{token}/accept': (db, { params }) => {
    const joined = db.teams.at(-1);
    return params.token === 'good' && joined
      ? { status: 200, body: joined }
      : refuse(400, 'invalid_token', 'the token is not valid');
  },
  'GET /v1/api-keys': (db) => ({ status: 200, body: db.keys }),
  'POST /v1/api-keys': (db, { body }) => {
    const key: ApiKey = {
      id: `key-0000000${db.keys.length}-0000-4000-8000-000000000000`,
      team_id: db.me.team_id ?? '',
      name: body.name,
      scope: body.scope ?? 'full',
      key_prefix: 'e2b_a1b2c3',
      created_at: minutesAgo(0),
      created_by: db.me.user_id,
      created_by_name: db.me.name,
    };
    db.keys.unshift(key);
    return { status: 201, body: { ...key, key: 'e2b_a1b2c3d4e5f6' } };
  },
  'DELETE /v1/api-keys/{id}': (db, { params }) => {
    db.keys = db.keys.filter(({ id }) => id !== params.id);
    return { status: 200, body: left };
  },
};
