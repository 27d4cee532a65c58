import { plural } from '#lib/components/time.ts';
import type { Schemas } from '#lib/api/types.ts';

export type AdminTeam = Schemas['AdminTeam'];
export type AdminUser = Schemas['AdminUser'];

/** What ends with a team that an administrator deletes. */
export function teamEnds(team: AdminTeam): string {
  const members = plural(team.member_count, 'member');
  return team.active_sandbox_count === 0
    ? `${members} and every key lose the team. It holds no capsule.`
    : `${members} and every key lose the team. ${plural(team.active_sandbox_count, 'capsule')} ${team.active_sandbox_count === 1 ? 'is' : 'are'} destroyed, with memory and disks.`;
}

/** What stops when an account is disabled: `set_user_active` in `locule-control/src/accounts/admin.rs`. */
export function userStops(user: AdminUser): string {
  const teams =
    user.teams_owned === 0
      ? 'The account owns no team.'
      : `The capsules of the ${user.teams_owned === 1 ? 'team' : `${user.teams_owned} teams`} that the account owns are destroyed.`;
  return `Every login of ${user.name} ends, and every key that ${user.name} made is revoked. ${teams}`;
}

export function disabled(user: AdminUser, left: Schemas['CreatedSandboxes']): string {
  const count = left.sandboxes.length;
  if (count === 0) return `The account of ${user.name} is disabled.`;
  return `The account of ${user.name} is disabled. ${left.has_more ? 'More than ' : ''}${plural(count, 'capsule')} in other teams still ${count === 1 ? 'runs' : 'run'}.`;
}

export const LIMITS = [
  { field: 'sandboxes_max', label: 'Running capsules', unit: '' },
  { field: 'vcpus_max', label: 'vCPU of running capsules', unit: '' },
  { field: 'memory_mb_max', label: 'Memory of running capsules', unit: 'MB' },
  { field: 'paused_sandboxes_max', label: 'Paused capsules', unit: '' },
  { field: 'storage_mb_max', label: 'Disks and saved memory', unit: 'MB' },
  { field: 'creates_per_minute_max', label: 'Launches a minute', unit: '' },
] as const satisfies readonly { field: keyof Schemas['SetQuotaRequest']; label: string; unit: string }[];

/** A limit as it was typed. Empty: the platform's default. */
export function limitProblem(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  return /^[0-9]{1,9}$/.test(text.trim()) ? undefined : 'Enter a whole number, or nothing.';
}
