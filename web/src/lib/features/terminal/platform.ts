import { ok, type Client } from '#lib/api/client.ts';
import { CallError } from '#lib/api/errors.ts';
import { PtySocket } from '#lib/api/socket.ts';
import type { ShellPlatform } from './shells.svelte.ts';

/** What shells need, over the API. */
export function platformOf(sandbox: string, client: Client, token: () => string | undefined): ShellPlatform {
  const path = { id: sandbox };
  const url = new URL(`/v1/sandboxes/${sandbox}/pty`, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return {
    socket: (options) =>
      new PtySocket({
        ...options,
        url: url.href,
        token,
        // A call whose credential is refused asks for the password, as on every page.
        refused: async () => {
          await ok(client.GET('/v1/me'));
          return true;
        },
      }),
    program: async (pid) => {
      const { processes } = await ok(client.GET('/v1/sandboxes/{id}/processes', { params: { path } }));
      const cmd = processes.find((process) => process.pid === pid)?.cmd;
      return cmd?.split('/').at(-1)?.slice(0, 40);
    },
    busy: async (pid) => {
      try {
        const result = await ok(
          client.POST('/v1/sandboxes/{id}/exec', {
            params: { path },
            body: { cmd: 'cat', args: [`/proc/${pid}/task/${pid}/children`], timeout_sec: 5 },
          }),
        );
        if (!('stdout' in result) || result.exit_code !== 0) return true;
        return result.stdout.trim() !== '';
      } catch {
        // Not known: better to ask once too often.
        return true;
      }
    },
    kill: async (tag) => {
      try {
        await ok(
          client.DELETE('/v1/sandboxes/{id}/processes/{selector}', {
            params: { path: { ...path, selector: tag } },
          }),
        );
      } catch (error) {
        // It has ended by itself.
        if (!(error instanceof CallError && error.status === 404)) throw error;
      }
    },
  };
}
