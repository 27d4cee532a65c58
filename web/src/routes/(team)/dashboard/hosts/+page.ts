import { redirect } from '@sveltejs/kit';

/** An address of earlier versions. */
export const load = () => redirect(307, '/dashboard/byoc');
