/** Sentences about capsules. */
import type { Sandbox, TeamLimits } from '#lib/api/types.ts';
import { actor, shortId } from '#lib/components/capsule/words.ts';
import { duration, mebibytes, plural, timeout } from '#lib/components/time.ts';
import { hasEnded } from './can.ts';

export interface Limit {
  kind: 'pauses' | 'ends';
  at: number;
  /** Whether activity moves it. */
  idle: boolean;
}

/** The earlier of the idle timeout and the expiry of a capsule that runs. */
export function nextLimit(sandbox: Sandbox): Limit | undefined {
  const limits: Limit[] = [];
  if (sandbox.status === 'running' && sandbox.timeout_sec > 0) {
    const since = Date.parse(sandbox.last_active_at ?? sandbox.started_at ?? sandbox.created_at);
    limits.push({ kind: 'pauses', at: since + sandbox.timeout_sec * 1000, idle: true });
  }
  if (sandbox.expires_at && !hasEnded(sandbox.status)) {
    const pauses = sandbox.on_timeout === 'pause';
    if (!(pauses && sandbox.status === 'paused'))
      limits.push({ kind: pauses ? 'pauses' : 'ends', at: Date.parse(sandbox.expires_at), idle: false });
  }
  return limits.sort((a, b) => a.at - b.at)[0];
}

/** The clock of a capsule in a few words, for a cell. */
export function clockWords(sandbox: Sandbox, now: number): { text: string; soon: boolean } {
  if (hasEnded(sandbox.status)) return { text: endingWord(sandbox), soon: false };
  if (sandbox.status === 'pending' || sandbox.status === 'starting')
    return { text: 'not started', soon: false };
  const limit = nextLimit(sandbox);
  if (!limit) {
    const words: Record<string, string> = { paused: 'kept', missing: 'not known' };
    return { text: words[sandbox.status] ?? 'no end', soon: false };
  }
  const left = limit.at - now;
  if (left <= 0) return { text: limit.idle ? 'in use' : `${limit.kind} now`, soon: !limit.idle };
  return { text: `${limit.kind} in ${duration(left)}`, soon: left < 60_000 };
}

/** The texts of a row of the list that do not change with the time. */
export function cellsOf(sandbox: Sandbox) {
  const memory = mebibytes(sandbox.memory_mb);
  const idle = timeout(sandbox.timeout_sec);
  return {
    id: shortId(sandbox.id),
    memory,
    timeout: idle,
    /** What stands in columns of its own on a wide screen. */
    more: `${sandbox.vcpus} vCPU · ${memory} · idle timeout ${idle}`,
    by: sandbox.created_by ? actor(sandbox.created_by) : '',
    started: sandbox.started_at ?? sandbox.created_at,
  };
}

const ENDINGS: Record<string, string> = {
  destroyed: 'destroyed',
  expired: 'reached its end',
  guest_shutdown: 'shut itself down',
  vm_lost: 'vanished',
  host_deleted: 'host removed',
  create_failed: 'create failed',
  image_lost: 'memory lost',
};

/** How a capsule ended, in a few words. An unknown reason is its own word. */
export function endingWord(sandbox: Sandbox): string {
  const reason = sandbox.status_reason ?? '';
  return ENDINGS[reason] ?? (reason === '' ? 'ended' : reason.replaceAll('_', ' '));
}

/** Why a capsule does not run: a heading and what that means. */
export function stateWords(sandbox: Sandbox, now: number): { title: string; text: string } | undefined {
  const host = sandbox.host_id ? shortId(sandbox.host_id) : 'its host';
  const since = duration(Math.max(0, now - Date.parse(sandbox.last_updated)));
  const by = sandbox.ended_by ? ` by ${actor(sandbox.ended_by)}` : '';
  switch (sandbox.status) {
    case 'running':
      return undefined;
    case 'pending':
      return { title: 'Waiting for a host', text: 'The platform has not chosen a host for the capsule yet.' };
    case 'starting':
      return { title: 'Starting', text: 'A host makes the microVM. That takes about a second.' };
    case 'missing':
      return {
        title: 'The host does not answer',
        text: `Nothing was heard of the capsule's host for ${since}. If the host returns, so does the capsule.`,
      };
    case 'paused': {
      const reasons: Record<string, string> = {
        idle: `The capsule was idle for ${timeout(sandbox.timeout_sec)}.`,
        expired: 'The capsule reached the end of its time.',
        memory_pressure: 'Its host ran short of memory.',
        host_stopping: 'Its host was shut down in an orderly way.',
        host_drained: 'An operator drains its host. The capsule can be resumed when the drain has ended.',
        control_plane_lost: 'Its host lost the contact with the platform.',
      };
      const reason =
        reasons[sandbox.status_reason ?? ''] ?? 'A member of the team, or a key, paused the capsule.';
      return { title: `Paused ${since} ago`, text: `${reason} Memory and files are kept.` };
    }
    default:
      return { title: `Ended ${since} ago`, text: endingSentence(sandbox, host, by) };
  }
}

function endingSentence(sandbox: Sandbox, host: string, by: string): string {
  switch (sandbox.status_reason) {
    case 'destroyed':
      return `The capsule was destroyed${by}.`;
    case 'expired':
      return 'The capsule reached the end of its time, and was set to end then.';
    case 'guest_shutdown':
      return 'The system inside the capsule powered itself off.';
    case 'vm_lost':
      return `Its microVM vanished from ${host}. Nobody asked for that.`;
    case 'host_deleted':
      return 'Its host was removed from the platform.';
    case 'create_failed':
      return `The capsule never ran: it could not be made on ${host}.`;
    case 'image_lost':
      return `Its saved memory is gone from ${host}. Nobody asked for that.`;
    case null:
    case undefined:
    case '':
      return 'The platform gave no reason.';
    default:
      return `The reason: ${sandbox.status_reason.replaceAll('_', ' ')}.`;
  }
}

/** What will be lost, by number. */
export function lossWords(sandboxes: readonly Sandbox[]): string {
  const running = sandboxes.filter((sandbox) => sandbox.status === 'running').length;
  const paused = sandboxes.filter((sandbox) => sandbox.status === 'paused').length;
  const others = sandboxes.length - running - paused;
  const parts = [
    ...(running > 0 ? [`${running} running`] : []),
    ...(paused > 0 ? [`${paused} paused`] : []),
    ...(others > 0 ? [`${others} in another state`] : []),
  ];
  if (sandboxes.length === 1) return 'Its memory and its disk are gone for good. This cannot be undone.';
  return `${parts.join(', ')}: their memory and disks are gone for good. This cannot be undone.`;
}

export interface Result {
  done: number;
  failures: readonly string[];
}

/** What became of an act on several capsules. */
export function bulkWords(verb: 'Paused' | 'Resumed' | 'Destroyed', result: Result): string {
  const done = `${verb} ${plural(result.done, 'capsule')}.`;
  if (result.failures.length === 0) return done;
  const count = result.failures.length;
  const failed = `${plural(count, 'capsule')} failed and ${count === 1 ? 'stays' : 'stay'} selected: ${result.failures[0] ?? ''}`;
  return result.done === 0 ? failed : `${done} ${failed}`;
}

/** What the team uses of its limits. */
export function limitWords(team: string, limits: TeamLimits): string {
  const { sandboxes, vcpus, memory_mb: memory } = limits;
  return `${team} runs ${sandboxes.used} of ${plural(sandboxes.max, 'capsule')}, with ${vcpus.used} of ${vcpus.max} vCPU and ${mebibytes(memory.used)} of ${mebibytes(memory.max)} memory.`;
}
