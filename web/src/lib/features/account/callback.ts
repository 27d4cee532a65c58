import type { AuthResponse } from '#lib/api/types.ts';

/** The cookies in which the API hands over a login: `set_login_cookies` in `locule-http/src/oauth.rs`. */
const PREFIX = 'locule_oauth_';
const NAMES = ['token', 'user_id', 'team_id', 'email', 'name', 'new_signup'];

export interface Handed {
  login: AuthResponse;
  /** The account is new: its name comes from the provider. */
  isNew: boolean;
}

/** Reads the login out of the cookies. `undefined` where they are incomplete. */
export function readLogin(cookies: string): Handed | undefined {
  const found = new Map<string, string>();
  for (const cookie of cookies.split(';')) {
    const [name = '', value = ''] = cookie.trim().split('=');
    if (!name.startsWith(PREFIX)) continue;
    try {
      found.set(name.slice(PREFIX.length), decodeURIComponent(value));
    } catch {
      return undefined;
    }
  }
  const token = found.get('token');
  const userId = found.get('user_id');
  const email = found.get('email');
  if (!token || !userId || !email) return undefined;
  return {
    login: {
      token,
      user_id: userId,
      team_id: found.get('team_id') || null,
      email,
      name: found.get('name') ?? '',
    },
    isNew: found.get('new_signup') === '1',
  };
}

/** The cookies last a minute; the page removes them at once. */
export function clearLogin(): void {
  for (const name of NAMES) document.cookie = `${PREFIX}${name}=; Path=/auth/; Max-Age=0; SameSite=Lax`;
}
