import { attempt } from '#lib/api/attempt.ts';
import { ok } from '#lib/api/client.ts';
import { LIMIT } from '#lib/features/audit/feed.svelte.ts';
import { parse, request } from '#lib/features/audit/query.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, url, depends }) => {
  depends('app:audit');
  const { app } = await parent();
  const query = parse(url.searchParams);
  const filter = { ...request(query, Date.now()), limit: LIMIT };
  const fetchPage = (before: string | undefined) =>
    ok(
      app.client.GET('/v1/admin/audit-logs', {
        params: { query: { ...filter, ...(before ? { before } : {}) } },
      }),
    );
  return {
    title: 'Audit',
    crumbs: [{ label: 'Audit' }],
    query,
    fetchPage,
    loaded: await attempt(fetchPage(undefined)),
  };
};
