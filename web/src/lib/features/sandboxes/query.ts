/** The list's filters, search and sort, as the address of the page has them. */
import type { Sandbox, SandboxStatus } from '#lib/api/types.ts';
import { STATUSES } from '#lib/components/capsule/words.ts';

export const SORTS = ['status', 'template', 'vcpus', 'memory', 'timeout', 'started'] as const;
type SortBy = (typeof SORTS)[number];

export interface ListQuery {
  q: string;
  status: readonly SandboxStatus[];
  template: readonly string[];
  /** `name` or `name=value`. A capsule matches when it has all of them. */
  label: readonly string[];
  /** Ids of users and keys. */
  by: readonly string[];
  /** Whether capsules that have ended are listed too. */
  ended: boolean;
  /** A column, with `-` for downwards. */
  sort: string;
}

export const DEFAULT: ListQuery = {
  q: '',
  status: [],
  template: [],
  label: [],
  by: [],
  ended: false,
  sort: '-started',
};

/** Reads an address. What it does not understand it leaves out. */
export function parse(params: Pick<URLSearchParams, 'get' | 'getAll'>): ListQuery {
  const all = (name: string) =>
    [...new Set(params.getAll(name).map((value) => value.trim()))].filter((value) => value !== '');
  const sort = params.get('sort') ?? '';
  return {
    q: params.get('q') ?? '',
    status: STATUSES.filter((status) =>
      all('status')
        .flatMap((value) => value.split(','))
        .includes(status),
    ),
    template: all('template'),
    label: all('label'),
    by: all('by'),
    ended: params.get('ended') === 'true',
    sort: SORTS.some((column) => sort === column || sort === `-${column}`) ? sort : DEFAULT.sort,
  };
}

/** The query part of an address, with `?`; empty when every value is the default. */
export function print(query: ListQuery): string {
  const params = new URLSearchParams();
  if (query.q !== '') params.set('q', query.q);
  if (query.status.length > 0) params.set('status', query.status.join(','));
  for (const template of query.template) params.append('template', template);
  for (const label of query.label) params.append('label', label);
  for (const by of query.by) params.append('by', by);
  if (query.ended) params.set('ended', 'true');
  if (query.sort !== DEFAULT.sort) params.set('sort', query.sort);
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/** Whether something is left out of the list. */
export function filtered(query: ListQuery): boolean {
  return (
    query.q.trim() !== '' ||
    [query.status, query.template, query.label, query.by].some((values) => values.length > 0)
  );
}

/** The query without its filters. The sort stays. */
export function cleared(query: ListQuery): ListQuery {
  return { ...DEFAULT, sort: query.sort, ended: query.ended };
}

/** Says of a capsule whether the list has it. */
function matcher(query: ListQuery): (sandbox: Sandbox) => boolean {
  const { status, template, by, label } = query;
  const q = query.q.trim().toLowerCase();
  const has = (text: string) => text.toLowerCase().includes(q);
  return (sandbox) => {
    if (status.length > 0 && !status.includes(sandbox.status)) return false;
    if (template.length > 0 && !template.includes(sandbox.template)) return false;
    if (by.length > 0 && !by.includes(sandbox.created_by?.id ?? '')) return false;
    const labels = Object.entries(sandbox.labels ?? {}).map(([key, value]) => [key, `${key}=${value}`]);
    if (!label.every((wanted) => labels.some((texts) => texts.includes(wanted)))) return false;
    return q === '' || has(sandbox.id) || has(sandbox.template) || labels.some(([, text = '']) => has(text));
  };
}

const VALUES: Record<SortBy, (sandbox: Sandbox) => number | string> = {
  status: (sandbox) => STATUSES.indexOf(sandbox.status),
  template: (sandbox) => sandbox.template,
  vcpus: (sandbox) => sandbox.vcpus,
  memory: (sandbox) => sandbox.memory_mb,
  // 0 stands for never, which is the longest.
  timeout: (sandbox) => (sandbox.timeout_sec === 0 ? Infinity : sandbox.timeout_sec),
  started: (sandbox) => Date.parse(sandbox.started_at ?? sandbox.created_at),
};

/** Newest first. The order of capsules that a sort finds equal, so that rows do not change places. */
export function newestFirst(sandboxes: readonly Sandbox[]): Sandbox[] {
  return sandboxes.toSorted((a, b) => compared(b.created_at, a.created_at) || compared(a.id, b.id));
}

/** In the order of a sort. */
export function sorted(newest: readonly Sandbox[], sort: string): Sandbox[] {
  const down = sort.startsWith('-') ? -1 : 1;
  const value = VALUES[sort.replace('-', '') as SortBy];
  return newest
    .map((sandbox) => ({ sandbox, key: value(sandbox) }))
    .sort((a, b) => down * compared(a.key, b.key))
    .map(({ sandbox }) => sandbox);
}

/** The capsules that match. */
export function matching(sandboxes: readonly Sandbox[], query: ListQuery): Sandbox[] {
  return sandboxes.filter(matcher(query));
}

/** By code units: the order of a language takes a hundred times as long, and ids and times of RFC 3339 have the same in both. */
function compared(a: number | string, b: number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
