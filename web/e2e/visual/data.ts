/** What the platform of the pictures has. */
import {
  ATLAS,
  auditEntry,
  BOREAS,
  type Db,
  member,
  minutesAgo,
  sandbox,
  team,
  USER,
} from '../../mocks/db.ts';
import { adminSandbox, adminTeam, adminUser } from '../../mocks/admin.ts';
import type { ApiKey, AuditEntry, Sandbox } from '../../src/lib/api/types.ts';

export const idOf = (beginning: string): string => `sb-${beginning}-08d1-4a44-9f00-3c5d7e9f1a2b`;

type More = Partial<Sandbox>;
const capsule = (beginning: string, minutes: number, more: More = {}): Sandbox =>
  sandbox({
    id: idOf(beginning),
    created_at: minutesAgo(minutes),
    started_at: minutesAgo(minutes),
    last_active_at: minutesAgo(Math.min(minutes, 3)),
    last_updated: minutesAgo(Math.min(minutes, 3)),
    desired: more.status === 'paused' ? 'paused' : 'running',
    on_timeout: 'pause',
    auto_resume: false,
    public_traffic: false,
    disk_size_mb: 1024,
    labels: {},
    created_by: { kind: 'user', id: USER, name: 'Ada Lovelace' },
    origin: { template: more.template ?? 'minimal' },
    ...more,
  });

const NIGHTLY = {
  kind: 'api_key' as const,
  id: 'key-3fa91c00-0000-4000-8000-000000000000',
  name: 'ci-nightly',
};

export const running = capsule('7f3a91c2', 2, {
  vcpus: 2,
  memory_mb: 1024,
  labels: { agent: 'codex', run: '881' },
  created_by: NIGHTLY,
  host_id: 'host-3e5a7c91-0000-4000-8000-000000000000',
});
export const paused = capsule('e2d90b13', 130, {
  status: 'paused',
  status_reason: 'idle',
  template: 'py-data',
  vcpus: 4,
  memory_mb: 8192,
  labels: { run: '879' },
  last_updated: minutesAgo(118),
});
export const ended = capsule('91be7f05', 64, {
  status: 'error',
  status_reason: 'create_failed',
  template: 'py-data',
  created_by: NIGHTLY,
});
export const vanished = capsule('5d1c88aa', 95, { status: 'stopped', status_reason: 'vm_lost' });

/** A team in the middle of a day. */
export function busy(db: Db): void {
  db.sandboxes = [
    running,
    capsule('b81e04d7', 4, { template: 'code-interpreter', timeout_sec: 300, labels: { agent: 'claude' } }),
    capsule('c0ffee42', 9, {
      last_active_at: minutesAgo(14.4),
      labels: { branch: 'feature/very-long-name-of-a-branch' },
    }),
    capsule('2a77d31e', 26, { desired: 'paused', memory_mb: 2048 }),
    capsule('44e9b0c6', 41, { timeout_sec: 0, vcpus: 8, memory_mb: 4096, template: 'gpu-less-training' }),
    paused,
    capsule('6b2f1d90', 260, { status: 'missing', created_by: NIGHTLY }),
    capsule('a9d4e7f1', 1500, {
      status: 'paused',
      labels: { agent: 'codex', run: '712', owner: 'orion', week: '45' },
    }),
    capsule('d3c2b1a0', 4300, { status: 'paused', template: 'py-data', memory_mb: 1536 }),
  ];
}

export function people(db: Db): void {
  busy(db);
  db.members[ATLAS]?.push(
    member('usr-orion', 'Orion', { role: 'admin', joined_at: minutesAgo(3000) }),
    member('usr-grace', 'Grace Brewster Murray Hopper', { joined_at: minutesAgo(90_000) }),
    member('usr-vega', '', { status: 'invited', email: 'vega@example.com', joined_at: minutesAgo(12) }),
  );
}

export function asMember(db: Db): void {
  people(db);
  db.teams = [team(ATLAS, 'Atlas', 'member'), team(BOREAS, 'Boreas', 'owner')];
}

const key = (name: string, prefix: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id: `key-${prefix}-0000-4000-8000-000000000000`,
  team_id: ATLAS,
  name,
  key_prefix: `e2b_${prefix}`,
  scope: 'full',
  created_at: minutesAgo(3000),
  created_by: USER,
  created_by_name: 'Ada Lovelace',
  ...more,
});

