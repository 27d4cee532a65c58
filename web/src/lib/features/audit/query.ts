/** The filters of an audit page, as its address has them. */
import { EVENTS } from '#lib/components/audit/words.ts';
import type { AuditEntry } from '#lib/api/types.ts';

export interface AuditQuery {
  /** Resources with all their events. */
  resources: readonly string[];
  /** Single events, as `resource.action`. */
  actions: readonly string[];
  actor: string;
  /** The id of a thing. */
  id: string;
  /** `7d`, `24h`, or a date. */
  from: string;
  to: string;
}

export const NONE: AuditQuery = { resources: [], actions: [], actor: '', id: '', from: '', to: '' };
export const PERIODS = [
  { value: '24h', label: '24 h' },
  { value: '7d', label: '7 d' },
  { value: '30d', label: '30 d' },
] as const;

const ID = /^[a-z]+-[0-9a-z-]{1,60}$/;
const RELATIVE = /^[1-9][0-9]{0,3}[hd]$/;

function list(text: string | null): string[] {
  return [...new Set((text ?? '').split(',').map((value) => value.trim()))].filter((value) =>
    /^[a-z_]+(\.[a-z_]+)?$/.test(value),
  );
}

function when(text: string | null): string {
  const value = text ?? '';
  return RELATIVE.test(value) || !Number.isNaN(Date.parse(value)) ? value : '';
}

/** Reads an address. What it does not understand it leaves out. */
export function parse(params: Pick<URLSearchParams, 'get'>): AuditQuery {
  const resources = list(params.get('resource')).filter((value) => !value.includes('.'));
  const id = params.get('id') ?? '';
  const actor = params.get('actor') ?? '';
  return {
    resources,
    actions: list(params.get('action')).filter(
      (value) => value.includes('.') && !resources.includes(value.split('.')[0] ?? ''),
    ),
    actor: ID.test(actor) ? actor : '',
    id: ID.test(id) ? id : '',
    from: when(params.get('from')),
    to: RELATIVE.test(params.get('to') ?? '') ? '' : when(params.get('to')),
  };
}

/** The query part of an address, with `?`; empty without a filter. */
export function print(query: AuditQuery, entry?: string): string {
  const params: [string, string][] = [
    ['resource', query.resources.join(',')],
    ['action', query.actions.join(',')],
    ['actor', query.actor],
    ['id', query.id],
    ['from', query.from],
    ['to', query.to],
    ['entry', entry ?? ''],
  ];
  const text = params
    .filter(([, value]) => value !== '')
    .map(
      ([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%2C', ',').replaceAll('%3A', ':')}`,
    )
    .join('&');
  return text === '' ? '' : `?${text}`;
}

export function filtered(query: AuditQuery): boolean {
  return print(query) !== '';
}

function time(text: string, now: number): string | undefined {
  if (text === '') return undefined;
  if (!RELATIVE.test(text)) return new Date(text).toISOString();
  const hours = Number(text.slice(0, -1)) * (text.endsWith('d') ? 24 : 1);
  return new Date(now - hours * 3_600_000).toISOString();
}

/** The parameters of the API. They match more than the query where whole resources and single events are mixed. */
export function request(query: AuditQuery, now: number) {
  const types = [
    ...new Set([...query.resources, ...query.actions.map((value) => value.split('.')[0] ?? '')]),
  ];
  const actions = query.resources.length > 0 ? [] : query.actions.map((value) => value.split('.')[1] ?? '');
  const from = time(query.from, now);
  const to = time(query.to, now);
  return {
    ...(types.length > 0 ? { resource_type: types } : {}),
    ...(actions.length > 0 ? { action: [...new Set(actions)] } : {}),
    ...(query.actor ? { actor_id: [query.actor] } : {}),
    ...(query.id ? { resource_id: [query.id] } : {}),
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
  };
}

/** Whether an entry that the API returned is one of the query's events. */
export function matches(query: AuditQuery, entry: Pick<AuditEntry, 'resource_type' | 'action'>): boolean {
  if (query.resources.length + query.actions.length === 0) return true;
  return (
    query.resources.includes(entry.resource_type) ||
    query.actions.includes(`${entry.resource_type}.${entry.action}`)
  );
}

export type Tick = 'on' | 'off' | 'some';

/** The state of a resource in the tree of filters. */
export function tick(query: AuditQuery, resource: string): Tick {
  if (query.resources.includes(resource)) return 'on';
  return query.actions.some((value) => value.startsWith(`${resource}.`)) ? 'some' : 'off';
}

export function tickOf(query: AuditQuery, resource: string, action: string): boolean {
  return query.resources.includes(resource) || query.actions.includes(`${resource}.${action}`);
}

/** Switches a resource with all its events. */
export function toggleResource(query: AuditQuery, resource: string): AuditQuery {
  const actions = query.actions.filter((value) => !value.startsWith(`${resource}.`));
  const others = query.resources.filter((value) => value !== resource);
  return { ...query, actions, resources: tick(query, resource) === 'on' ? others : [...others, resource] };
}

/** Switches one event. When all of a resource are on, the resource stands for them. */
export function toggleAction(query: AuditQuery, resource: string, action: string): AuditQuery {
  const all = Object.keys(EVENTS[resource]?.actions ?? {});
  const on = all.filter((other) => tickOf(query, resource, other) !== (other === action));
  const actions = query.actions.filter((value) => !value.startsWith(`${resource}.`));
  const resources = query.resources.filter((value) => value !== resource);
  if (on.length === all.length) return { ...query, actions, resources: [...resources, resource] };
  return { ...query, resources, actions: [...actions, ...on.map((other) => `${resource}.${other}`)] };
}
