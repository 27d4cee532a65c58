import { attempt } from '#lib/api/attempt.ts';
import { ok } from '#lib/api/client.ts';
import { LIMIT } from '#lib/features/audit/feed.svelte.ts';
import { parse, request } from '#lib/features/audit/query.ts';
import type { PageLoad } from './$types';

const page = { title: 'Audit', crumbs: [{ label: 'Audit' }] };

export const load: PageLoad = async ({ parent, url, depends }) => {
  depends('app:audit');
  const { app } = await parent();
  const id = app.teams.currentId;
  const query = parse(url.searchParams);
  if (!id) return { ...page, query, loaded: undefined };
  const filter = request(query, Date.now());
  const fetchPage = (before: string | undefined) =>
    ok(
      app.client.GET('/v1/audit-logs', {
        params: { query: { ...filter, limit: LIMIT, ...(before ? { before } : {}) } },
      }),
    );
  const names = Promise.all([
    ok(app.client.GET('/v1/teams/{id}/members', { params: { path: { id } } })),
    ok(app.client.GET('/v1/api-keys')),
  ]);
  return { ...page, query, fetchPage, loaded: await attempt(Promise.all([fetchPage(undefined), names])) };
};