export function keys(db: Db): void {
  people(db);
  db.keys = [
    key('ci-nightly', '3fa91c', { last_used: minutesAgo(4) }),
    key('laptop', '77ab02', { scope: 'read', created_at: minutesAgo(44_000) }),
    key('a notebook of the research group, second floor', '9bd114', {
      scope: 'sandbox',
      created_by: 'usr-grace',
      created_by_name: 'Grace Brewster Murray Hopper',
      expires_at: minutesAgo(-20_000),
      last_used: minutesAgo(2900),
    }),
    key('trial', '01c7fe', { expires_at: minutesAgo(50), created_by: 'usr-orion', created_by_name: 'Orion' }),
  ];
}

export const log = (n: number) => `log-00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

type Entry = NonNullable<Parameters<typeof auditEntry>[0]>;
const entry = (n: number, minutes: number, more: Entry): AuditEntry =>
  auditEntry({ id: log(n), created_at: minutesAgo(minutes), ...more });

export function history(db: Db): void {
  people(db);
  const key = { actor_type: 'api_key', actor_id: NIGHTLY.id, actor_name: 'ci-nightly' };
  const system = { actor_type: 'system', actor_id: null, actor_name: null };
  db.audit = [
    entry(12, 1, { action: 'destroy', status: 'warning', metadata: {} }),
    entry(11, 2, { ...key, resource_id: running.id }),
    entry(10, 26, { action: 'pause', resource_id: paused.id, metadata: {} }),
    entry(8, 95, {
      ...system,
      action: 'destroy',
      status: 'error',
      resource_id: vanished.id,
      metadata: { reason: 'vm_lost' },
    }),
    entry(7, 300, {
      resource_type: 'member',
      resource_id: 'usr-orion',
      resource_name: 'Orion',
      action: 'role_update',
      metadata: { new_role: 'admin' },
    }),
    entry(6, 1500, {
      resource_type: 'api_key',
      resource_id: NIGHTLY.id,
      resource_name: 'ci-nightly',
      action: 'create',
      metadata: { scope: 'full' },
    }),
    entry(5, 1510, { resource_type: 'volume', resource_id: 'vol-1', action: 'resize', metadata: {} }),
    entry(4, 4400, { resource_id: idOf('a9d4e7f1') }),
  ];
}

const CHEMISTRY = {
  id: 'team-55555555-5555-4555-8555-555555555555',
  name: 'Computational chemistry, second floor',
};

export function administration(db: Db): void {
  history(db);
  db.allSandboxes = db.sandboxes.map((one, index) =>
    adminSandbox(index % 3 === 1 ? CHEMISTRY : { id: ATLAS, name: 'Atlas' }, one),
  );
  db.tasks = [
    {
      name: 'sandbox sweep',
      period_sec: 10,
      last_started_at: minutesAgo(0.1),
      last_finished_at: minutesAgo(0.1),
    },
    {
      name: 'retention',
      period_sec: 3600,
      last_started_at: minutesAgo(40),
      last_finished_at: minutesAgo(40),
    },
    {
      name: 'credential use',
      period_sec: 5,
      last_started_at: minutesAgo(0.05),
      last_finished_at: minutesAgo(0.05),
      last_error: 'the store did not answer',
    },
  ];
  db.me.is_admin = true;
  db.allTeams = [
    adminTeam(ATLAS, 'Atlas', { member_count: 4, active_sandbox_count: 12 }),
    adminTeam(CHEMISTRY.id, CHEMISTRY.name, {
      is_byoc: true,
      owner_name: 'Grace Brewster Murray Hopper',
      owner_email: 'grace@example.com',
      member_count: 118,
      active_sandbox_count: 1004,
    }),
    adminTeam(BOREAS, 'Boreas', { member_count: 4, deleted_at: minutesAgo(9000) }),
  ];
  db.allUsers = [
    adminUser(USER, 'Ada Lovelace', { email: 'ada@example.com', is_admin: true }),
    adminUser('usr-orion', 'Orion'),
    adminUser('usr-grace', 'Grace Brewster Murray Hopper', {
      email: 'grace.brewster.murray.hopper@compilers.example.com',
    }),
    adminUser('usr-lyra', 'Lyra', { status: 'disabled', teams_owned: 0 }),
    adminUser('usr-vega', '', {
      email: 'vega@example.com',
      status: 'invited',
      teams_joined: 0,
      teams_owned: 0,
    }),
  ];
}
