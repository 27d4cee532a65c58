import { textOf } from '#lib/components/audit/words.ts';
import type { AuditEntry } from '#lib/api/types.ts';

/** A cell. A program for tables must not run the text of a stranger as a formula. */
function cell(value: unknown): string {
  const text =
    typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const COLUMNS = [
  'created_at',
  'id',
  'status',
  'actor_type',
  'actor_id',
  'actor_name',
  'resource_type',
  'resource_id',
  'action',
  'metadata',
] as const;

export function csv(entries: readonly AuditEntry[]): string {
  const rows = entries.map((entry) =>
    [...COLUMNS.map((column) => entry[column]), textOf(entry)].map(cell).join(','),
  );
  return `${[...COLUMNS, 'text'].join(',')}\r\n${rows.map((row) => `${row}\r\n`).join('')}`;
}

export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
