import { shortId } from '#lib/components/capsule/words.ts';
import { hostParts } from '#lib/features/hosts/calls.ts';
import { soon } from '#lib/state/latest.svelte.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, params: { id }, depends }) => {
  depends('app:admin-host');
  const { app } = await parent();
  const title = shortId(id);
  const crumbs = [{ label: 'Hosts', href: '/admin/hosts' }, { label: title }];
  return { id, title, crumbs, ...(await soon(hostParts(app.client, id))) };
};
