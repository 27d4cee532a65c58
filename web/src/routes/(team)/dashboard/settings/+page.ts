import { attempt } from '#lib/api/attempt.ts';
import { ok } from '#lib/api/client.ts';
import { settled } from '#lib/state/latest.svelte.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, depends, url }) => {
  depends('app:me');
  const { app } = await parent();
  const logins = settled(ok(app.client.GET('/v1/me/sessions')).then(({ items }) => items));
  const info = ok(app.client.GET('/v1/info')).catch(() => undefined);
  return {
    title: 'Settings',
    crumbs: [{ label: 'Settings' }],
    connected: url.searchParams.get('connected'),
    connectError: url.searchParams.get('connect_error'),
    logins: await logins,
    loaded: await attempt(Promise.all([ok(app.client.GET('/v1/me')), info])),
  };
};
