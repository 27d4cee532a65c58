/** What the page of the system says about the platform. */
import { CallError, words } from '#lib/api/errors.ts';
import { duration, plural } from '#lib/components/time.ts';
import type { Schemas } from '#lib/api/types.ts';
import type { Loaded } from '#lib/state/latest.svelte.ts';

export type Task = Schemas['AdminTask'];

export interface System {
  info: Loaded<Schemas['PlatformInfo']>;
  health: Loaded<Schemas['Health']>;
  tasks: Loaded<readonly Task[]>;
}

/** The work of each periodic task of `crates/locule-control/src/background.rs`. An unknown one has its own name alone. */
const WORK: Record<string, string> = {
  'host monitor': 'Marks silent hosts and their capsules, and pauses what drained hosts run',
  'host links': 'Reads the addresses of all hosts',
  'sandbox sweep': 'Moves every capsule towards its wanted state',
  revocation: 'Closes connections whose right has ended',
  'credential use': 'Writes when keys and logins were last used',
  retention: 'Deletes what has passed its time',
  jobs: 'Runs jobs that wait, such as mails',
};

export const workOf = (task: Task): string => WORK[task.name] ?? '';

/** The name of a task as a row shows it. */
export const nameOf = (task: Task): string => task.name.charAt(0).toUpperCase() + task.name.slice(1);

export type TaskState = 'success' | 'failed' | 'running' | 'late' | 'pending';

/** A pass that began so many periods ago and has no successor is late. A short period has a minute of patience. */
const PERIODS = 3;
const PATIENCE = 60_000;

export function stateOf(task: Task, now: number): TaskState {
  const started = Date.parse(task.last_started_at ?? '');
  if (Number.isNaN(started)) return 'pending';
  const finished = Date.parse(task.last_finished_at ?? '');
  if (now - started > Math.max(PERIODS * task.period_sec * 1000, PATIENCE)) return 'late';
  if (Number.isNaN(finished) || finished < started) return 'running';
  return task.last_error ? 'failed' : 'success';
}

/** The pause between two passes of a task. */
export const periodOf = (task: Task): string => `every ${duration(task.period_sec * 1000)}`;

/** How the tasks are, in one sentence. */
export function summary(tasks: readonly Task[], now: number): { status: string; text: string } {
  const states = tasks.map((task) => stateOf(task, now));
  const bad = states.filter((state) => state === 'failed' || state === 'late').length;
  if (bad > 0) return { status: 'failed', text: `${plural(bad, 'task')} failed or late` };
  return { status: 'success', text: `${plural(tasks.length, 'task')} on time` };
}

export interface Fact {
  label: string;
  value: string;
  note?: string;
}

const SIGN_UP: Record<string, string> = {
  open: 'Everybody',
  invitation: 'Invited people only',
  closed: 'Nobody',
};

export function facts(info: Schemas['PlatformInfo']): Fact[] {
  const accelerators: Record<string, Fact> = {
    kvm: { label: 'Accelerator', value: 'KVM' },
    tcg: {
      label: 'Accelerator',
      value: 'TCG (emulation)',
      note: 'For development and trusted code only: emulation is no security boundary.',
    },
  };
  return [
    { label: 'Version', value: info.version },
    info.accelerator
      ? (accelerators[info.accelerator] ?? { label: 'Accelerator', value: info.accelerator })
      : { label: 'Accelerator', value: 'Unknown', note: 'No host answers.' },
    { label: 'Address', value: info.url ?? 'Not set' },
    info.sandbox_domain
      ? { label: 'Domain of ports', value: info.sandbox_domain }
      : { label: 'Domain of ports', value: 'Not set', note: 'Ports open at loopback names only.' },
    { label: 'Sign-up', value: SIGN_UP[info.sign_up] ?? info.sign_up },
    {
      label: 'Sign-in',
      value: ['Password', ...info.providers.map((one) => (one === 'github' ? 'GitHub' : one))].join(', '),
    },
    info.mail
      ? { label: 'Mail', value: 'On' }
      : {
          label: 'Mail',
          value: 'Off',
          note: 'A forgotten password cannot be reset; invitations are passed on by hand.',
        },
  ];
}

/** Whether capsules can be made, and if not, why. */
export function healthWords(health: System['health']): { status: string; word: string; text: string } {
  if (health.value) return { status: 'online', word: 'ready', text: 'Capsules can be made.' };
  const { failure } = health;
  const notReady = failure instanceof CallError && failure.code === 'not_ready';
  return notReady
    ? { status: 'failed', word: 'not ready', text: `No capsule can be made: ${failure.message}.` }
    : { status: 'unreachable', word: 'unknown', text: words(failure) };
}

/** A part that failed to load shows what was known of it before, beside the failure. */
export function kept(before: System | undefined, now: System): System {
  return {
    info: { ...now.info, value: now.info.value ?? before?.info.value },
    // An old answer about the health says nothing about now.
    health: now.health,
    tasks: { ...now.tasks, value: now.tasks.value ?? before?.tasks.value },
  };
}
