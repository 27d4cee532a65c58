/**
 * What can be done with a capsule. Mirrors `crates/locule-domain/src/sandbox.rs` (states) and `crates/locule-control/src/sandboxes/`
 * (`pause.rs`, `resume.rs`, `destroy.rs`): every member of the team may do all of it.
 */
import type { Sandbox, SandboxStatus } from '#lib/api/types.ts';
import type { Doing } from '#lib/state/sandboxes.svelte.ts';

export type SandboxAct = 'terminal' | 'pause' | 'resume' | 'destroy';
export type Answer = { ok: true } | { ok: false; why: string };

export const hasEnded = (status: SandboxStatus): boolean => status === 'stopped' || status === 'error';

/** The acts that a menu offers in a state. */
export function actsOf(status: SandboxStatus): SandboxAct[] {
  if (status === 'running') return ['terminal', 'pause', 'destroy'];
  if (status === 'paused') return ['resume', 'destroy'];
  return hasEnded(status) ? [] : ['destroy'];
}

/** What the page knows of the moment. */
export interface Moment {
  /** Whether the platform does not answer. */
  lost: boolean;
  doing?: Doing | undefined;
}

const REFUSALS: Record<Exclude<SandboxAct, 'destroy'>, string> = {
  terminal: 'A terminal needs a running capsule',
  pause: 'Only a running capsule can be paused',
  resume: 'Only a paused capsule can be resumed',
};

export function sandboxCan(act: SandboxAct, sandbox: Sandbox, moment: Moment): Answer {
  if (moment.lost) return { ok: false, why: 'The platform does not answer' };
  if (hasEnded(sandbox.status)) return { ok: false, why: 'The capsule has ended' };
  const doing = doingOf(sandbox, moment.doing);
  if (doing === 'destroying') return { ok: false, why: 'The capsule is being destroyed' };
  if (act === 'destroy') return { ok: true };
  if (doing) return { ok: false, why: `The capsule is ${doing}` };
  return actsOf(sandbox.status).includes(act) ? { ok: true } : { ok: false, why: REFUSALS[act] };
}

/** The reason against, or `undefined`: as buttons take it. */
export function whyNot(act: SandboxAct, sandbox: Sandbox, moment: Moment): string | undefined {
  const answer = sandboxCan(act, sandbox, moment);
  return answer.ok ? undefined : answer.why;
}

/** What happens with a capsule: what this page asked for, or what the platform says that it works towards. */
export function doingOf(sandbox: Sandbox, asked?: Doing | undefined): Doing | undefined {
  if (asked) return asked;
  if (hasEnded(sandbox.status)) return undefined;
  if (sandbox.desired === 'gone') return 'destroying';
  if (sandbox.desired === 'paused' && sandbox.status === 'running') return 'pausing';
  if (sandbox.desired === 'running' && sandbox.status === 'paused') return 'resuming';
  return undefined;
}

/** Whether the state will change by itself soon, so that the page looks again soon. */
export function inTransition(sandbox: Sandbox, asked?: Doing | undefined): boolean {
  return (
    doingOf(sandbox, asked) !== undefined || sandbox.status === 'pending' || sandbox.status === 'starting'
  );
}

/** Why no capsule can be launched. Mirrors `no_team` of `crates/locule-control/src/sandboxes/create.rs`. */
export function whyNoLaunch(team: boolean, lost: boolean): string | undefined {
  if (!team) return 'Capsules belong to a team: make one in the side bar first';
  return lost ? 'The platform does not answer' : undefined;
}

/** Whether labels, times and reach can be changed. Mirrors `crates/locule-control/src/sandboxes/update.rs`. */
export function canChange(sandbox: Sandbox, lost: boolean): Answer {
  if (lost) return { ok: false, why: 'The platform does not answer' };
  if (sandbox.status === 'running' || sandbox.status === 'paused') return { ok: true };
  return { ok: false, why: 'Only a running or paused capsule can be changed' };
}
