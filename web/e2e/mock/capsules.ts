/** A platform in memory for the pages of capsules: what `/v1/**` answers, typed by the API. */
import type { Page, Route } from '@playwright/test';
import type { components } from '../../src/lib/api/schema.gen.ts';

type Schemas = components['schemas'];
export type Sandbox = Schemas['Sandbox'];

const NOW = Date.now();
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();
const TEAM = 'team-00000000-0000-4000-8000-000000000001';

export const idOf = (index: number): string =>
  `sb-${String(index).padStart(8, '0')}-0000-4000-8000-000000000000`;

export function sandbox(index: number, more: Partial<Sandbox> = {}): Sandbox {
  return {
    id: idOf(index),
    status: 'running',
    template: 'minimal',
    vcpus: 1,
    memory_mb: 512,
    timeout_sec: 900,
    created_at: ago(60 * (index + 1)),
    started_at: ago(60 * (index + 1)),
    last_active_at: ago(10),
    last_updated: ago(240),
    labels: {},
    desired: more.status === 'paused' ? 'paused' : 'running',
    created_by: { kind: 'user', id: 'usr-1', name: 'Ada' },
    on_timeout: 'kill',
    auto_resume: false,
    public_traffic: true,
    disk_size_mb: 1024,
    origin: { template: more.template ?? 'minimal' },
    ...more,
  } as Sandbox;
}

export interface World {
  sandboxes: Sandbox[];
  /** Whether the team had a capsule before. */
  had: boolean;
  team: boolean;
  /** Whether a terminal keeps the capsules awake. */
  held: boolean;
  /** Answers a request instead of the rules below: for failures and delays. */
  before?: (route: Route, method: string, path: string) => Promise<boolean> | boolean;
  /** The requests so far, as `POST /v1/sandboxes`. */
  calls: string[];
  bodies: unknown[];
}

const error = (code: Schemas['ErrorCode'], message: string) => ({ error: { code, message } });
export const refusal = (route: Route, status: number, code: Schemas['ErrorCode'], message: string) =>
  route.fulfill({ status, json: error(code, message), headers: { 'x-request-id': 'req-1' } });

/** A token as the page reads it: only its end counts. */
function token(): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ exp: Math.floor(NOW / 1000) + 20_000 })}.x`;
}

export async function serve(page: Page, given: Partial<World> = {}): Promise<World> {
  const world: World = { sandboxes: [], had: true, team: true, held: false, calls: [], bodies: [], ...given };
  const login = {
    token: token(),
    user_id: 'usr-00000000-0000-4000-8000-000000000001',
    team_id: world.team ? TEAM : null,
    email: 'ada@example.org',
    name: 'Ada',
  };
  await page.addInitScript((kept) => sessionStorage.setItem('locule.session', kept), JSON.stringify(login));
  await page.route(
    (url) => url.pathname.startsWith('/v1/') || url.pathname === '/health',
    async (route) => {
      const request = route.request();
      const path = new URL(request.url()).pathname;
      const method = request.method();
      world.calls.push(`${method} ${path}`);
      if (method === 'POST' && request.postData()) world.bodies.push(request.postDataJSON());
      if (await world.before?.(route, method, path)) return;
      await answer(route, world, method, path);
    },
  );
  return world;
}

async function answer(route: Route, world: World, method: string, path: string): Promise<void> {
  const json = (body: unknown, status = 200) => route.fulfill({ status, json: body as object });
  const team = { id: TEAM, name: 'Atlas', slug: 'a1', is_byoc: false, created_at: ago(9e6), role: 'owner' };
  const one = /^\/v1\/sandboxes\/([^/]+)(\/.*)?$/.exec(path);
  const found = one && world.sandboxes.find(({ id }) => id === one[1]);
  if (path === '/v1/me')
    return json({
      user_id: 'usr-1',
      team_id: world.team ? TEAM : null,
      email: 'ada@example.org',
      name: 'Ada',
      is_admin: false,
    });
  if (path === '/v1/teams') return json(world.team ? [team] : []);
  if (path === '/v1/audit-logs')
    return json({
      items: world.had
        ? [
            {
              id: 'log-1',
              actor_type: 'user',
              actor_name: 'Ada',
              resource_type: 'sandbox',
              resource_id: idOf(0),
              action: 'create',
              scope: 'team',
              status: 'success',
              metadata: { template: 'minimal' },
              created_at: ago(60),
            },
          ]
        : [],
    });
  if (path === '/v1/limits') {
    const use = { used: 3, max: 20 };
    return json({ sandboxes: use, vcpus: use, memory_mb: { used: 1536, max: 10240 } });
  }
  if (path === '/v1/sandboxes' && method === 'GET') {
    const ended = new URL(route.request().url()).searchParams.get('ended') === 'true';
    return json(world.sandboxes.filter(({ status }) => ended || !/stopped|error/.test(status)));
  }
  if (path === '/v1/sandboxes' && method === 'POST') {
    const made = sandbox(9000 + world.sandboxes.length);
    world.sandboxes = [made, ...world.sandboxes];
    world.had = true;
    return json(made, 201);
  }
  if (one && !found) return refusal(route, 404, 'not_found', 'sandbox not found');
  if (found && method === 'DELETE' && !one[2]) {
    world.sandboxes = world.sandboxes.filter((other) => other !== found);
    return route.fulfill({ status: 204 });
  }
  if (found && (one[2] === '/pause' || one[2] === '/resume')) {
    found.status = found.desired = one[2] === '/pause' ? 'paused' : 'running';
    return json(found);
  }
  if (found && one[2] === '/ping') {
    found.last_active_at = new Date().toISOString();
    return route.fulfill({ status: 204 });
  }
  if (found && one[2] === '/clock')
    return json({
      now: new Date().toISOString(),
      held_by: world.held ? [{ kind: 'terminal', pid: 412, count: 1, since: ago(60) }] : [],
    });
  if (found && one[2] === '/processes')
    return json({ processes: [{ pid: 412, cmd: 'python', args: ['train.py'], tag: null }] });
  if (found && method === 'PATCH') {
    const change = route.request().postDataJSON() as Schemas['UpdateSandboxRequest'];
    world.bodies.push(change);
    const labels = { ...found.labels, ...change.labels };
    found.labels = Object.fromEntries(
      Object.entries(labels).filter((entry): entry is [string, string] => entry[1] !== null),
    );
    if (typeof change.timeout_sec === 'number') found.timeout_sec = change.timeout_sec;
    return json(found);
  }
  if (found && !one[2]) return json(found);
  return refusal(route, 404, 'not_found', 'no such path');
}
