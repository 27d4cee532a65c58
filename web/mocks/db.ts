/** The data of a platform that does not exist, typed by the API. A scenario fills it. */
import type {
  ApiKey,
  AuditEntry,
  ErrorCode,
  Me,
  Member,
  PortList,
  Sandbox,
  Schemas,
  TeamLimits,
  TeamWithRole,
} from '../src/lib/api/types.ts';
import type { Name, Request } from './api.ts';
import { disk, type Disk } from './files.ts';
import { Shells } from './shells.ts';

/** The time at which every scenario plays. */
export const NOW = Date.parse('2026-11-14T14:32:00Z');

export const minutesAgo = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

/** What a request gets instead of the usual answer. */
export type Failure = { status: number; code: ErrorCode; message: string } | 'hang' | 'lost';

export interface Db {
  me: Me;
  password: string;
  teams: TeamWithRole[];
  members: Record<string, Member[]>;
  sandboxes: Sandbox[];
  keys: ApiKey[];
  audit: AuditEntry[];
  /** The end of the login, in seconds. */
  tokenEnd: number;
  /** The logins of the person, the one of the page first. */
  logins: Schemas['LoginSession'][];
  /** What the installation offers to people without a login. */
  info: Schemas['PlatformInfo'];
  limits: TeamLimits;
  /** The accounts that a search finds. */
  found: Schemas['FoundUser'][];
  /** What keeps the capsules awake. */
  holders: Schemas['Holder'][];
  processes: Schemas['Process'][];
  ports: PortList;
  /** The files of each capsule. */
  disk: Disk;
  /** The terminals of the capsules. */
  shells: Shells;
  /** What administrators of the platform see. */
  allTeams: Schemas['AdminTeam'][];
  /** What administrators have set for teams, by their ids. */
  quotas: Record<string, Schemas['SetQuotaRequest']>;
  allUsers: Schemas['AdminUser'][];
  allSandboxes: Schemas['AdminSandbox'][];
  tasks: Schemas['AdminTask'][];
  hosts: Schemas['Host'][];
  /** The capsules of each host, by its id. */
  hostSandboxes: Record<string, Schemas['HostSandbox'][]>;
  /** The capsules on each host that are not in the database, by its id. */
  quarantine: Record<string, Schemas['QuarantinedSandbox'][]>;
  /** Why no capsule can be made. */
  notReady: string | undefined;
  /** By `METHOD /path`, in which `*` stands for one segment; `*` alone fails every request. */
  failures: Record<string, Failure>;
  /** The pages that follow the events of the team. */
  streams: Set<{ write: (text: string) => unknown; destroy: () => unknown }>;
  /** The milliseconds that every answer takes. */
  delay: number;
  /** Every request so far, as `METHOD /path`. */
  requests: string[];
  /** The same requests with what they carry. */
  asked: Request[];
}

/** The bodies that the page sent to an operation, in their order. */
export function bodies(db: Db, name: Name | `${string} ${string}`): unknown[] {
  return db.asked.filter(({ method, path }) => `${method} ${path}` === name).map(({ body }) => body);
}

export const ATLAS = 'team-11111111-1111-4111-8111-111111111111';
export const BOREAS = 'team-22222222-2222-4222-8222-222222222222';
export const USER = 'user-33333333-3333-4333-8333-333333333333';

export function team(
  id: string,
  name: string,
  role: TeamWithRole['role'],
  more: Partial<TeamWithRole> = {},
): TeamWithRole {
  return { id, name, slug: id.slice(5, 11), is_byoc: false, created_at: minutesAgo(130_000), role, ...more };
}

export function member(id: string, name: string, more: Partial<Member> = {}): Member {
  return {
    user_id: id,
    name,
    email: `${name.toLowerCase().replaceAll(' ', '.') || 'invited'}@example.com`,
    verified: true,
    role: 'member',
    status: 'active',
    joined_at: minutesAgo(600),
    ...more,
  };
}

let made = 0;
const hex = (length: number) => {
  made += 1;
  return (made * 2_654_435_761).toString(16).padStart(length, '0').slice(-length);
};

export function sandbox(more: Partial<Sandbox> = {}): Sandbox {
  return {
    id: `sb-${hex(8)}-08d1-4a44-9f00-000000000000`,
    status: 'running',
    template: 'minimal',
    vcpus: 1,
    memory_mb: 512,
    disk_size_mb: 1024,
    timeout_sec: 900,
    on_timeout: 'kill',
    auto_resume: false,
    public_traffic: true,
    labels: {},
    desired: more.status === 'paused' ? 'paused' : 'running',
    origin: { template: more.template ?? 'minimal' },
    created_by: { kind: 'user', id: USER, name: 'Ada Lovelace' },
    created_at: minutesAgo(5),
    started_at: minutesAgo(5),
    last_active_at: minutesAgo(3),
    last_updated: minutesAgo(3),
    ...more,
  };
}

/** The id of the capsule with a number. */
export const idOf = (number: number): string =>
  `sb-${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** A capsule with a number; a higher number is older. */
export function numbered(number: number, more: Partial<Sandbox> = {}): Sandbox {
  const created = minutesAgo(number + 1);
  return sandbox({ id: idOf(number), created_at: created, started_at: created, ...more });
}

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

/** Two teams, one person, and nothing that the person has made. */
export function db(more: Partial<Db> = {}): Db {
  const ada = member(USER, 'Ada Lovelace', {
    email: 'ada@example.com',
    role: 'owner',
    joined_at: minutesAgo(130_000),
  });
  return {
    me: {
      user_id: USER,
      name: 'Ada Lovelace',
      email: 'ada@example.com',
      is_admin: false,
      team_id: ATLAS,
      has_password: true,
      providers: [],
    },
    password: 'correct horse',
    teams: [team(ATLAS, 'Atlas', 'owner'), team(BOREAS, 'Boreas', 'member')],
    members: { [ATLAS]: [ada] },
    sandboxes: [],
    keys: [],
    audit: [],
    tokenEnd: 4_000_000_000,
    logins: [
      {
        id: 'ses-00000000-0000-4000-8000-000000000001',
        address: '10.0.0.9',
        client: 'Chromium on Linux',
        created_at: minutesAgo(60),
        last_used_at: minutesAgo(0),
        expires_at: minutesAgo(-300),
        current: true,
      },
    ],
    info: { version: '0.1.0', sign_up: 'invitation', mail: false, providers: [] },
    limits: {
      sandboxes: { used: 0, max: 20 },
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
    },
    found: [],
    holders: [],
    processes: [{ pid: 412, cmd: '/bin/bash' }],
    ports: { ports: [] },
    disk: disk(),
    shells: new Shells(),
    allTeams: [],
    quotas: {},
    allUsers: [],
    allSandboxes: [],
    tasks: [],
    hosts: [],
    hostSandboxes: {},
    quarantine: {},
    notReady: undefined,
    failures: {},
    streams: new Set(),
    delay: 0,
    requests: [],
    asked: [],
    ...more,
  };
}
