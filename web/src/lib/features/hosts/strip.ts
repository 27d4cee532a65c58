/** The capsules of hosts as strips of cells. */
import type { Schemas } from '#lib/api/types.ts';
import { shortId } from '#lib/components/capsule/words.ts';
import { mebibytes } from '#lib/components/time.ts';
import { type Host, percent } from './words.ts';

/** A capsule as a cell of its host's strip. */
export interface Cell {
  id: string;
  status: string;
  memory_mb: number;
  team: string;
}

/** More capsules than these are told as a number. */
export const CELLS = 60;

/** How full a cell is: its memory beside the largest capsule of the host, and never so little that it seems empty. */
export function fillOf(cell: Cell, cells: readonly Cell[]): number {
  const most = Math.max(...cells.map(({ memory_mb: memory }) => memory));
  return Math.max(0.2, most === 0 ? 1 : cell.memory_mb / most);
}

export function cellWords(cell: Cell, host: Pick<Host, 'memory_mb'>): string {
  const share = host.memory_mb
    ? `, ${percent(cell.memory_mb / host.memory_mb)} of the memory of its host`
    : '';
  const team = cell.team === '' ? '' : ` of ${cell.team}`;
  return `${shortId(cell.id)}${team}: ${cell.status}, ${mebibytes(cell.memory_mb)}${share}`;
}

/** The cells of each host, from the list of all capsules. */
export function cellsByHost(
  sandboxes: readonly Pick<Schemas['AdminSandbox'], 'id' | 'status' | 'memory_mb' | 'host_id' | 'team'>[],
): ReadonlyMap<string, readonly Cell[]> {
  const cells = new Map<string, Cell[]>();
  for (const { id, status, memory_mb, host_id: host, team } of sandboxes) {
    if (!host) continue;
    const of = cells.get(host) ?? [];
    of.push({ id, status, memory_mb, team: team.name });
    cells.set(host, of);
  }
  return cells;
}
