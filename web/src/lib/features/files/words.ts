import type { FileEntry, SandboxStatus } from '#lib/api/types.ts';
import { plural } from '#lib/components/time.ts';
import { visible } from './paths.ts';

/** Why the files of a capsule that does not run cannot be read. */
export function notRunning(status: SandboxStatus): string {
  switch (status) {
    case 'paused':
      return 'The capsule is paused.';
    case 'pending':
    case 'starting':
      return 'The capsule is starting.';
    case 'missing':
      return 'The host of the capsule does not answer.';
    default:
      return 'The capsule has ended, and its files with it.';
  }
}

/** What a removal takes away. `inside`: undefined while it is counted, or where it cannot be. */
export function removal(entry: FileEntry, inside: number | undefined): string {
  const name = visible(entry.name);
  if (entry.type === 'symlink') return `The link ${name} is removed. What it leads to stays.`;
  if (entry.type !== 'directory') return `The file ${name} is gone for good.`;
  if (inside === undefined) return `The folder ${name} is gone for good, with everything in it.`;
  if (inside === 0) return `The folder ${name} is empty. It is gone for good.`;
  return `The folder ${name} is gone for good, with ${plural(inside, 'entry', 'entries')} in it.`;
}

export function uploaded(count: number): string {
  return `${plural(count, 'file')} uploaded.`;
}
