import { ok } from '#lib/api/client.ts';
import { settled, soon } from '#lib/state/latest.svelte.ts';
import type { System } from '#lib/features/admin/system.ts';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ parent, depends }) => {
  depends('app:admin-system');
  const { app } = await parent();
  // A part that fails leaves the others.
  const parts = async (): Promise<System> => {
    const [info, health, tasks] = await Promise.all([
      settled(ok(app.client.GET('/v1/info'))),
      settled(ok(app.client.GET('/health'))),
      settled(ok(app.client.GET('/v1/admin/tasks')).then(({ items }) => items)),
    ]);
    return { info, health, tasks };
  };
  const { loaded } = await soon(parts());
  return { title: 'System', crumbs: [{ label: 'System' }], loaded };
};
