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

  /** Whether the team has had a capsule of late, or a person has ever made one. `locule up` makes one as a proof, with a label. */
  async function hadOne(): Promise<boolean> {
    const created = { resource_type: ['sandbox'], action: ['create'], limit: 200 };
    const [ended, log] = await Promise.all([
      ok(app.client.GET('/v1/sandboxes', { params: { query: { ended: true, limit: 100 } } })),
      ok(app.client.GET('/v1/audit-logs', { params: { query: created } })),
    ]);
    return (
      ended.some((sandbox) => sandbox.labels?.purpose !== 'proof') ||
      log.items.some((entry) => entry.actor_type === 'user')
    );
  }
};
