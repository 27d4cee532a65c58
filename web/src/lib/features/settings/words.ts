import type { Schemas } from '#lib/api/types.ts';

/** The ways into an account that were added since its password was last set. */
export function sinceLast(answer: Schemas['PasswordResponse']): string[] {
  return [
    ...answer.providers.map(
      ({ provider, email }) => `${providerName(provider)}${email ? ` (${email})` : ''}`,
    ),
    ...answer.api_keys.map(({ name }) => `API key ${name}`),
  ];
}

export function providerName(provider: string): string {
  return provider === 'github' ? 'GitHub' : provider;
}

/** Why a provider was not connected: the codes of `OauthRefusal` in `locule-control/src/accounts/oauth.rs`. */
export function connectProblem(code: string): string {
  switch (code) {
    case 'already_linked':
      return 'This GitHub account is connected to another account.';
    case 'access_denied':
      return 'GitHub did not give access.';
    case 'invalid_state':
      return 'Connecting GitHub took too long, or was begun in another browser. Try again.';
    default:
      return 'GitHub was not connected. Try again in a moment.';
  }
}

/** A browser, in the words of a person: `Firefox on Linux`. */
export function browserOf(client: string | null | undefined): string {
  if (!client) return 'An unknown program';
  const browser = /Edg\//.test(client)
    ? 'Edge'
    : /Firefox\//.test(client)
      ? 'Firefox'
      : /Chrome\//.test(client)
        ? 'Chrome'
        : /Safari\//.test(client)
          ? 'Safari'
          : undefined;
  const system = /Android/.test(client)
    ? 'Android'
    : /iPhone|iPad/.test(client)
      ? 'iOS'
      : /Windows/.test(client)
        ? 'Windows'
        : /Mac OS/.test(client)
          ? 'macOS'
          : /Linux/.test(client)
            ? 'Linux'
            : undefined;
  if (!browser) return client.slice(0, 60);
  return system ? `${browser} on ${system}` : browser;
}

/** Where a login came from: `Firefox on Linux, 192.0.2.7`. */
export function placeOf({ client, address }: Pick<Schemas['LoginSession'], 'client' | 'address'>): string {
  return address ? `${browserOf(client)}, ${address}` : browserOf(client);
}
