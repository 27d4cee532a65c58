import { type Client, ok } from '#lib/api/client.ts';
import type { Schemas } from '#lib/api/types.ts';

/** What the installation offers to people without a login. Nothing is offered while it does not answer. */
export async function loadInfo(client: Client): Promise<Schemas['PlatformInfo'] | undefined> {
  try {
    return await ok(client.GET('/v1/info'));
  } catch {
    return undefined;
  }
}
