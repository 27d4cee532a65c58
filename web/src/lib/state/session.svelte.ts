import type { AuthResponse, Me } from '#lib/api/types.ts';

const KEY = 'locule.session';
const CHANNEL = 'locule.session';
/** Milliseconds in which another tab can hand over its login. */
const HANDOVER = 200;

type Message = { kind: 'ask' } | { kind: 'offer'; login: AuthResponse } | { kind: 'end' };

/** The end of a token, in milliseconds. Only the page's own warnings depend on it; the API decides. */
export function tokenEnd(token: string): number | undefined {
  try {
    const payload = token.split('.')[1] ?? '';
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { exp?: unknown };
    return typeof claims.exp === 'number' ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The login. It is kept in memory and in the tab's session storage, never in local storage, where it would stay for hours after
 * the browser was closed. A new tab asks the others.
 */
export class Session {
  login = $state<AuthResponse | undefined>();
  /** The account as the API tells it: never read from the token. */
  me = $state<Me | undefined>();
  /** Whether the login was refused, so that the page asks for the password again. */
  refused = $state(false);
  #channel = new BroadcastChannel(CHANNEL);
  #again: ((logged: boolean) => void)[] = [];
  #ended: () => void;

  constructor(ended: () => void) {
    this.#ended = ended;
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === 'ask' && this.login)
        this.#send({ kind: 'offer', login: $state.snapshot(this.login) });
      if (data.kind === 'end' && this.login) {
        this.forget();
        this.#ended();
      }
    };
  }

  get token(): string | undefined {
    return this.login?.token;
  }

  get ends(): number | undefined {
    return this.login ? tokenEnd(this.login.token) : undefined;
  }

  /** Finds the login of this tab, or of another one. */
  async restore(): Promise<void> {
    const kept = sessionStorage.getItem(KEY);
    if (kept) {
      try {
        const login = JSON.parse(kept) as AuthResponse;
        if ((tokenEnd(login.token) ?? 0) > Date.now()) this.login = login;
      } catch {
        sessionStorage.removeItem(KEY);
      }
    }
    if (!this.login) {
      const offered = await this.#ask();
      if (offered) this.keep(offered);
    }
  }

  async #ask(): Promise<AuthResponse | undefined> {
    const channel = new BroadcastChannel(CHANNEL);
    try {
      return await new Promise((resolve) => {
        const timer = setTimeout(() => resolve(undefined), HANDOVER);
        channel.onmessage = ({ data }: MessageEvent<Message>) => {
          if (data.kind !== 'offer') return;
          clearTimeout(timer);
          resolve(data.login);
        };
        this.#send({ kind: 'ask' });
      });
    } finally {
      channel.close();
    }
  }

  /** A login, a switch of the team or a renewal. */
  keep(login: AuthResponse): void {
    this.login = login;
    sessionStorage.setItem(KEY, JSON.stringify(login));
    this.refused = false;
    for (const resolve of this.#again.splice(0)) resolve(true);
  }

  /** The login was refused. Resolves when the user has logged in again, or given up. */
  lost(): Promise<boolean> {
    this.refused = true;
    return new Promise((resolve) => this.#again.push(resolve));
  }

  forget(): void {
    sessionStorage.removeItem(KEY);
    this.login = undefined;
    this.me = undefined;
    this.refused = false;
    for (const resolve of this.#again.splice(0)) resolve(false);
  }

  /** Forgets the login in every tab. */
  end(): void {
    this.forget();
    this.#send({ kind: 'end' });
  }

  #send(message: Message): void {
    this.#channel.postMessage(message);
  }
}
