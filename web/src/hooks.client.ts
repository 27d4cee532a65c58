import type { HandleClientError } from '@sveltejs/kit/hooks';

/** How browsers say that a module could not be loaded. */
const MISSING = /dynamically imported module|module script failed|preload CSS/i;

export const handleError: HandleClientError = ({ kind, error }) => {
  if (kind !== 'unknown') return;
  if (error instanceof Error && MISSING.test(error.message)) {
    return { message: 'A part of the dashboard could not be loaded. The platform may be away.', file: true };
  }
  console.error(error);
  return { message: 'The dashboard has a fault. Its details are in the console of the browser.' };
};
