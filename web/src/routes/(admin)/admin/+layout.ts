import { redirect } from '@sveltejs/kit';
import { ok } from '#lib/api/client.ts';
import type { LayoutLoad } from './$types';

/** Everything under /admin is for administrators of the platform. The API decides; this only saves others the empty pages. */
export const load: LayoutLoad = async ({ parent, url, depends }) => {
  depends('app:team');
  const { app } = await parent();
  if (!app.session.login) redirect(307, `/login?next=${encodeURIComponent(url.pathname + url.search)}`);
  const [me] = await Promise.all([
    app.session.me ?? ok(app.client.GET('/v1/me')),
    app.teams.all ?? app.teams.load(),
  ]);
  app.session.me = me;
  app.teams.currentId = me.team_id ?? undefined;
  if (!me.is_admin) redirect(307, '/dashboard');
  return {};
};
