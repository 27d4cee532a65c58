import { managersOf, teamHosts } from '#lib/features/hosts/calls.ts';
import { managesHosts } from '#lib/features/hosts/can.ts';
import { soon } from '#lib/state/latest.svelte.ts';
import type { PageLoad } from './$types';

const page = { title: 'Hosts', crumbs: [{ label: 'Hosts' }] };

export const load: PageLoad = async ({ parent, depends }) => {
  depends('app:hosts');
  const { app } = await parent();
  const team = app.teams.current;
  if (!team?.is_byoc) return { ...page, team, loaded: undefined };
  const parts = async () => {
    const [hosts, managers] = await Promise.all([
      teamHosts(app.client, team.id),
      managesHosts(team.role) ? [] : managersOf(app.client, team.id),
    ]);
    return { hosts, managers };
  };
  return { ...page, team, ...(await soon(parts())) };
};
