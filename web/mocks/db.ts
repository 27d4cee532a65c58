/** The data of a platform that does not exist, typed by the API. A scenario fills it. */
import type { ApiKey, AuditEntry, Me, Member, Sandbox, Schemas, TeamWithRole } from '../src/lib/api/types.ts';

/** The time at which every scenario plays. */
export const NOW = Date.parse('2026-11-14T14:32:00Z');

export const minutesAgo = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString();

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
  logins: Schemas['LoginSession'][];
  /** What the installation offers to people without a login. */
  info: Schemas['PlatformInfo'];
  /** The accounts that a search finds. */
  found: Schemas['FoundUser'][];
  /** What administrators of the platform see. */
  allTeams: Schemas['AdminTeam'][];
  allUsers: Schemas['AdminUser'][];
  allSandboxes: Schemas['AdminSandbox'][];
  tasks: Schemas['AdminTask'][];
  /** Why no capsule can be made. */
  notReady: string | undefined;
  /** Answers for `METHOD /path` instead of the usual ones: a status with a code, or `hang`. */
  failures: Record<string, { status: number; code: string; message: string } | 'hang' | 'lost'>;
  /** Every request that was answered, `METHOD /path`. */
  requests: string[];
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
    timeout_sec: 900,
    created_at: minutesAgo(5),
    started_at: minutesAgo(5),
    last_active_at: minutesAgo(3),
    last_updated: minutesAgo(3),
    ...more,
  } as Sandbox;
}

export function db(more: Partial<Db> = {}): Db {
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
    members: {
      [ATLAS]: [
        {
          user_id: USER,
          name: 'Ada Lovelace',
          email: 'ada@example.com',
          verified: true,
          role: 'owner',
          status: 'active',
          joined_at: minutesAgo(130_000),
        },
      ],
    },
    sandboxes: [],
    keys: [],
    audit: [],
    tokenEnd: 4_000_000_000,
    logins: [],
    info: { version: '0.1.0', sign_up: 'invitation', mail: false, providers: [] },
    found: [],
    allTeams: [],
    allUsers: [],
    allSandboxes: [],
    tasks: [],
    notReady: undefined,
    failures: {},
    requests: [],
    ...more,
  };
}
