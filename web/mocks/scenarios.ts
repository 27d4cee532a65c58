/** What the platform in memory can be, by name. */
import {
  ATLAS,
  auditEntry,
  BOREAS,
  type Db,
  db as empty,
  idOf,
  member,
  minutesAgo,
  numbered,
  team,
} from './db.ts';
import { disk, file, folder } from './files.ts';
import { addHost, hostOf, pendingHost } from './hosts.ts';

/** Some of everything: every status of a capsule, members of every role, keys, and a log. */
function usual(more: Partial<Db> = {}): Db {
  const db = empty({
    sandboxes: [
      numbered(0, { labels: { agent: 'codex', branch: 'main' } }),
      numbered(1, { template: 'python', vcpus: 2, memory_mb: 2048 }),
      numbered(2, { status: 'paused', status_reason: 'idle', labels: { agent: 'claude' } }),
      numbered(3, { status: 'starting', started_at: null }),
      numbered(4, { status: 'missing', status_reason: 'host_unavailable' }),
      numbered(5, { status: 'stopped', status_reason: 'requested', ended_at: minutesAgo(20) }),
      numbered(6, { status: 'error', status_reason: 'create_failed', ended_at: minutesAgo(30) }),
    ],
    keys: ['ci-nightly', 'notebook'].map((name, index) => ({
      id: `key-0000000${index}-0000-4000-8000-000000000000`,
      team_id: ATLAS,
      name,
      key_prefix: 'e2b_3fa91c',
      scope: 'full',
      created_at: minutesAgo(30_000),
      created_by: 'usr-orion',
      created_by_name: 'Orion',
      last_used: minutesAgo(4),
    })),
    audit: Array.from({ length: 12 }, (_, index) =>
      auditEntry({
        id: `log-00000000-0000-4000-8000-${String(99 - index).padStart(12, '0')}`,
        resource_id: idOf(index % 5),
        action: ['create', 'pause', 'resume', 'destroy'][index % 4] ?? 'create',
        created_at: minutesAgo(1 + index * 37),
      }),
    ),
    ports: {
      url_pattern: `http://{port}-${idOf(0).slice(0, 11)}.capsules.example`,
      ports: [
        {
          port: 3000,
          address: '0.0.0.0',
          pid: 412,
          process: 'node',
          url: 'http://3000-sb.capsules.example/',
        },
        { port: 5432, address: '127.0.0.1', pid: 90, process: 'postgres' },
      ],
    },
    disk: disk(
      file('/home/user/train.py', 'import os\n\nprint(os.uname().release)\n'),
      file('/home/user/README.md', '# Atlas\n\nWhat the agents work on.\n'),
      folder('/home/user/models'),
      file('/home/user/models/weights.bin', '', { size: 20_000_000 }),
    ),
    ...more,
  });
  db.members[ATLAS]?.push(
    member('usr-orion', 'Orion', { role: 'admin' }),
    member('usr-lyra', 'Lyra'),
    member('usr-vega', '', { status: 'invited', verified: false, email: 'vega@example.com' }),
  );
  return db;
}

const SCENARIOS = {
  default: () => usual(),
  /** A person in two teams who has made nothing yet. */
  empty: () => empty(),
  thousand: () => usual({ sandboxes: Array.from({ length: 1000 }, (_, index) => numbered(index)) }),
  /** The person is no owner of the team. */
  member: () => usual({ teams: [team(ATLAS, 'Atlas', 'member'), team(BOREAS, 'Boreas', 'owner')] }),
  noteam: () => {
    const db = empty({ teams: [] });
    db.me.team_id = null;
    return db;
  },
  /** The team may have hosts of its own. */
  byoc: () => {
    const db = usual({ teams: [team(ATLAS, 'Atlas', 'owner', { is_byoc: true })] });
    addHost(db, hostOf(1, BYOC), ['running', 'running', 'paused']);
    addHost(db, hostOf(2, { ...BYOC, status: 'unreachable', last_heartbeat_at: minutesAgo(12) }), [
      'missing',
    ]);
    addHost(db, pendingHost(3, BYOC));
    return db;
  },
  /** The person administers the platform, which has hosts of its own and of a team. */
  platform: () => {
    const db = usual();
    db.me.is_admin = true;
    const twelve = Array.from({ length: 12 }, (_, index) => (index < 9 ? 'running' : 'paused'));
    addHost(db, hostOf(1), twelve);
    addHost(db, hostOf(2, { cordoned: true }), ['paused']);
    addHost(db, pendingHost(3));
    addHost(db, hostOf(4, BYOC), ['running']);
    return db;
  },
  slow: () => usual({ delay: 1500 }),
  /** Nothing of the platform answers but the login. */
  lost: () => usual({ failures: Object.fromEntries(LOST.map((path) => [`GET ${path}`, 'lost' as const])) }),
} satisfies Record<string, () => Db>;

/** A host of a team. */
const BYOC = { type: 'byoc', team_id: ATLAS, team_name: 'Atlas' } as const;

const LOST = ['/health', '/v1/sandboxes', '/v1/sandboxes/*', '/v1/api-keys', '/v1/audit-logs', '/v1/teams/*'];

export type Scenario = keyof typeof SCENARIOS;

export const SCENARIO_NAMES = Object.keys(SCENARIOS) as Scenario[];

export const isScenario = (name: string): name is Scenario => Object.hasOwn(SCENARIOS, name);

export function scenario(name: Scenario): Db {
  return SCENARIOS[name]();
}
