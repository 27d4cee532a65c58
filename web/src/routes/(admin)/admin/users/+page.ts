import { attempt } from '#lib/api/attempt.ts';
import { ok } from '#lib/api/client.ts';
import { parse, request } from '#lib/features/admin/query.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, url, depends }) => {
  depends('app:admin-users');
  const { app } = await parent();
  const query = parse(url.searchParams);
  return {
    title: 'Users',
    crumbs: [{ label: 'Users' }],
    query,
    loaded: await attempt(ok(app.client.GET('/v1/admin/users', { params: { query: request(query) } }))),
  };
};
