/** Words about hosts. */
import type { Schemas } from '#lib/api/types.ts';
import { shortId } from '#lib/components/capsule/words.ts';
import { duration, mebibytes, plural } from '#lib/components/time.ts';

type Always = 'cordoned' | 'running_sandboxes' | 'paused_sandboxes' | 'reserved_memory_mb';
/** A host with what an earlier platform leaves out: see `whole` in calls.ts. */
export type Host = Schemas['Host'] & Required<Pick<Schemas['Host'], Always>>;
export type HostSandbox = Schemas['HostSandbox'];
/** A capsule that a host holds and that is not in the database. */
export type Quarantined = Schemas['QuarantinedSandbox'];
/** The address and the hash are those of the listener for hosts on other machines, if the platform has one. */
export type CreatedHost = Omit<Schemas['CreatedHost'], 'ca_hash'> & {
  hosts_url?: string | null | undefined;
  ca_hash?: string | null | undefined;
};
export type NewHost = Schemas['CreateHostRequest'];
/** What becomes of the capsules that run on a host that is drained. */
export type Running = 'pause' | 'wait';

/** The state of a host as its badge has it. */
export function stateOf(host: Host): { status: string; label: string } {
  if (host.status === 'pending') return { status: 'awaited', label: 'pending' };
  if (host.status !== 'online') return { status: host.status, label: host.status };
  if (host.drain && host.running_sandboxes > 0) return { status: 'draining', label: 'draining' };
  if (host.drain) return { status: 'cordoned', label: 'drained' };
  if (host.cordoned) return { status: 'cordoned', label: 'cordoned' };
  return { status: 'online', label: 'online' };
}

/** The counts beside the heading. A count of none is left out, but for the hosts that are online. */
export function pillsOf(hosts: readonly Host[]): { status: string; text: string }[] {
  const count = (status: Host['status']) => hosts.filter((host) => host.status === status).length;
  const away = count('unreachable');
  const pending = count('pending');
  return [
    { status: count('online') > 0 ? 'online' : 'stopped', text: `${count('online')} online` },
    ...(away > 0 ? [{ status: 'unreachable', text: `${away} away` }] : []),
    ...(pending > 0 ? [{ status: 'awaited', text: `${pending} pending` }] : []),
  ];
}

/** What the machine is, in a line below its id. */
export function machineOf(host: Host): string {
  const parts = [
    host.provider,
    host.cpu_cores ? plural(host.cpu_cores, 'core') : undefined,
    host.memory_mb ? mebibytes(host.memory_mb) : undefined,
  ];
  return parts.filter((part) => part).join(' · ');
}

/** The part of a host's memory that its capsules may use. `undefined`: the host has not said how much it has. */
export function loadOf(host: Host): number | undefined {
  if (!host.memory_mb) return undefined;
  return Math.min(1, host.reserved_memory_mb / host.memory_mb);
}

export const percent = (part: number): string => `${Math.round(part * 100)} %`;

export interface Counts {
  all: number;
  /** Those that run, or are about to. */
  running: number;
  paused: number;
  /** Those of which the host has told nothing of late. */
  missing: number;
}

export function countsOf(sandboxes: readonly Pick<HostSandbox, 'status'>[]): Counts {
  const of = (...statuses: HostSandbox['status'][]) =>
    sandboxes.filter(({ status }) => statuses.includes(status)).length;
  return {
    all: sandboxes.length,
    running: of('pending', 'starting', 'running'),
    paused: of('paused'),
    missing: of('missing'),
  };
}

const verb = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;

