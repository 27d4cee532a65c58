import { normal, type Sort, type SortKey } from './paths.ts';

/** What of the files tab stands in the address. */
export interface FilesQuery {
  /** The folder. Undefined: the home folder. */
  path: string | undefined;
  /** The file that is previewed. */
  file: string | undefined;
  sort: Sort;
}

const KEYS: readonly SortKey[] = ['name', 'size', 'modified'];
const DEFAULT: Sort = { key: 'name', down: false };

export function parseFiles(params: Pick<URLSearchParams, 'get'>): FilesQuery {
  const given = params.get('sort') ?? '';
  const down = given.startsWith('-');
  const key = KEYS.find((key) => key === (down ? given.slice(1) : given));
  return {
    path: normal(params.get('path')),
    file: normal(params.get('file')),
    sort: key ? { key, down } : DEFAULT,
  };
}

/** The address's query with a change; other parts of it stay, and defaults are left out. */
export function withFiles(
  params: Pick<URLSearchParams, 'get' | 'toString'>,
  change: Partial<FilesQuery>,
): string {
  const next = { ...parseFiles(params), ...change };
  const result = new URLSearchParams(params.toString());
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) result.delete(name);
    else result.set(name, value);
  };
  set('path', next.path);
  set('file', next.file);
  const { key, down } = next.sort;
  set('sort', key === DEFAULT.key && !down ? undefined : `${down ? '-' : ''}${key}`);
  return `?${result.toString()}`;
}
