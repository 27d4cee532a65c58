import { redirect } from '@sveltejs/kit';
import { ok } from '#lib/api/client.ts';
import type { LayoutLoad } from './$types';

/** Everything under /dashboard needs a login. The teams and the account load in parallel. */
export const load: LayoutLoad = async ({ parent, url, depends }) => {
  depends('app:team');
  const { app } = await parent();
  const toLogin = () => redirect(307, `/login?next=${encodeURIComponent(url.pathname + url.search)}`);
  if (!app.session.login) toLogin();
  const [me] = await Promise.all([
    app.session.me ?? ok(app.client.GET('/v1/me')),
    app.teams.all ?? app.teams.load(),
  ]).catch((error: unknown) => {
    // The login that the tab has kept is over.
    if (!app.session.login) toLogin();
    throw error;
  });
  app.session.me = me;
  app.teams.currentId = me.team_id ?? undefined;
  return {};
};
