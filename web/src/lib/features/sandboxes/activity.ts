/** A sentence for each entry of the audit log about a capsule. */
import type { AuditEntry } from '#lib/api/types.ts';
import { timeout } from '#lib/components/time.ts';
import { actor } from './words.ts';

const REASONS: Record<string, string> = {
  idle: 'it was idle',
  expired: 'its time was over',
  guest_shutdown: 'it shut itself down',
  vm_lost: 'its microVM vanished',
  host_deleted: 'its host was removed',
  host_stopping: 'its host was shut down',
  create_failed: 'it could not be made',
  image_lost: 'its saved memory is gone',
};

export function activityWords(entry: AuditEntry): string {
  const by = actor({ kind: entry.actor_type, id: entry.actor_id, name: entry.actor_name });
  const who = by.charAt(0).toUpperCase() + by.slice(1);
  const details = (entry.metadata ?? {}) as Record<string, unknown>;
  const text = (name: string) => (typeof details[name] === 'string' ? details[name] : undefined);
  const reason = text('reason');
  switch (entry.action) {
    case 'create':
      return `${who} launched it${text('template') ? ` from ${text('template')}` : ''}`;
    case 'pause':
      return `${who} paused it`;
    case 'auto_pause':
      return `${who} paused it: it was idle, or its time was over`;
    case 'resume':
      return `${who} resumed it`;
    case 'set_timeout': {
      const seconds = details.timeout_sec;
      return `${who} set when it ends${typeof seconds === 'number' ? `: in ${timeout(seconds)}` : ''}`;
    }
    case 'destroy':
      return reason ? `It ended: ${REASONS[reason] ?? reason.replaceAll('_', ' ')}` : `${who} destroyed it`;
    default:
      return `${who}: ${entry.resource_type}.${entry.action}`;
  }
}
