/** The choices of a table that do not depend on how the table is drawn. */
export interface Column {
  id: string;
  label: string;
  /** Whether the table can be sorted by the column. */
  sort?: boolean;
  numeric?: boolean;
  /** A width of CSS. The column without one takes what is left. */
  width?: string;
  /** Below this breakpoint the first cell tells the value in its second line. */
  fold?: 'desk' | 'wide';
  /** Whether the column cannot be switched off. */
  fixed?: boolean;
}

/** The sort after a click on a column's head: first upwards, then downwards. `-` stands for downwards. */
export function sortAfter(current: string, column: string): string {
  return current === column ? `-${column}` : column;
}

export function ariaSort(current: string, column: string): 'ascending' | 'descending' | 'none' {
  if (current === column) return 'ascending';
  return current === `-${column}` ? 'descending' : 'none';
}

/** The ids from the last one that was chosen to this one, in the order of the rows. */
export function range(ids: readonly string[], from: string | undefined, to: string): string[] {
  const [a, b] = [from === undefined ? -1 : ids.indexOf(from), ids.indexOf(to)];
  if (b < 0) return [];
  if (a < 0) return [to];
  return ids.slice(Math.min(a, b), Math.max(a, b) + 1);
}
