import { failure, type Client } from './client.ts';
import type { Sandbox } from './types.ts';

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
