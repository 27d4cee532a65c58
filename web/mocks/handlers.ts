/** Answers as the API does, from a `Db`. Holds no rule of the platform beyond what a page needs to be shown. */
import type { AuthResponse } from '../src/lib/api/types.ts';
import type { Db } from './db.ts';
import { ADMIN } from './admin.ts';
import { PEOPLE } from './people.ts';

export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}

export interface Answered {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export type Handler = (db: Db, asked: Asked, parts: string[]) => Answered;

const ok = (body: unknown, headers: Record<string, string> = {}): Answered => ({
  status: 200,
  body,
  headers,
});
const none: Answered = { status: 204 };

export function refuse(status: number, code: string, message: string): Answered {
  return { status, body: { error: { code, message } } };
}

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

const given = <T>(asked: Asked): Partial<T> => (asked.body ?? {}) as Partial<T>;
const missing = () => refuse(404, 'not_found', 'sandbox not found');

/** `METHOD /path` with `*` for one segment. */
export const HANDLERS: Record<string, Handler> = {
  'GET /health': (db) =>
    db.notReady ? refuse(503, 'not_ready', db.notReady) : ok({ status: 'ok', version: db.info.version }),
  'POST /v1/auth/login': (db, asked) => {
    const { email, password } = given<{ email: string; password: string }>(asked);
    return email === db.me.email && password === db.password
      ? ok(login(db))
      : refuse(401, 'unauthorized', 'the e-mail address or the password is wrong');
  },
  'POST /v1/auth/logout': () => none,
  'POST /v1/auth/switch-team': (db, asked) => {
    db.me.team_id = given<{ team_id: string }>(asked).team_id ?? null;
    return ok(login(db));
  },
  'GET /v1/me': (db) => ok(db.me),
  'GET /v1/teams': (db) => ok(db.teams),
  'POST /v1/teams': (db, asked) => {
    const name = given<{ name: string }>(asked).name ?? '';
    const made = {
      ...db.teams[0],
      id: 'team-44444444-4444-4444-8444-444444444444',
      name,
      slug: 'made',
      is_byoc: false,
      created_at: new Date().toISOString(),
      role: 'owner' as const,
    };
    db.teams.push(made);
    return { status: 201, body: made };
  },
  'GET /v1/teams/*': (db, _asked, [id]) => {
    const team = db.teams.find((one) => one.id === id);
    return team
      ? ok({ team, members: db.members[team.id] ?? [] })
      : refuse(404, 'not_found', 'team not found');
  },
  'GET /v1/sandboxes': (db, asked) => {
    const wanted = asked.query.get('status')?.split(',');
    const ended = asked.query.get('ended') === 'true';
    const shown = db.sandboxes.filter((one) =>
      wanted ? wanted.includes(one.status) : ended || !['stopped', 'error'].includes(one.status),
    );
    return ok(shown, { 'x-total-count': String(shown.length) });
  },
  'GET /v1/sandboxes/*': (db, _asked, [id]) => {
    const found = db.sandboxes.find((one) => one.id === id);
    return found ? ok(found) : missing();
  },
  'DELETE /v1/sandboxes/*': (db, _asked, [id]) => {
    db.sandboxes = db.sandboxes.filter((one) => one.id !== id);
    return none;
  },
  'POST /v1/sandboxes/*/pause': (db, _asked, [id]) => {
    const found = db.sandboxes.find((one) => one.id === id);
    if (!found) return missing();
    found.status = 'paused';
    return ok(found);
  },
  'POST /v1/sandboxes/*/resume': (db, _asked, [id]) => {
    const found = db.sandboxes.find((one) => one.id === id);
    if (!found) return missing();
    found.status = 'running';
    return ok(found);
  },
  'GET /v1/api-keys': (db) => ok(db.keys),
};

/** The answer to a request. `undefined`: the request fails on the way. */
export function answer(db: Db, asked: Asked): Answered | 'hang' | undefined {
  const name = `${asked.method} ${asked.path}`;
  db.requests.push(name);
  const failure = db.failures[name] ?? db.failures['*'];
  if (failure === 'hang') return 'hang';
  if (failure === 'lost') return undefined;
  if (failure) return refuse(failure.status, failure.code, failure.message);
  for (const [pattern, handler] of Object.entries({ ...HANDLERS, ...PEOPLE, ...ADMIN })) {
    const parts = match(pattern, name);
    if (parts) return handler(db, asked, parts);
  }
  return refuse(404, 'not_found', `the mock has no ${name}`);
}

function match(pattern: string, name: string): string[] | undefined {
  const [wanted, found] = [pattern.split('/'), name.split('/')];
  if (wanted.length !== found.length) return undefined;
  const parts: string[] = [];
  for (const [index, part] of wanted.entries()) {
    if (part === '*') parts.push(decodeURIComponent(found[index] ?? ''));
    else if (part !== found[index]) return undefined;
  }
  return parts;
}
