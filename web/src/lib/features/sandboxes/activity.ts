import type { AuditEntry } from '#lib/api/types.ts';
import { sentenceOf } from '#lib/components/audit/words.ts';

/** The sentence of an audit entry on the page of its capsule, which needs no name there. */
export function activityWords(entry: AuditEntry): string {
  const { actor, act, rest } = sentenceOf(entry);
  const known = !actor.endsWith(':');
  return [actor, act, known ? 'it' : '', rest]
    .filter((part) => part !== '')
    .join(' ')
    .replaceAll(' : ', ': ');
}
