import { expect, test } from 'vitest';
import { managesHosts, whyNoHost, whyNotCordon } from './can.ts';
import { parse, print } from './query.ts';
import { samples } from './samples.ts';
import { cellsByHost, cellWords, fillOf } from './strip.ts';
import {
  askWords,
  commandOf,
  type CreatedHost,
  deleteWords,
  drainWords,
  factsOf,
  grouped,
  type Host,
  type HostSandbox,
  hostWords,
  loadOf,
  machineOf,
  processorOf,
  pillsOf,
  stateOf,
} from './words.ts';

const NOW = Date.parse('2026-11-29T12:00:00Z');

const host = (more: Partial<Host> = {}): Host => ({
  id: 'host-7f3a91c2-0000-4000-8000-000000000000',
  type: 'regular',
  status: 'online',
  cordoned: false,
  running_sandboxes: 9,
  paused_sandboxes: 3,
  reserved_memory_mb: 40_000,
  created_at: '2026-11-28T12:00:00Z',
  updated_at: '2026-11-28T12:00:00Z',
  ...more,
});

const sandboxes = (...statuses: HostSandbox['status'][]) => statuses.map((status) => ({ status }));
const many = (count: number, status: HostSandbox['status']) =>
  Array.from({ length: count }, () => ({ status }));

test('a host shows the state that counts most', () => {
  expect(stateOf(host()).label).toBe('online');
  expect(stateOf(host({ cordoned: true })).label).toBe('cordoned');
  expect(stateOf(host({ cordoned: true, drain: 'wait' })).label).toBe('draining');
  expect(stateOf(host({ cordoned: true, drain: 'pause', running_sandboxes: 0 })).label).toBe('drained');
  expect(stateOf(host({ cordoned: true, status: 'unreachable' })).label).toBe('unreachable');
  // The status `pending` of a capsule turns; a host that waits for its machine does nothing.
  expect(stateOf(host({ status: 'pending' }))).toEqual({ status: 'awaited', label: 'pending' });
});

test('the pills count the hosts by state, and leave out what is none', () => {
  const texts = (...hosts: Host[]) => pillsOf(hosts).map(({ text }) => text);
  expect(texts(host(), host({ cordoned: true }), host({ status: 'unreachable' }))).toEqual([
    '2 online',
    '1 away',
  ]);
  expect(texts(host({ status: 'pending' }))).toEqual(['0 online', '1 pending']);
});

test('a drain says beforehand what it will do', () => {
  const twelve = [...many(9, 'running'), ...many(3, 'paused')];
  expect(drainWords(twelve, 'pause')).toBe('12 capsules: 9 run and are paused, 3 are paused and stay.');
  expect(drainWords(twelve, 'wait')).toBe('12 capsules: 9 run on until they end, 3 are paused and stay.');
  expect(drainWords(sandboxes('running'), 'pause')).toBe('1 capsule: 1 runs and is paused.');
  expect(drainWords(sandboxes('starting', 'missing'), 'wait')).toBe(
    '2 capsules: 1 runs on until it ends, 1 is missing and stays.',
  );
  expect(drainWords([], 'pause')).toContain('no capsule');
});

test('the deletion of a host counts what is lost, paused capsules apart', () => {
  expect(deleteWords(sandboxes('running', 'running', 'paused'))).toBe(
    '3 capsules are destroyed with it (2 run, 1 is paused): memory and disks are gone for good.',
  );
  expect(deleteWords(sandboxes('paused'))).toContain('1 capsule is destroyed with it (1 is paused)');
  expect(deleteWords([])).not.toContain('destroyed');
});

test('the command has the address and the hash of the platform where hosts reach it', () => {
  const created: CreatedHost = { host: host(), registration_token: 'reg_abc' };
  expect(commandOf(created, 'http://127.0.0.1:8000')).toBe(
    'locule agent \\\n  --server http://127.0.0.1:8000 \\\n  --register reg_abc \\\n  --address ADDRESS:50051',
  );
  const remote = { ...created, hosts_url: 'https://hosts.example:8443', ca_hash: 'sha256:ab' };
  expect(commandOf(remote, 'http://127.0.0.1:8000')).toContain(
    '--server https://hosts.example:8443 \\\n  --ca-hash sha256:ab \\\n',
  );
});

