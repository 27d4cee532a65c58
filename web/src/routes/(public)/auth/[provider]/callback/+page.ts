import { redirect } from '@sveltejs/kit';
import { clearLogin, readLogin } from '#lib/features/account/callback.ts';
import { takeNext } from '#lib/features/account/next.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, url }) => {
  const { app } = await parent();
  const refused = url.searchParams.get('error');
  const handed = readLogin(document.cookie);
  clearLogin();
  if (refused || !handed) redirect(307, `/login?error=${encodeURIComponent(refused ?? 'internal_error')}`);
  app.begin(handed.login);
  const next = takeNext(url.origin);
  if (!handed.isNew) redirect(307, next);
  return { name: handed.login.name, next, title: 'Your name' };
};
