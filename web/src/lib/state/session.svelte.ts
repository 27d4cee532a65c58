import type { AuthResponse, Me } from '#lib/api/types.ts';

const KEY = 'locule.session';
const CHANNEL = 'locule.session';
/** Milliseconds in which another tab can hand over its login. */
const HANDOVER = 200;

type Message = { kind: 'ask' } | { kind: 'offer' | 'kept'; login: AuthResponse } | { kind: 'end' };

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

/** The latest end of a login that a tab of this browser has seen, by the person. It is no secret, and outlives the tab. */
const ENDS = 'locule.ends';

function ends(): Record<string, number> {
  try {
    return JSON.parse(localStorage.getItem(ENDS) ?? '{}') as Record<string, number>;
  } catch {
    return {};
  }
}

function noteEnd({ user_id: user, token }: AuthResponse): void {
  const end = tokenEnd(token) ?? 0;
  if (end <= latestEnd(user)) return;
  try {
    localStorage.setItem(ENDS, JSON.stringify({ [user]: end }));
  } catch {
    // Storage is blocked: the tabs that are open tell each other.
  }
}

/** 0 when none is known. */
export function latestEnd(user: string): number {
  return ends()[user] ?? 0;
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
  /** Whether a renewal moves the end of the login no further: it is as old as a login gets. */
  final = $state(false);
  /** Another tab has got a login, or renewed this one. */
  onkept: ((login: AuthResponse) => void) | undefined;
  #channel = new BroadcastChannel(CHANNEL);
  #again: ((logged: boolean) => void)[] = [];
  #ended: () => void;

  constructor(ended: () => void) {
    this.#ended = ended;
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === 'ask' && this.login)
        this.#send({ kind: 'offer', login: $state.snapshot(this.login) });
      if (data.kind === 'kept') this.onkept?.(data.login);
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
      const [offered] = await this.siblings(1);
      if (offered) this.take(offered);
    }
  }

  /** The logins of the other tabs. The answer waits for so many of them, or for as long as a tab may take. */
  async siblings(most = Infinity): Promise<AuthResponse[]> {
    const channel = new BroadcastChannel(CHANNEL);
    const offered: AuthResponse[] = [];
    try {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, HANDOVER);
        channel.onmessage = ({ data }: MessageEvent<Message>) => {
          if (data.kind !== 'offer') return;
          offered.push(data.login);
          if (offered.length < most) return;
          clearTimeout(timer);
          resolve();
        };
        this.#send({ kind: 'ask' });
      });
      return offered;
    } finally {
      channel.close();
    }
  }

  /** A login, a switch of the team or a renewal. */
  keep(login: AuthResponse): void {
    this.take(login);
    this.tell(login);
  }

  /** Tells the other tabs of a login. */
  tell(login: AuthResponse): void {
    this.#send({ kind: 'kept', login: JSON.parse(JSON.stringify(login)) as AuthResponse });
  }

  /** A login that another tab has already. */
  take(login: AuthResponse): void {
    this.login = login;
    this.final = false;
    sessionStorage.setItem(KEY, JSON.stringify(login));
    noteEnd(login);
    this.refused = false;
    for (const resolve of this.#again.splice(0)) resolve(true);
  }

  /** The login is over, and no request has found that out yet. */
  refuse(): void {
    this.refused = true;
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
