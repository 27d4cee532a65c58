import { redirect } from '@sveltejs/kit';
import type { PageLoad } from './$types';

export const load: PageLoad = ({ url }) => {
  const token = url.searchParams.get('token');
  if (!token) redirect(307, '/forgot-password');
  return { token, title: 'Set a new password' };
};
