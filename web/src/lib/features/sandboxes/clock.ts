/** The clock of a capsule in words: what will pause or end the capsule, when, and what holds it awake. */
import type { Sandbox, SandboxClock, Schemas } from '#lib/api/types.ts';
import { plural } from '#lib/components/time.ts';

export interface Clock {
  /** Milliseconds until the idle pause. Absent when something holds the capsule awake, or nothing pauses it. */
  idleLeft: number | undefined;
  /** The part of the idle timeout that is left, 0 to 1. */
  idlePart: number;
  held: string[];
  endsAt: number | undefined;
  pausesAtEnd: boolean;
}

export function clockOf(sandbox: Sandbox, answer: SandboxClock | undefined, now: number): Clock {
  const ends = answer ? answer.expires_at : sandbox.expires_at;
  const clock: Clock = {
    idleLeft: undefined,
    idlePart: 0,
    held: (answer?.held_by ?? []).map(holderWords),
    endsAt: ends ? Date.parse(ends) : undefined,
    pausesAtEnd: (answer?.on_timeout ?? sandbox.on_timeout) === 'pause',
  };
  if (sandbox.status !== 'running' || sandbox.timeout_sec === 0 || clock.held.length > 0) return clock;
  const whole = sandbox.timeout_sec * 1000;
  const since =
    answer?.idle?.last_active_at ?? sandbox.last_active_at ?? sandbox.started_at ?? sandbox.created_at;
  const at = answer?.idle?.pauses_at ? Date.parse(answer.idle.pauses_at) : Date.parse(since) + whole;
  clock.idleLeft = Math.min(whole, Math.max(0, at - now));
  clock.idlePart = clock.idleLeft / whole;
  return clock;
}

/** What holds a capsule awake. The tag is a text of a client. */
export function holderWords(
  holder: Pick<Schemas['Holder'], 'pid' | 'tag' | 'port'> & { kind: string; count?: number },
): string {
  const pid = holder.pid ? ` (pid ${holder.pid})` : '';
  const tag = holder.tag ? ` ${holder.tag}` : '';
  const count = holder.count ?? 1;
  switch (holder.kind) {
    case 'terminal':
      return count > 1 ? plural(count, 'terminal') : `a terminal${tag}${pid}`;
    case 'command':
      return count > 1 ? plural(count, 'command') : `a command that runs${tag}${pid}`;
    case 'process_stream':
      return count > 1
        ? plural(count, 'reader of processes', 'readers of processes')
        : `a reader of a process${tag}${pid}`;
    case 'transfer':
      return count > 1 ? plural(count, 'transfer of files', 'transfers of files') : 'a transfer of a file';
    case 'port':
      return count > 1
        ? plural(count, 'connection to its ports', 'connections to its ports')
        : holder.port
          ? `a connection to port ${holder.port}`
          : 'a connection to a port';
    case 'call':
      return count > 1 ? plural(count, 'request') : 'a request';
    default:
      return `${holder.kind.replaceAll('_', ' ')}${tag}${pid}`;
  }
}
