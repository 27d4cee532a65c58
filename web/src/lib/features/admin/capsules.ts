/** The filters of the list of all capsules, as the address of the page has them. */
import { STATUSES } from '#lib/components/capsule/words.ts';
import type { SandboxStatus, Schemas } from '#lib/api/types.ts';

export type AdminSandbox = Schemas['AdminSandbox'];

/** Capsules of a page. */
export const LIMIT = 100;

export interface CapsuleQuery {
  q: string;
  status: readonly SandboxStatus[];
  team: string | undefined;
  host: string | undefined;
  template: string | undefined;
  /** The id of the user or key that made them. */
  by: string | undefined;
  /** `name` or `name=value`. A capsule matches when it has all of them. */
  label: readonly string[];
  /** Whether capsules that have ended are listed too. */
  ended: boolean;
  /** Where the page begins. */
  cursor: string | undefined;
}

export const ALL: CapsuleQuery = {
  q: '',
  status: [],
  team: undefined,
  host: undefined,
  template: undefined,
  by: undefined,
  label: [],
  ended: false,
  cursor: undefined,
};

const ONES = ['team', 'host', 'template', 'by'] as const;

/** Reads an address. What it does not understand it leaves out. */
export function parse(params: Pick<URLSearchParams, 'get' | 'getAll'>): CapsuleQuery {
  const one = (name: string) => {
    const value = (params.get(name) ?? '').trim().slice(0, 254);
    return value === '' ? undefined : value;
  };
  const statuses = params.getAll('status').flatMap((value) => value.split(','));
  return {
    q: one('q') ?? '',
    status: STATUSES.filter((status) => statuses.includes(status)),
    team: one('team'),
    host: one('host'),
    template: one('template'),
    by: one('by'),
    label: [...new Set(params.getAll('label').map((value) => value.trim()))].filter((value) => value !== ''),
    ended: params.get('ended') === 'true',
    cursor: one('cursor'),
  };
}

/** The query part of an address, with `?`; empty when every value is the default. */
export function print(query: Partial<CapsuleQuery>): string {
  const params = new URLSearchParams();
  const { q = '', status = [], label = [] } = query;
  if (q !== '') params.set('q', q);
  if (status.length > 0) params.set('status', status.join(','));
  for (const name of ONES) if (query[name]) params.set(name, query[name]);
  for (const value of label) params.append('label', value);
  if (query.ended) params.set('ended', 'true');
  if (query.cursor) params.set('cursor', query.cursor);
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/** The parameters of the API. */
export function request({ q, status, label, by, ended, ...query }: CapsuleQuery) {
  const ones = Object.entries({ ...query, created_by: by }).filter(([, value]) => value !== undefined);
  return {
    limit: LIMIT,
    ...Object.fromEntries(ones),
    ...(q === '' ? {} : { q }),
    ...(status.length > 0 ? { status: [...status] } : {}),
    ...(label.length > 0 ? { label: [...label] } : {}),
    ...(ended ? { ended } : {}),
  };
}

/** Whether something is left out of the list. */
export function filtered(query: CapsuleQuery): boolean {
  return (
    query.q !== '' ||
    query.status.length > 0 ||
    query.label.length > 0 ||
    ONES.some((name) => query[name] !== undefined)
  );
}

/** What a filter offers: the values that the page shows, and the chosen one. */
export function offered(
  rows: readonly AdminSandbox[],
  of: (sandbox: AdminSandbox) => readonly (readonly [value: string, label: string])[],
  chosen: readonly string[],
  name: (value: string) => string,
): { value: string; label: string }[] {
  const labels = new Map(rows.flatMap((row) => of(row)));
  for (const value of chosen) if (!labels.has(value)) labels.set(value, name(value));
  return [...labels]
    .map(([value, label]) => ({ value, label }))
    .sort((a, b) => a.label.localeCompare(b.label));
}

/**
 * Why an administrator cannot open the page of a capsule. Administrators have no right inside of a team that they are not members of:
 * `crates/locule-http/src/caller.rs`.
 */
export function whyNotOpen(sandbox: AdminSandbox, teams: readonly { id: string }[]): string | undefined {
  return teams.some(({ id }) => id === sandbox.team.id)
    ? undefined
    : `Only members of ${sandbox.team.name} can open it`;
}
