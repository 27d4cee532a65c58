/** The list's filters, search and sort, as the address of the page has them. */
import type { Sandbox, SandboxStatus } from '#lib/api/types.ts';
import { labelsOf, STATUSES } from '#lib/components/capsule/words.ts';

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

function matches(sandbox: Sandbox, query: ListQuery): boolean {
  if (query.status.length > 0 && !query.status.includes(sandbox.status)) return false;
  if (query.template.length > 0 && !query.template.includes(sandbox.template)) return false;
  if (query.by.length > 0 && !query.by.includes(sandbox.created_by?.id ?? '')) return false;
  const labels = labelsOf(sandbox);
  if (
    !query.label.every((wanted) =>
      labels.some(([key, value]) => wanted === key || wanted === `${key}=${value}`),
    )
  )
    return false;
  const q = query.q.trim().toLowerCase();
  if (q === '') return true;
  const texts = [sandbox.id, sandbox.template, ...labels.map(([key, value]) => `${key}=${value}`)];
  return texts.some((text) => text.toLowerCase().includes(q));
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

/** The capsules that match, in order. Equal ones stand newest first, so that rows do not change places. */
export function select(sandboxes: readonly Sandbox[], query: ListQuery): Sandbox[] {
  const down = query.sort.startsWith('-');
  const value = VALUES[query.sort.replace('-', '') as SortBy];
  return sandboxes
    .filter((sandbox) => matches(sandbox, query))
    .sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const order = x < y ? -1 : x > y ? 1 : 0;
      if (order !== 0) return down ? -order : order;
      return b.created_at.localeCompare(a.created_at) || a.id.localeCompare(b.id);
    });
}
