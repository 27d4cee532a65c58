import { error } from '@sveltejs/kit';
import type { PageLoad } from './$types';

/** The kit is for the development server only: its parts are in no build. */
export const load: PageLoad = () => {
  if (!import.meta.env.DEV) error(404, 'Not Found');
  return { title: 'Kit' };
};
