/** Answers about hosts, and the hosts of the scenarios. */
import type { SandboxStatus, Schemas } from '../src/lib/api/types.ts';
import { adminSandbox } from './admin.ts';
import { type Handlers, type Refused, refuse } from './api.ts';
import { ATLAS, type Db, minutesAgo } from './db.ts';

type Host = Schemas['Host'];
type HostSandbox = Schemas['HostSandbox'];

/** The id of the host with a number. */
export const hostId = (number: number): string =>
  `host-${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** A host with a number, online and empty. */
export function hostOf(number: number, more: Partial<Host> = {}): Host {
  return {
    id: hostId(number),
    type: 'regular',
    status: 'online',
    provider: 'hetzner',
    availability_zone: 'eu1',
    address: `10.0.0.${number}:50051`,
    arch: 'x86_64',
    cpu_cores: 16,
    memory_mb: 65_536,
    disk_gb: 960,
    agent_version: '0.1.0',
    accelerator: 'kvm',
    cordoned: false,
    running_sandboxes: 0,
    paused_sandboxes: 0,
    reserved_memory_mb: 0,
    free_memory_mb: 60_000,
    pool_free_bytes: 480 * 1024 ** 3,
    last_heartbeat_at: minutesAgo(0.2),
    created_at: minutesAgo(9000),
    updated_at: minutesAgo(0.2),
    ...more,
  };
}

/** A host whose command was not run yet. */
export function pendingHost(number: number, more: Partial<Host> = {}): Host {
  return {
    id: hostId(number),
    type: 'regular',
    status: 'pending',
    cordoned: false,
    running_sandboxes: 0,
    paused_sandboxes: 0,
    reserved_memory_mb: 0,
    created_at: minutesAgo(9000),
    updated_at: minutesAgo(9000),
    ...more,
  };
}

/** Counts the capsules of a host anew. */
function count(db: Db, host: Host): void {
  const all = db.hostSandboxes[host.id] ?? [];
  const of = (status: SandboxStatus) => all.filter((one) => one.status === status);
  host.running_sandboxes = of('running').length;
  host.paused_sandboxes = of('paused').length;
  host.reserved_memory_mb = of('running').reduce((sum, { memory_mb: memory }) => sum + memory, 0);
}

/** Puts a host on the platform, with capsules in these states. */
export function addHost(db: Db, host: Host, statuses: readonly SandboxStatus[] = []): Host {
  const team = { id: host.team_id ?? ATLAS, name: host.team_name ?? 'Atlas' };
  const sandboxes = statuses.map((status, index) =>
    adminSandbox(team, {
      id: `sb-${host.id.slice(5, 13).slice(-2)}${String(index).padStart(6, '0')}-0000-4000-8000-000000000000`,
      status,
      desired: status === 'paused' ? 'paused' : 'running',
      memory_mb: 512 * 2 ** (index % 4),
      host_id: host.id,
    }),
  );
  db.allSandboxes.push(...sandboxes);
  db.hostSandboxes[host.id] = sandboxes.map(
    ({ id, status, template, vcpus, memory_mb, disk_size_mb, created_at }): HostSandbox => ({
      ...{ id, status, template, vcpus, memory_mb, created_at },
      disk_size_mb: disk_size_mb ?? 1024,
      team_id: team.id,
      team_name: team.name,
    }),
  );
  db.hosts.push(host);
  count(db, host);
  return host;
}

/** Puts paused capsules on a host that are not in the database. The first is of a team that is gone. */
export function holdWithoutRow(db: Db, host: Host, count: number): void {
  db.quarantine[host.id] = Array.from({ length: count }, (_, index) => ({
    id: `sb-9${String(index).padStart(7, '0')}-0000-4000-8000-000000000000`,
    status: 'paused' as const,
    team_id: ATLAS,
    ...(index === 0 ? {} : { team_name: 'Atlas' }),
    template: 'minimal',
    vcpus: 1,
    memory_mb: 512,
    disk_size_mb: 5120,
    created_at: minutesAgo(90),
  }));
}

/** The first heartbeat of a host has come. */
export function arrive(host: Host): void {
  Object.assign(host, {
    status: 'online',
    address: '10.0.0.9:50051',
    last_heartbeat_at: minutesAgo(0),
    cpu_cores: 16,
    memory_mb: 65_536,
  });
}

const missing = () => refuse(404, 'not_found', 'host not found');

/** Answers about a host that exists. */
function about<T>(
  db: Db,
  { params }: { params: { id: string } },
  answer: (host: Host, sandboxes: HostSandbox[]) => T,
): T | Refused {
  const found = db.hosts.find(({ id }) => id === params.id);
  return found ? answer(found, db.hostSandboxes[found.id] ?? []) : missing();
}

const secrets = {
  registration_token: 'reg_4f1d9a7c2e8b',
  hosts_url: 'https://hosts.example:8443',
  ca_hash: `sha256:${'3fa91c00'.repeat(8)}`,
};

export const HOSTS: Handlers = {
  'GET /v1/hosts': (db) => ({
    status: 200,
    body: db.hosts.filter(({ team_id: team }) => db.me.is_admin || team === db.me.team_id),
  }),
  'POST /v1/hosts': (db, { body: { type, team_id, provider, availability_zone } }) => {
    const team = db.teams.find(({ id }) => id === team_id);
    const made = pendingHost(90 + db.hosts.length, {
      type,
      created_at: minutesAgo(0),
      ...(team ? { team_id: team.id, team_name: team.name } : {}),
      ...(provider ? { provider } : {}),
      ...(availability_zone ? { availability_zone } : {}),
    });
    return { status: 201, body: { host: addHost(db, made), ...secrets } };
  },
  'GET /v1/hosts/{id}': (db, asked) => about(db, asked, (body) => ({ status: 200 as const, body })),
  'POST /v1/hosts/{id}/token': (db, asked) =>
    about(db, asked, (host) => ({ status: 201 as const, body: { host, ...secrets } })),
  'PATCH /v1/hosts/{id}': (db, asked) =>
    about(db, asked, (host) => {
      host.cordoned = asked.body.cordoned;
      if (!host.cordoned) delete host.drain;
      return { status: 200 as const, body: host };
    }),
  'POST /v1/hosts/{id}/drain': (db, asked) =>
    about(db, asked, (host, sandboxes) => {
      const before = structuredClone(sandboxes);
      host.cordoned = true;
      host.drain = asked.body.running;
      if (host.drain === 'pause')
        for (const one of sandboxes) if (one.status === 'running') one.status = 'paused';
      count(db, host);
      return { status: 200 as const, body: { host, sandboxes: before } };
    }),
  'GET /v1/hosts/{id}/sandboxes': (db, asked) =>
    about(db, asked, (_, body) => ({ status: 200 as const, body })),
  'GET /v1/hosts/{id}/quarantine': (db, asked) =>
    about(db, asked, ({ id }) => ({ status: 200 as const, body: db.quarantine[id] ?? [] })),
  'POST /v1/hosts/{id}/quarantine/{sandbox_id}/import': (db, asked) =>
    about(db, asked, (host, sandboxes) => {
      const held = db.quarantine[host.id] ?? [];
      const found = held.find(({ id }) => id === asked.params.sandbox_id);
      if (!found) return refuse(404, 'not_found', 'sandbox not found');
      if (!found.team_name)
        return refuse(
          409,
          'conflict',
          'the team of the sandbox does not exist: name the team that gets the sandbox',
        );
      db.quarantine[host.id] = held.filter((one) => one !== found);
      sandboxes.push(found);
      db.hostSandboxes[host.id] = sandboxes;
      count(db, host);
      return { status: 201 as const, body: found };
    }),
  'GET /v1/hosts/{id}/delete-preview': (db, asked) =>
    about(db, asked, (host, sandboxes) => ({
      status: 200 as const,
      body: { host, sandboxes, sandbox_ids: sandboxes.map(({ id }) => id) },
    })),
  'DELETE /v1/hosts/{id}': (db, asked) =>
    about(db, asked, ({ id }, sandboxes) => {
      if (sandboxes.length > 0 && asked.query.get('force') !== 'true')
        return refuse(409, 'has_active_sandboxes', 'the host has sandboxes');
      db.hosts = db.hosts.filter((one) => one.id !== id);
      return { status: 204 as const };
    }),
};