/** `9 run, 3 are paused`. Empty when there are none. */
export function countWords({ running, paused, missing }: Counts): string {
  const parts = [
    running > 0 ? verb(running, 'runs', 'run') : '',
    paused > 0 ? verb(paused, 'is paused', 'are paused') : '',
    missing > 0 ? verb(missing, 'is missing', 'are missing') : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** What a drain will do with the capsules that the host has now. */
export function drainWords(sandboxes: readonly Pick<HostSandbox, 'status'>[], then: Running): string {
  const { all, running, paused, missing } = countsOf(sandboxes);
  if (all === 0) return 'The host has no capsule: the drain ends at once.';
  const run =
    then === 'pause'
      ? verb(running, 'runs and is paused', 'run and are paused')
      : verb(running, 'runs on until it ends', 'run on until they end');
  const parts = [
    running > 0 ? run : '',
    paused > 0 ? verb(paused, 'is paused and stays', 'are paused and stay') : '',
    missing > 0 ? verb(missing, 'is missing and stays', 'are missing and stay') : '',
  ];
  return `${plural(all, 'capsule')}: ${parts.filter((part) => part !== '').join(', ')}.`;
}

/** What is lost with a host. */
export function deleteWords(sandboxes: readonly Pick<HostSandbox, 'status'>[]): string {
  const counts = countsOf(sandboxes);
  if (counts.all === 0) return 'The host has no capsule. Its agent is told to stop.';
  const gone = 'memory and disks are gone for good';
  return `${plural(counts.all, 'capsule')} ${counts.all === 1 ? 'is' : 'are'} destroyed with it (${countWords(counts)}): ${gone}.`;
}

/** Stands in the command where the machine's own address belongs. */
export const ADDRESS = 'ADDRESS:50051';

/** The command that makes a machine a host. It is shown once, with its token. */
export function commandOf(created: CreatedHost, origin: string): string {
  return [
    'locule agent',
    `--server ${created.hosts_url ?? origin}`,
    ...(created.ca_hash ? [`--ca-hash ${created.ca_hash}`] : []),
    `--register ${created.registration_token}`,
    `--address ${ADDRESS}`,
  ].join(' \\\n  ');
}

export interface Group {
  id: string;
  name: string;
  /** The hosts of the team, on all pages. */
  count: number;
  hosts: readonly Host[];
}

/** The hosts of teams on a page of `size`: the team with the most hosts first. A team can go on on the next page. */
export function grouped(
  hosts: readonly Host[],
  page: number,
  size: number,
): { groups: Group[]; pages: number } {
  const teams = new Map<string, Host[]>();
  for (const host of hosts) {
    const id = host.team_id ?? '';
    teams.set(id, [...(teams.get(id) ?? []), host]);
  }
  const nameOf = (of: readonly Host[]) => of[0]?.team_name ?? shortId(of[0]?.team_id ?? '');
  const ordered = [...teams].sort(
    ([, a], [, b]) => b.length - a.length || nameOf(a).localeCompare(nameOf(b)),
  );
  const first = (page - 1) * size;
  const groups: Group[] = [];
  let before = 0;
  for (const [id, all] of ordered) {
    const shown = all.slice(Math.max(0, first - before), Math.max(0, first + size - before));
    before += all.length;
    if (shown.length > 0) groups.push({ id, name: nameOf(all), count: all.length, hosts: shown });
  }
  return { groups, pages: Math.max(1, Math.ceil(hosts.length / size)) };
}

/** What the page of a host shows. */
export interface HostParts {
  host: Host;
  sandboxes: readonly HostSandbox[] | undefined;
  /** Why the capsules did not load. */
  failure: unknown;
  /** Empty, too, where the agent of the host cannot be reached. */
  quarantine: readonly Quarantined[];
}

/** How many capsules are on a host without a record, and what becomes of them. */
export function quarantineWords(count: number): string {
  return count === 1
    ? 'A capsule on this host is not in the database. It is paused and kept until it is imported.'
    : `${count} capsules on this host are not in the database. They are paused and kept until they are imported.`;
}

/** What a host is for, and in which state, in a sentence. */
export function hostWords(host: Host, now: number): string {
  const of = host.type === 'byoc' ? `a host of ${host.team_name ?? 'a team'}` : 'a host of the platform';
  const as = `It is ${of}`;
  if (host.status === 'pending') return `${as} that waits for its machine: its command was not run yet.`;
  if (host.status === 'unreachable') {
    const silent = host.last_heartbeat_at ? ` for ${duration(now - Date.parse(host.last_heartbeat_at))}` : '';
    return `${as}, and was not heard of${silent}. Its capsules come back with it.`;
  }
  if (host.drain && host.running_sandboxes > 0)
    return host.drain === 'wait'
      ? `${as} that gets no new capsules, and waits until the ones that run end.`
      : `${as} that gets no new capsules, and pauses the ones that run.`;
  if (host.drain) return `${as} that is drained: nothing runs on it, and it gets no new capsules.`;
  if (host.cordoned) return `${as} that gets no new capsules.`;
  return `${as}, and takes new capsules.`;
}

const ACCELERATORS: Record<string, string> = { kvm: 'KVM', tcg: 'TCG (emulation)' };

/** The lines of the card of facts. What is not known has no line. */
export function factsOf(
  host: Host,
  teams: boolean,
): { label: string; value: string; mono?: boolean; note?: string }[] {
  const lines = [
    { label: 'Team', value: teams ? host.team_name : undefined },
    { label: 'Address', value: host.address, mono: true },
    { label: 'Provider', value: host.provider },
    { label: 'Zone', value: host.availability_zone },
    {
      label: 'Accelerator',
      value: host.accelerator ? (ACCELERATORS[host.accelerator] ?? host.accelerator) : undefined,
      ...(host.accelerator === 'tcg' ? { note: 'Emulation is no security boundary.' } : {}),
    },
    { label: 'Host agent', value: host.agent_version },
  ];
  return lines.flatMap(({ value, ...line }) => (value ? [{ ...line, value }] : []));
}

/** `16 cores, x86_64`: what is known of the processor. */
export function processorOf(host: Host): string {
  const parts = [host.cpu_cores ? plural(host.cpu_cores, 'core') : '', host.arch ?? ''];
  return parts.filter((part) => part !== '').join(', ');
}

/** Whom a member asks for a host. */
export function askWords(managers: readonly string[]): string {
  const names = new Intl.ListFormat('en', { type: 'disjunction' }).format(managers);
  return managers.length === 0
    ? 'An owner or an admin of the team can register one.'
    : `Owners and admins register hosts. Ask ${names}.`;
}
