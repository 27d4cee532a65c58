import { digits, plural } from '#lib/components/time.ts';
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

export type Quota = Schemas['TeamQuota'];
type Own = Quota['own'];

/** `use`: where the answer about the team has the use of the limit. */
export const LIMITS = [
  { field: 'sandboxes_max', label: 'Running capsules', unit: '', use: 'sandboxes' },
  { field: 'vcpus_max', label: 'vCPU of running capsules', unit: '', use: 'vcpus' },
  { field: 'memory_mb_max', label: 'Memory of running capsules', unit: 'MB', use: 'memory_mb' },
  { field: 'paused_sandboxes_max', label: 'Paused capsules', unit: '', use: 'paused_sandboxes' },
  { field: 'storage_mb_max', label: 'Disks and saved memory', unit: 'MB', use: 'storage_mb' },
  { field: 'creates_per_minute_max', label: 'Launches a minute', unit: '', use: undefined },
] as const satisfies readonly {
  field: keyof Own;
  label: string;
  unit: string;
  use: keyof Quota['limits'] | undefined;
}[];

type Limit = (typeof LIMITS)[number];
export type Typed = Record<Limit['field'], string>;

/** Of a team for which no limit is set. */
export const UNSET = Object.fromEntries(LIMITS.map(({ field }) => [field, null])) as Own;

/** The limits of a team as a form has them: empty where the platform's default holds. */
export function typed(own: Own): Typed {
  return Object.fromEntries(LIMITS.map(({ field }) => [field, String(own[field] ?? '')])) as Typed;
}

export function limitsOf(values: Typed): Own {
  const number = (text: string) => (text.trim() === '' ? null : Number(text));
  return Object.fromEntries(LIMITS.map(({ field }) => [field, number(values[field])])) as Own;
}

/** What a field of a limit says of the team. The default is known where the team has no limit of its own. */
export function limitUse({ field, use, unit }: Limit, { own, limits }: Quota) {
  const max = use ? limits[use].max : limits.creates_per_minute_max;
  const isOwn = own[field] !== null && own[field] !== undefined;
  return {
    placeholder: isOwn ? 'default' : `${digits(max)} by default`,
    hint: use ? `${digits(limits[use].used)}${unit ? ` ${unit}` : ''} in use` : undefined,
  };
}

/** A limit as it was typed. Empty: the platform's default. */
export function limitProblem(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  return /^[0-9]{1,9}$/.test(text.trim()) ? undefined : 'Enter a whole number, or nothing.';
}
