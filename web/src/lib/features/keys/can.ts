import type { ApiKey, Role } from '#lib/api/types.ts';

/** Whether a person may revoke a key, and why not: `revoke_api_key` in `locule-control/src/teams/api_keys.rs`. */
export function revokeWhy(key: ApiKey, person: { id: string; role: Role }): string | undefined {
  if (person.role !== 'member' || key.created_by === person.id) return undefined;
  return 'Members revoke their own keys only';
}

export function isExpired(key: ApiKey, now: number): boolean {
  return key.expires_at != null && Date.parse(key.expires_at) <= now;
}
