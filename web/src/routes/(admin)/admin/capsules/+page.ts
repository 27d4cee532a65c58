import { adminSandboxes } from '#lib/api/sandboxes.ts';
import { parse, request } from '#lib/features/admin/capsules.ts';
import { soon } from '#lib/state/latest.svelte.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, url, depends }) => {
  depends('app:admin-capsules');
  const { app } = await parent();
  const query = parse(url.searchParams);
  const { loaded } = await soon(adminSandboxes(app.client, request(query)));
  return { title: 'Capsules', crumbs: [{ label: 'Capsules' }], query, loaded };
};
