import { ok } from '#lib/api/client.ts';
import type { PageLoad } from './$types';

/** How long the page waits before it shows its skeleton, in milliseconds. */
const PATIENCE = 150;

export const load: PageLoad = async ({ parent, url, depends }) => {
  depends('app:sandboxes');
  // Only this part of the address changes what is loaded.
  const ended = url.searchParams.get('ended') === 'true';
  const { app } = await parent();
  const loaded = begin();
  await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  return { title: 'Capsules', crumbs: [{ label: 'Capsules' }], loaded };

  async function begin(): Promise<{ first: boolean; failure?: unknown }> {
    if (!app.teams.current) return { first: false };
    try {
      await app.sandboxes.load(ended);
      return { first: app.sandboxes.all?.length === 0 && !(await hadOne()) };
    } catch (failure) {
      return { first: false, failure };
    }
  }

  /** Whether the team has ever had a capsule. */
  async function hadOne(): Promise<boolean> {
    const query = { resource_type: ['sandbox'], action: ['create'], limit: 1 };
    return (await ok(app.client.GET('/v1/audit-logs', { params: { query } }))).items.length > 0;
  }
};
