/**
 * Renews the login before it ends, while the page is used. Only the newest token of a login may renew it: a renewal with an older one,
 * later than a minute, ends the login of all tabs (ADR 0039). So a tab asks the others first, and takes what they have.
 */
import { CallError } from '#lib/api/errors.ts';
import type { AuthResponse } from '#lib/api/types.ts';
import { latestEnd, tokenEnd, type Session } from './session.svelte.ts';

/** How long before its end a login is renewed, in milliseconds. */
export const WINDOW = 3_600_000;
/** A page without a key or a click for so long is not in use. */
export const IDLE = 3_600_000;
const TICK = 30_000;

export interface RenewalCalls {
  /** A new token of the login that the token belongs to. */
  renew: (token: string) => Promise<AuthResponse>;
  /** A token for another team of the same person, with the same end. */
  forTeam: (token: string, team: string) => Promise<AuthResponse>;
}

const endOf = (login: AuthResponse): number => tokenEnd(login.token) ?? 0;

export class Renewal {
  #session: Session;
  #calls: RenewalCalls;
  #used = Date.now();
  #busy = false;

  constructor(session: Session, calls: RenewalCalls) {
    this.#session = session;
    this.#calls = calls;
    session.onkept = (login) => void this.adopt(login).catch(() => undefined);
  }

  /** Watches the page and the time until the answer is called. */
  start(): () => void {
    const use = () => (this.#used = Date.now());
    const look = () => {
      if (document.visibilityState !== 'visible') return;
      use();
      void this.look();
    };
    use();
    const timer = setInterval(() => void this.look(), TICK);
    for (const event of ['pointerdown', 'keydown']) addEventListener(event, use, { passive: true });
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      for (const event of ['pointerdown', 'keydown']) removeEventListener(event, use);
      document.removeEventListener('visibilitychange', look);
    };
  }

  /** Renews the login if it is time. */
  async look(): Promise<void> {
    const { login, refused } = this.#session;
    if (!login || refused || this.#busy) return;
    const left = endOf(login) - Date.now();
    if (left > WINDOW) return;
    if (left > 0 && (this.#session.final || Date.now() - this.#used > IDLE)) return;
    await this.now();
  }

  /** Renews the login, or takes the newer one of another tab. A failure leaves the login as it is: the next look tries again. */
  async now(): Promise<void> {
    const before = this.#session.login;
    if (!before || this.#busy) return;
    this.#busy = true;
    try {
      if (await this.newer()) return;
      const end = endOf(before);
      if (end <= Date.now()) this.#session.refuse();
      // A tab that is gone has renewed the login: this token is not the newest any more.
      else if (latestEnd(before.user_id) <= end) await this.#renew(before, end);
    } catch (error) {
      if (error instanceof CallError && error.status === 401) this.#session.refuse();
    } finally {
      this.#busy = false;
    }
  }

  /** Takes the newest login that another tab has. False: none has a newer one. */
  async newer(): Promise<boolean> {
    const offered = (await this.#session.siblings()).sort((a, b) => endOf(b) - endOf(a));
    for (const login of offered) if (await this.adopt(login)) return true;
    return false;
  }

  async #renew(before: AuthResponse, end: number): Promise<void> {
    const renewed = await this.#calls.renew(before.token);
    if (endOf(renewed) <= end) this.#session.final = true;
    // The person may have signed out meanwhile.
    else if (this.#session.login?.user_id === before.user_id) await this.#use(renewed, true);
  }

  /** Takes the login of another tab if it is a newer one of the same person. */
  async adopt(login: AuthResponse): Promise<boolean> {
    const mine = this.#session.login;
    if (!mine || login.user_id !== mine.user_id || endOf(login) <= endOf(mine)) return false;
    await this.#use(login, false);
    return true;
  }

  /** The page goes on to act for its own team. */
  async #use(login: AuthResponse, tell: boolean): Promise<void> {
    if (tell) this.#session.tell(login);
    const team = this.#session.login?.team_id;
    this.#session.take(
      !team || team === login.team_id ? login : await this.#calls.forTeam(login.token, team),
    );
  }
}
