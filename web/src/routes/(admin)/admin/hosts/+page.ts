import { platformHosts } from '#lib/features/hosts/calls.ts';
import { parse } from '#lib/features/hosts/query.ts';
import { soon } from '#lib/state/latest.svelte.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, url, depends }) => {
  depends('app:admin-hosts');
  const { app } = await parent();
  const query = parse(url.searchParams);
  return { title: 'Hosts', crumbs: [{ label: 'Hosts' }], query, ...(await soon(platformHosts(app.client))) };
};
