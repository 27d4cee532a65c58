import { error, redirect } from '@sveltejs/kit';
import { ok } from '#lib/api/client.ts';
import { CallError, words } from '#lib/api/errors.ts';
import type { Sandbox } from '#lib/api/types.ts';
import { shortId } from '#lib/components/capsule/words.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, params, url, depends, untrack }) => {
  depends('app:sandbox');
  // The address of the tab "Stats" of earlier versions.
  if (untrack(() => url.searchParams.get('tab')) === 'stats')
    redirect(
      307,
      untrack(() => url.pathname),
    );
  const { app } = await parent();
  const crumbs = [{ label: 'Capsules', href: '/dashboard/capsules/list' }, { label: shortId(params.id) }];
  const title = shortId(params.id);
  try {
    const path = { id: params.id };
    const sandbox: Sandbox = await ok(app.client.GET('/v1/sandboxes/{id}', { params: { path } }));
    return { id: params.id, title: `${title} · ${sandbox.status}`, crumbs, sandbox };
  } catch (failure) {
    // An id that no sandbox can have is refused as a bad request.
    if (failure instanceof CallError && (failure.status === 404 || failure.status === 400))
      error(404, 'No such capsule');
    if (failure instanceof CallError && failure.status === 403) error(403, words(failure));
    return { id: params.id, title, crumbs, failure };
  }
};
