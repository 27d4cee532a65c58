import { redirect } from '@sveltejs/kit';

/** The list is the first page of the capsules. */
export const load = () => redirect(307, '/dashboard/capsules/list');
