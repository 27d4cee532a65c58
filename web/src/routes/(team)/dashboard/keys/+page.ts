import { attempt } from '#lib/api/attempt.ts';
import { ok } from '#lib/api/client.ts';
import type { PageLoad } from './$types';

const page = { title: 'Keys', crumbs: [{ label: 'Keys' }] };

export const load: PageLoad = async ({ parent, depends }) => {
  depends('app:keys');
  const { app } = await parent();
  const id = app.teams.currentId;
  if (!id) return { ...page, team: undefined, loaded: undefined };
  const loaded = await attempt(ok(app.client.GET('/v1/api-keys')));
  return { ...page, team: id, loaded };
};
