import { type Client, ok } from '#lib/api/client.ts';
import { adminSandboxes } from '#lib/api/sandboxes.ts';
import type { Schemas } from '#lib/api/types.ts';
import { settled } from '#lib/state/latest.svelte.ts';
import { type Cell, cellsByHost } from './strip.ts';
import type { Host, HostParts, NewHost, Running } from './words.ts';

/** The calls of the pages of hosts. */
export function hostCalls(client: Client) {
  const of = (id: string) => ({ params: { path: { id } } });
  return {
    create: (body: NewHost) => ok(client.POST('/v1/hosts', { body })),
    /** Another registration token for a host that is pending. */
    token: (id: string) => ok(client.POST('/v1/hosts/{id}/token', of(id))),
    cordon: (id: string, cordoned: boolean) =>
      ok(client.PATCH('/v1/hosts/{id}', { ...of(id), body: { cordoned } })),
    sandboxes: (id: string) => ok(client.GET('/v1/hosts/{id}/sandboxes', of(id))),
    /** A capsule that the host holds gets its place in the database again. */
    importCapsule: (id: string, sandbox: string) =>
      ok(
        client.POST('/v1/hosts/{id}/quarantine/{sandbox_id}/import', {
          params: { path: { id, sandbox_id: sandbox } },
        }),
      ),
    drain: (id: string, running: Running) =>
      ok(client.POST('/v1/hosts/{id}/drain', { ...of(id), body: { running } })),
    preview: (id: string) => ok(client.GET('/v1/hosts/{id}/delete-preview', of(id))),
    remove: (id: string, force: boolean) =>
      ok(client.DELETE('/v1/hosts/{id}', { params: { path: { id }, query: { force } } })),
  };
}

/** A platform of another version may leave out what is nothing. */
function whole(host: Schemas['Host']): Host {
  const { cordoned, running_sandboxes, paused_sandboxes, reserved_memory_mb } = host;
  return {
    ...host,
    cordoned: cordoned ?? false,
    running_sandboxes: running_sandboxes ?? 0,
    paused_sandboxes: paused_sandboxes ?? 0,
    reserved_memory_mb: reserved_memory_mb ?? 0,
  };
}

/** The hosts of a team. A platform administrator would get those of all teams. */
export async function teamHosts(client: Client, team: string): Promise<Host[]> {
  const all = await ok(client.GET('/v1/hosts'));
  return all.filter((host) => host.team_id === team).map(whole);
}

/** The names of the people who may register hosts for a team. Without them the page is whole. */
export async function managersOf(client: Client, team: string): Promise<string[]> {
  const members = await ok(client.GET('/v1/teams/{id}/members', { params: { path: { id: team } } })).catch(
    () => [],
  );
  return members.filter(({ role, name }) => role !== 'member' && name !== '').map(({ name }) => name);
}

/** All hosts, and the capsules on them. A platform with more capsules than a page of the API has no strips. */
export async function platformHosts(
  client: Client,
): Promise<{ hosts: Host[]; cells: ReadonlyMap<string, readonly Cell[]> }> {
  const [hosts, { value: found }] = await Promise.all([
    ok(client.GET('/v1/hosts')),
    settled(adminSandboxes(client, {})),
  ]);
  return { hosts: hosts.map(whole), cells: cellsByHost(found && !found.next ? found.items : []) };
}

/** A host, its capsules and its quarantine. The page is whole without the capsules, and without the word of the host's agent. */
export async function hostParts(client: Client, id: string): Promise<HostParts> {
  const of = { params: { path: { id } } };
  const [host, sandboxes] = await Promise.all([
    ok(client.GET('/v1/hosts/{id}', of)),
    settled(ok(client.GET('/v1/hosts/{id}/sandboxes', of))),
  ]);
  // Only an agent that can be reached tells what is not in the database.
  const quarantine =
    host.status === 'online' ? (await settled(ok(client.GET('/v1/hosts/{id}/quarantine', of)))).value : [];
  return {
    host: whole(host),
    sandboxes: sandboxes.value,
    failure: sandboxes.failure,
    quarantine: quarantine ?? [],
  };
}
