import { failure, ok } from '#lib/api/client.ts';
import type { App } from '#lib/state/app.svelte.ts';

/** The calls of the settings page. */
export function settingsCalls(app: App) {
  const { client, session } = app;
  return {
    rename: async (name: string) => session.keep(await ok(client.PATCH('/v1/me', { body: { name } }))),
    /** A new password ends every login, this one too: the page logs in again with the new one. */
    password: async (email: string, change: { current: string; password: string; remove: boolean }) => {
      const answer = await ok(
        client.POST('/v1/me/password', {
          body: {
            new_password: change.password,
            remove_added: change.remove,
            ...(change.current === ''
              ? { confirm_password: change.password }
              : { current_password: change.current }),
          },
        }),
      );
      const team = session.login?.team_id;
      session.keep(await ok(client.POST('/v1/auth/login', { body: { email, password: change.password } })));
      if (team && team !== session.login?.team_id) await app.switchTeam(team);
      return answer;
    },
    reset: (email: string) => ok(client.POST('/v1/me/password/reset', { body: { email } })),
    connect: async (provider: string) => {
      const answer = await ok(
        client.GET('/v1/me/providers/{provider}/connect', { params: { path: { provider } } }),
      );
      location.assign(answer.auth_url);
    },
    disconnect: (provider: string) =>
      ok(client.DELETE('/v1/me/providers/{provider}', { params: { path: { provider } } })),
    remove: (confirmation: string, password: string) =>
      ok(
        client.DELETE('/v1/me', {
          body: { confirmation, current_password: password === '' ? null : password },
        }),
      ),
    /** A login that has ended meanwhile is as good as ended. */
    endLogin: async (id: string) => {
      const { error, response } = await client.DELETE('/v1/me/sessions/{id}', { params: { path: { id } } });
      if (!response.ok && response.status !== 404) throw failure(error, response);
    },
    endOthers: () => ok(client.DELETE('/v1/me/sessions')),
    everywhere: () => ok(client.POST('/v1/auth/logout', { params: { query: { all: true } } })),
  };
}
