import { digits, mebibytes, plural } from '#lib/components/time.ts';
import type { ApiKey, Member, Sandbox, Schemas } from '#lib/api/types.ts';

/** The rule of `TeamName` in `openapi/public.json` (B-140). */
export function teamNameProblem(name: string): string | undefined {
  if (name.trim() === '') return 'Give the team a name.';
  if (name.trim().length > 128) return 'A name has 128 characters or fewer.';
  return /^[A-Za-z0-9 _@'-]+$/.test(name.trim())
    ? undefined
    : "A name has letters, digits, spaces and any of - _ @ ' only.";
}

/** A member in a sentence: an invited person has no name yet. */
export function nameOf(member: Member): string {
  return member.name || member.email;
}

/** What ends with a team. */
export function ending(sandboxes: readonly Pick<Sandbox, 'status'>[], keys: number): string {
  const paused = sandboxes.filter(({ status }) => status === 'paused').length;
  const others = sandboxes.length - paused;
  const parts = [
    others > 0 ? `${plural(others, 'capsule')} in use` : '',
    paused > 0 ? `${plural(paused, 'paused capsule')}` : '',
    keys > 0 ? plural(keys, 'key') : '',
  ].filter((part) => part !== '');
  if (parts.length === 0) return 'The team holds no capsule and no key.';
  const list = new Intl.ListFormat('en').format(parts);
  return `${list} ${parts.length === 1 && /^1 /.test(list) ? 'ends' : 'end'}.`;
}

/** The keys that end with a member. */
export function keysEnd(keys: readonly ApiKey[], member: Member): string {
  const count = keys.filter((key) => key.created_by === member.user_id).length;
  if (count === 0) return `${nameOf(member)} made no key of this team.`;
  return `${plural(count, 'key')} made by ${nameOf(member)} ${count === 1 ? 'ends' : 'end'} now.`;
}

export function removed(member: Member, left: Schemas['CreatedSandboxes']): string {
  if (member.status === 'invited') return `The invitation of ${member.email} is withdrawn.`;
  const count = left.sandboxes.length;
  const still =
    count === 0
      ? ''
      : ` ${left.has_more ? 'More than ' : ''}${plural(count, 'capsule')} of theirs still ${count === 1 ? 'exists' : 'exist'}.`;
  return `${nameOf(member)} is no member any more.${still}`;
}

/** The limits of a team with their use, as rows. */
export function limitRows(limits: Schemas['TeamLimits']) {
  const row = (label: string, { used, max }: Schemas['LimitUse'], print: (count: number) => string) => ({
    label,
    used,
    max,
    text: `${print(used)} of ${print(max)}`,
  });
  return [
    row('Running capsules', limits.sandboxes, digits),
    row('vCPU of running capsules', limits.vcpus, digits),
    row('Memory of running capsules', limits.memory_mb, mebibytes),
    row('Paused capsules', limits.paused_sandboxes, digits),
    row('Disks and saved memory', limits.storage_mb, mebibytes),
  ];
}
