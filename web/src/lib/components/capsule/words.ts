/** Words about capsules that several parts of the dashboard need. */
import type { Sandbox } from '#lib/api/types.ts';

export const STATUSES = ['pending', 'starting', 'running', 'paused', 'missing', 'stopped', 'error'] as const;

/** `sb-7f3a91c2`: enough to tell capsules apart. */
export function shortId(id: string): string {
  const digits = id.indexOf('-') + 1;
  return digits === 0 ? id : id.slice(0, digits + 8);
}

/** The person, key or part of the platform that acted, as a sentence names it. */
export function actor(by: {
  kind: string;
  name?: string | null | undefined;
  id?: string | null | undefined;
}): string {
  const name = by.name ?? (by.id ? shortId(by.id) : undefined);
  if (by.kind === 'api_key') return name ? `key ${name}` : 'a key';
  if (by.kind === 'user') return name ?? 'a user';
  return 'the platform';
}

export const labelsOf = (sandbox: Pick<Sandbox, 'labels'>): [string, string][] =>
  Object.entries(sandbox.labels ?? {}).sort(([a], [b]) => a.localeCompare(b));
