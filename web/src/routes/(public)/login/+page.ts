import { redirect } from '@sveltejs/kit';
import { loadInfo } from '#lib/features/account/info.ts';
import { nextOf } from '#lib/features/account/next.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, url }) => {
  const { app } = await parent();
  const next = nextOf(url);
  if (app.session.login) redirect(307, next);
  const signUp = url.searchParams.get('mode') === 'signup';
  return {
    next,
    signUp,
    error: url.searchParams.get('error'),
    info: await loadInfo(app.client),
    title: signUp ? 'Create an account' : 'Sign in',
  };
};
