import { failure, type Client } from './client.ts';
import type { paths } from './schema.gen.ts';
import type { Sandbox, Schemas } from './types.ts';

const PAGE = 1000;
/** More sandboxes than these are not loaded by a list that filters and sorts in the page. */
const MOST = 5000;

/** The cursor of the next page, from the header `Link`. */
export function nextCursor(link: string | null): string | undefined {
  const address = /<([^>]+)>\s*;[^,]*rel="?next"?/.exec(link ?? '')?.[1];
  if (!address) return undefined;
  return new URL(address, 'http://localhost').searchParams.get('cursor') ?? undefined;
}

/** All sandboxes of the team, page by page. `ended`: with those that ended in the last days. */
export async function allSandboxes(client: Client, ended: boolean): Promise<Sandbox[]> {
  const all: Sandbox[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: PAGE, ...(ended ? { ended } : {}), ...(cursor ? { cursor } : {}) };
    const { data, error, response } = await client.GET('/v1/sandboxes', { params: { query } });
    if (!response.ok || !data) throw failure(error, response);
    all.push(...data);
    cursor = nextCursor(response.headers.get('link'));
  } while (cursor && all.length < MOST);
  return all;
}

type AdminQuery = NonNullable<paths['/v1/admin/sandboxes']['get']['parameters']['query']>;

export interface AdminSandboxes {
  items: Schemas['AdminSandbox'][];
  /** How many match, on all pages. */
  total: number;
  /** The cursor of the next page. */
  next: string | undefined;
}

/** A page of the sandboxes of all teams. */
export async function adminSandboxes(client: Client, query: AdminQuery): Promise<AdminSandboxes> {
  const { data, error, response } = await client.GET('/v1/admin/sandboxes', { params: { query } });
  if (!response.ok || !data) throw failure(error, response);
  const total = Number(response.headers.get('x-total-count') ?? data.length);
  return { items: data, total, next: nextCursor(response.headers.get('link')) };
}
