import { attempt } from '#lib/api/attempt.ts';
import { ok } from '#lib/api/client.ts';
import type { PageLoad } from './$types';

const page = { title: 'Team', crumbs: [{ label: 'Team' }] };

/** All teams load in parallel with the team: the page knows then whether it is the last one (B-144). */
export const load: PageLoad = async ({ parent, depends }) => {
  depends('app:members');
  const { app } = await parent();
  const id = app.teams.currentId;
  if (!id) return { ...page, loaded: undefined };
  const detail = ok(app.client.GET('/v1/teams/{id}', { params: { path: { id } } }));
  // The page is whole without the limits.
  const limits = ok(app.client.GET('/v1/limits')).catch(() => undefined);
  return { ...page, loaded: await attempt(Promise.all([detail, app.teams.load(), limits])) };
};