test('hosts of teams stand under their teams, the team with the most hosts first, a page at a time', () => {
  const of = (team: string, count: number) =>
    Array.from({ length: count }, (_, index) =>
      host({ id: `host-${team}${index}`, team_id: `team-${team}`, team_name: team }),
    );
  const hosts = [...of('Boreas', 2), ...of('Atlas', 2), ...of('Gaia', 3)];
  const first = grouped(hosts, 1, 4);
  expect(first.pages).toBe(2);
  expect(first.groups.map(({ name, count, hosts: shown }) => [name, count, shown.length])).toEqual([
    ['Gaia', 3, 3],
    ['Atlas', 2, 1],
  ]);
  const second = grouped(hosts, 2, 4).groups;
  expect(second.map(({ name, hosts: shown }) => [name, shown.length])).toEqual([
    ['Atlas', 1],
    ['Boreas', 2],
  ]);
  expect(second[0]?.hosts[0]?.id).toBe('host-Atlas1');
  expect(grouped(hosts, 3, 4).groups).toEqual([]);
  expect(grouped([], 1, 4)).toEqual({ groups: [], pages: 1 });
});

test('a load is known when the machine has told its memory', () => {
  expect(loadOf(host())).toBeUndefined();
  expect(loadOf(host({ memory_mb: 80_000 }))).toBe(0.5);
  expect(loadOf(host({ memory_mb: 20_000 }))).toBe(1);
});

test('what is not known of a host is left out', () => {
  expect(machineOf(host())).toBe('');
  expect(machineOf(host({ provider: 'hetzner', cpu_cores: 1, memory_mb: 1024 }))).toBe(
    'hetzner · 1 core · 1 GB',
  );
  expect(processorOf(host())).toBe('');
  expect(processorOf(host({ cpu_cores: 16, arch: 'x86_64' }))).toBe('16 cores, x86_64');
  expect(factsOf(host(), true)).toEqual([]);
  expect(factsOf(host({ accelerator: 'tcg', team_name: 'Atlas' }), true).map(({ value }) => value)).toEqual([
    'Atlas',
    'TCG (emulation)',
  ]);
  expect(factsOf(host({ team_name: 'Atlas' }), false)).toEqual([]);
});

test('the page of a host says what the host does', () => {
  expect(hostWords(host(), NOW)).toBe('It is a host of the platform, and takes new capsules.');
  expect(hostWords(host({ type: 'byoc', team_name: 'Atlas', cordoned: true }), NOW)).toBe(
    'It is a host of Atlas that gets no new capsules.',
  );
  expect(
    hostWords(host({ status: 'unreachable', last_heartbeat_at: '2026-11-29T11:56:00Z' }), NOW),
  ).toContain('was not heard of for 4 min');
  expect(hostWords(host({ drain: 'wait', cordoned: true }), NOW)).toContain('waits until the ones that run');
  expect(hostWords(host({ drain: 'wait', running_sandboxes: 0 }), NOW)).toContain('nothing runs on it');
});

test('the cells of a strip are those of the host, and a small capsule does not seem empty', () => {
  const one = (id: string, host_id: string | null, memory_mb: number) => ({
    id: `sb-${id}-0000-4000-8000-000000000000`,
    status: 'running' as const,
    memory_mb,
    host_id,
    team: { id: 'team-1', name: 'Atlas' },
  });
  const cells = cellsByHost([
    one('aaaaaaaa', 'host-1', 512),
    one('bbbbbbbb', 'host-1', 8192),
    one('c', null, 1),
  ]);
  expect([...cells.keys()]).toEqual(['host-1']);
  const of = cells.get('host-1') ?? [];
  expect(of.map((cell) => fillOf(cell, of))).toEqual([0.2, 1]);
  expect(of[1] && cellWords(of[1], { memory_mb: 16_384 })).toBe(
    'sb-bbbbbbbb of Atlas: running, 8 GB, 50 % of the memory of its host',
  );
});

test('members look only, and are told whom to ask', () => {
  expect(managesHosts('member')).toBe(false);
  expect(managesHosts('admin') && managesHosts('owner')).toBe(true);
  expect(askWords(['Ada', 'Orion'])).toBe('Owners and admins register hosts. Ask Ada or Orion.');
  expect(askWords([])).toContain('An owner or an admin');
});

test('a host that has not registered can be neither cordoned nor drained', () => {
  expect(whyNotCordon(host({ status: 'pending' }), { lost: false })).toBe('The host has not registered yet');
  expect(whyNotCordon(host({ status: 'unreachable' }), { lost: false })).toBeUndefined();
  expect(whyNotCordon(host(), { lost: true })).toBe(whyNoHost({ lost: true }));
});

test('the address keeps the tab and the page', () => {
  for (const text of ['', '?tab=byoc', '?tab=byoc&page=2'])
    expect(print(parse(new URLSearchParams(text)))).toBe(text);
  expect(parse(new URLSearchParams('tab=moon&page=-1'))).toEqual({ tab: 'platform', page: 1 });
});

test('code quotes what a person has typed', () => {
  const code = samples({ type: 'byoc', provider: "a'; rm -rf /" }, 'http://h');
  expect(code[0]?.code).toBe(`locule host add --provider 'a'\\''; rm -rf /'`);
  expect(code[1]?.code).toContain(`-d '{"type":"byoc","provider":"a'\\''; rm -rf /"}'`);
});
