/** Answers about logins and the own account. */
import type { AuthResponse } from '../src/lib/api/types.ts';
import { type Handlers, refuse } from './api.ts';
import type { Db } from './db.ts';

const invalid = () => refuse(400, 'invalid_token', 'the token is not valid');
/** What a change of a password or an account left behind: nothing. */
const kept = { providers: [], api_keys: [], removed: false };

/** A token as the page reads it: only its end counts. The signature is none. */
export function token(teamId: string | null | undefined, end = 4_000_000_000): string {
  const part = (value: unknown) => btoa(JSON.stringify(value)).replaceAll('=', '');
  return `${part({ alg: 'none' })}.${part({ exp: end, team: teamId ?? null })}.x`;
}

export function login(db: Db): AuthResponse {
  return {
    token: token(db.me.team_id, db.tokenEnd),
    user_id: db.me.user_id,
    team_id: db.me.team_id ?? null,
    email: db.me.email,
    name: db.me.name,
  };
}

export const ACCOUNT: Handlers = {
  'GET /health': (db) =>
    db.notReady
      ? refuse(503, 'not_ready', db.notReady)
      : { status: 200, body: { status: 'ok', version: db.info.version } },
  'GET /v1/info': (db) => ({ status: 200, body: db.info }),
  'POST /v1/auth/login': (db, { body: { email, password } }) =>
    email === db.me.email && password === db.password
      ? { status: 200, body: login(db) }
      : refuse(401, 'unauthorized', 'the e-mail address or the password is wrong'),
  'POST /v1/auth/signup': (db) =>
    db.info.mail ? { status: 201, body: { message: 'check your e-mail' } } : { status: 201, body: login(db) },
  'POST /v1/auth/activate': (db, { body }) =>
    body.token === 'good' ? { status: 200, body: login(db) } : invalid(),
  'POST /v1/auth/logout': () => ({ status: 204 }),
  'POST /v1/auth/renew': (db) => {
    db.tokenEnd += 6 * 3600;
    return { status: 200, body: login(db) };
  },
  'POST /v1/auth/switch-team': (db, { body }) => {
    db.me.team_id = body.team_id;
    return { status: 200, body: login(db) };
  },
  'GET /v1/me': (db) => ({ status: 200, body: db.me }),
  'PATCH /v1/me': (db, { body }) => {
    db.me.name = body.name;
    return { status: 200, body: login(db) };
  },
  'POST /v1/me/password': (db, { body }) =>
    body.current_password === db.password
      ? { status: 200, body: kept }
      : refuse(401, 'wrong_password', 'the password is wrong'),
  'POST /v1/me/password/reset': () => ({ status: 204 }),
  'POST /v1/me/password/reset/confirm': (_, { body }) =>
    body.token === 'good' ? { status: 200, body: kept } : invalid(),
  'GET /v1/me/sessions': (db) => ({ status: 200, body: { items: db.logins } }),
  'DELETE /v1/me/sessions': (db) => {
    db.logins = db.logins.filter(({ current }) => current);
    return { status: 204 };
  },
  'DELETE /v1/me/sessions/{id}': (db, { params }) => {
    db.logins = db.logins.filter(({ id }) => id !== params.id);
    return { status: 204 };
  },
};
