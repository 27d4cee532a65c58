import type { Member, Role } from '#lib/api/types.ts';

/** The rules of `locule-control/src/teams/members.rs` and `teams.rs`, with the reason where an act is off. */
export function manageWhy(role: Role): string | undefined {
  return role === 'member' ? 'For owners and admins' : undefined;
}

/** The acts on a member. None on oneself and on the owner, who never changes. */
export function memberActs(
  member: Member,
  person: { id: string; role: Role },
): { role: 'admin' | 'member' | undefined; remove: boolean } {
  const none = { role: undefined, remove: false };
  if (manageWhy(person.role) || member.user_id === person.id || member.role === 'owner') return none;
  if (member.status === 'invited') return { role: undefined, remove: true };
  return { role: member.role === 'admin' ? 'member' : 'admin', remove: true };
}

/** Whether one may leave or delete the team: a person without a team can do nothing. */
export function endWhy(teams: number): string | undefined {
  return teams > 1 ? undefined : 'Create another team first';
}
