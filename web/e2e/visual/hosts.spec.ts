import { ATLAS, type Db, minutesAgo, team } from '../../mocks/db.ts';
import { addHost, hostId, hostOf, pendingHost } from '../../mocks/hosts.ts';
import type { SandboxStatus } from '../../src/lib/api/types.ts';
import { administration } from './data.ts';
import { OVER, scene } from './pictures.ts';

const BYOC = { type: 'byoc', team_id: ATLAS, team_name: 'Atlas' } as const;
const short = (number: number) => hostId(number).slice(0, 13);
const states = (running: number, paused: number): SandboxStatus[] => [
  ...Array.from({ length: running }, () => 'running' as const),
  ...Array.from({ length: paused }, () => 'paused' as const),
];

/** A team with hosts in every state. */
function own(db: Db): void {
  db.teams = [team(ATLAS, 'Atlas', 'owner', { is_byoc: true })];
  addHost(db, hostOf(1, { ...BYOC, reserved_memory_mb: 40_000 }), states(9, 3)).reserved_memory_mb = 40_000;
  addHost(db, hostOf(2, { ...BYOC, provider: 'rack 4', availability_zone: 'second floor, on the left' }), [
    'running',
  ]).reserved_memory_mb = 62_000;
  addHost(db, hostOf(3, { ...BYOC, cordoned: true, drain: 'wait' }), states(2, 31));
  addHost(
    db,
    hostOf(4, {
      ...BYOC,
      status: 'unreachable',
      last_heartbeat_at: minutesAgo(9),
      address: 'compute-04.rack.example:50051',
    }),
    ['missing', 'paused'],
  );
  addHost(db, pendingHost(5, { ...BYOC, created_at: minutesAgo(3) }));
}

function all(db: Db): void {
  administration(db);
  db.allSandboxes = [];
  addHost(db, hostOf(1), states(9, 3)).reserved_memory_mb = 40_000;
  addHost(db, hostOf(2, { availability_zone: 'eu2' }), states(71, 14)).reserved_memory_mb = 63_000;
  addHost(db, hostOf(3, { cordoned: true }), states(0, 6));
  addHost(db, hostOf(4, { status: 'unreachable', last_heartbeat_at: minutesAgo(9) }), ['missing']);
  addHost(db, pendingHost(5, { created_at: minutesAgo(3) }));
  const chemistry = {
    team_id: 'team-55555555-5555-4555-8555-555555555555',
    team_name: 'Computational chemistry, second floor',
  };
  addHost(db, hostOf(6, { ...BYOC, ...chemistry }), states(20, 2)).reserved_memory_mb = 20_000;
  addHost(db, hostOf(7, { ...BYOC, ...chemistry, provider: 'rack 4' }), states(3, 1));
  addHost(db, hostOf(8, BYOC), states(1, 0));
}

scene('hosts', {
  path: '/dashboard/byoc',
  given: own,
  forced: true,
  show: (page) => page.getByText(short(1)).first().waitFor(),
});

scene('hosts-loading', {
  path: '/dashboard/byoc',
  given: (db) => {
    own(db);
    db.failures['GET /v1/hosts'] = 'hang';
  },
  show: async (page) => {
    await page.clock.runFor(200);
    await page.getByRole('main').getByRole('status', { name: 'Loading' }).waitFor();
  },
});

scene('hosts-none', {
  path: '/dashboard/byoc',
  given: (db) => {
    db.teams = [team(ATLAS, 'Atlas', 'owner', { is_byoc: true })];
  },
  show: (page) => page.getByRole('button', { name: 'Register host' }).waitFor(),
});

scene('hosts-member', {
  path: '/dashboard/byoc',
  given: (db) => {
    own(db);
    db.teams = [team(ATLAS, 'Atlas', 'member', { is_byoc: true })];
  },
  show: (page) => page.getByText(short(1)).first().waitFor(),
});

scene('hosts-none-member', {
  path: '/dashboard/byoc',
  given: (db) => {
    db.teams = [team(ATLAS, 'Atlas', 'member', { is_byoc: true })];
  },
  show: (page) => page.getByText('Ask Ada Lovelace').waitFor(),
});

scene('hosts-register', {
  path: '/dashboard/byoc',
  widths: OVER,
  given: own,
  show: async (page) => {
    await page.getByRole('button', { name: 'Register host' }).click();
    await page.getByLabel('Provider').fill('hetzner');
  },
});

scene('hosts-command', {
  path: '/dashboard/byoc',
  widths: OVER,
  given: own,
  show: async (page) => {
    await page.getByRole('button', { name: 'Register host' }).click();
    await page.getByRole('button', { name: 'Make the command' }).click();
    await page.getByText('has sent no heartbeat yet').waitFor();
  },
});

scene('hosts-menu', {
  path: '/dashboard/byoc',
  given: own,
  widths: OVER,
  show: (page) => page.getByText(short(1)).first().waitFor(),
  again: async (page) => {
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: `Actions for ${short(5)}` }).click();
    await page.getByRole('menu').waitFor();
  },
});

const opened =
  (item: string, number: number) => async (page: Parameters<Parameters<typeof scene>[1]['show']>[0]) => {
    await page.getByRole('button', { name: `Actions for ${short(number)}` }).click();
    await page.getByRole('menuitem', { name: item }).click();
  };

scene('hosts-drain', {
  path: '/dashboard/byoc',
  widths: OVER,
  given: own,
  show: async (page) => {
    await opened('Drain…', 1)(page);
    await page.getByText('9 run and are paused').waitFor();
  },
});

scene('hosts-delete', {
  path: '/dashboard/byoc',
  widths: OVER,
  given: own,
  show: async (page) => {
    await opened('Delete…', 3)(page);
    await page.getByLabel('Type force').waitFor();
  },
});

scene('host', {
  path: `/dashboard/byoc/${hostId(3)}`,
  given: own,
  show: (page) => page.getByText('2 run, 31 are paused').waitFor(),
});

scene('host-pending', {
  path: `/dashboard/byoc/${hostId(5)}`,
  given: own,
  show: (page) => page.getByText('The host has none.').waitFor(),
});

scene('admin-hosts', {
  path: '/admin/hosts',
  given: all,
  show: (page) => page.getByText(short(1)).first().waitFor(),
});

scene('admin-hosts-byoc', {
  path: '/admin/hosts?tab=byoc',
  given: all,
  show: (page) => page.getByText('Computational chemistry').first().waitFor(),
});

scene('admin-hosts-none', {
  path: '/admin/hosts',
  given: administration,
  show: (page) => page.getByText('locule host add').waitFor(),
});

scene('admin-host', {
  path: `/admin/hosts/${hostId(1)}`,
  given: all,
  show: (page) => page.getByText('9 run, 3 are paused').waitFor(),
});

scene('admin-host-missing', {
  path: `/admin/hosts/${hostId(77)}`,
  given: all,
  allowed: /404/,
  show: (page) => page.getByRole('heading', { name: 'No such host' }).waitFor(),
});
