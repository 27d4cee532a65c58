import { type Client, ok } from '#lib/api/client.ts';
import type { Member } from '#lib/api/types.ts';
import { ending } from './words.ts';

/** The calls of the page of a team. */
export function teamCalls(client: Client, id: string) {
  const params = { path: { id } };
  const of = (member: Member) => ({ path: { id, user_id: member.user_id } });
  return {
    rename: (name: string) => ok(client.PATCH('/v1/teams/{id}', { params, body: { name } })),
    invite: (email: string) => ok(client.POST('/v1/teams/{id}/members', { params, body: { email } })),
    search: (email: string) => ok(client.GET('/v1/users/search', { params: { query: { email } } })),
    setRole: (member: Member, role: 'admin' | 'member') =>
      ok(client.PATCH('/v1/teams/{id}/members/{user_id}', { params: of(member), body: { role } })),
    remove: (member: Member) => ok(client.DELETE('/v1/teams/{id}/members/{user_id}', { params: of(member) })),
    keys: () => ok(client.GET('/v1/api-keys')),
    ending: async () => {
      const [sandboxes, keys] = await Promise.all([
        ok(client.GET('/v1/sandboxes')),
        ok(client.GET('/v1/api-keys')),
      ]);
      return ending(sandboxes, keys.length);
    },
    end: () => ok(client.DELETE('/v1/teams/{id}', { params })),
    leave: () => ok(client.POST('/v1/teams/{id}/leave', { params })),
  };
}
