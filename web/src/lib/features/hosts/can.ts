/** Who may change hosts: `changeable` in `locule-control/src/hosts/lifecycle.rs`. */
import type { Role } from '#lib/api/types.ts';
import type { Host } from './words.ts';

/** Whether a person may register, cordon, drain and delete the hosts of a team. */
export function managesHosts(role: Role): boolean {
  return role !== 'member';
}

/** What the page knows of the moment. */
export interface Moment {
  /** Whether the platform does not answer. */
  lost: boolean;
}

const LOST = 'The platform does not answer';

export function whyNoHost({ lost }: Moment): string | undefined {
  return lost ? LOST : undefined;
}

/** Why a host is neither cordoned nor drained here. The page offers both when the machine of the host has come. */
export function whyNotCordon(host: Host, { lost }: Moment): string | undefined {
  if (lost) return LOST;
  return host.status === 'pending' ? 'The host has not registered yet' : undefined;
}
