import { goto, invalidate } from '$app/navigation';
import { getContext, setContext } from 'svelte';
import { createClient, ok, type Client, type Send } from '#lib/api/client.ts';
import { words } from '#lib/api/errors.ts';
import type { AuthResponse } from '#lib/api/types.ts';
import { allSandboxes } from '#lib/api/sandboxes.ts';
import { Acts } from './acts.svelte.ts';
import { Clock } from './clock.svelte.ts';
import { Connection } from './connection.svelte.ts';
import { TeamEvents } from './events.svelte.ts';
import { Launcher } from './launcher.svelte.ts';
import { Preferences } from './preferences.svelte.ts';
import { Renewal } from './renewal.ts';
import { Running } from './running.svelte.ts';
import { Sandboxes } from './sandboxes.svelte.ts';
import { Session } from './session.svelte.ts';
import { Teams } from './teams.svelte.ts';
import { Toasts } from './toasts.svelte.ts';

/** Everything that lasts as long as the page. Made once, by the root layout's load; components get it by context. */
export class App {
  readonly clock = new Clock();
  readonly toasts = new Toasts();
  readonly preferences = new Preferences();
  readonly session: Session;
  readonly renewal: Renewal;
  readonly connection: Connection;
  readonly client: Client;
  readonly events: TeamEvents;
  readonly teams: Teams;
  readonly running: Running;
  readonly sandboxes: Sandboxes;
  readonly acts = new Acts();
  readonly launcher = new Launcher();
  #leaving = false;
  /** Resolves when it is known whether there is a login. */
  readonly ready: Promise<void>;

  constructor(send: Send = fetch) {
    this.session = new Session(() => void goto('/login'));
    this.connection = new Connection(
      () => this.client.GET('/health'),
      () => {
        this.toasts.ok('The platform answers again.');
        void invalidate(ours);
      },
    );
    const reached = (answered: boolean) => this.connection.reached(answered);
    const lost = async () => {
      if (await this.renewal.newer().catch(() => false)) return true;
      if (this.session.me) return this.session.lost();
      // No page is there yet that could ask for the password.
      this.session.forget();
      return false;
    };
    const noTeam = () => this.#takenOut();
    this.client = createClient({ token: () => this.session.token, lost, reached, noTeam }, send);
    // A renewal that is refused asks for no password: the page does, when the login has ended.
    const by = (token: string) =>
      createClient({ token: () => token, lost: () => Promise.resolve(false), reached, noTeam }, send);
    this.renewal = new Renewal(this.session, {
      renew: (token) => ok(by(token).POST('/v1/auth/renew')),
      forTeam: (token, team) => ok(by(token).POST('/v1/auth/switch-team', { body: { team_id: team } })),
    });
    this.events = new TeamEvents({
      open: (signal) =>
        fetch('/v1/events', {
          headers: { accept: 'text/event-stream', authorization: `Bearer ${this.session.token ?? ''}` },
          cache: 'no-store',
          signal,
        }),
      refused: lost,
    });
    this.teams = new Teams(() => ok(this.client.GET('/v1/teams')));
    this.running = new Running();
    this.sandboxes = new Sandboxes(
      (ended) => allSandboxes(this.client, ended),
      (running) => (this.running.count = running),
    );
    this.ready = this.#restore();
  }

  async #restore(): Promise<void> {
    await this.session.restore();
    if (this.session.login) this.teams.reset(this.session.login.team_id);
  }

  /** Begins a login: nothing of the one before remains. */
  begin(login: AuthResponse): void {
    this.teams.reset(login.team_id);
    this.#forget();
    this.session.me = undefined;
    this.session.keep(login);
  }

  /** Acts for another team. The pages load anew. */
  async switchTeam(team: string): Promise<void> {
    const login = await ok(this.client.POST('/v1/auth/switch-team', { body: { team_id: team } }));
    this.session.keep(login);
    this.#forget();
    this.teams.currentId = login.team_id ?? undefined;
  }

  /** Nothing of the team before shows. */
  #forget(): void {
    this.running.reset();
    this.sandboxes.reset();
  }

  /** A team is gone: acts for the next one, and says so (B-141). With none, the login goes on without a team. */
  async leaveTeam(gone: string, done: string): Promise<void> {
    if (this.teams.currentId !== gone || this.#leaving) return;
    this.#leaving = true;
    try {
      const next = (await this.teams.load()).find((team) => team.id !== gone);
      this.session.me = undefined;
      if (next) await this.switchTeam(next.id);
      else {
        this.#forget();
        this.teams.currentId = undefined;
        if (this.session.login) this.session.keep({ ...this.session.login, team_id: null });
      }
      this.toasts.ok(movedOn(done, next?.name));
      await goto(next ? '/dashboard/capsules/list' : '/dashboard/team', { invalidate: [ours] });
    } finally {
      this.#leaving = false;
    }
  }

  /** A request was refused because the person is no member of the team any more. */
  #takenOut(): void {
    const { current, currentId } = this.teams;
    if (!currentId) return;
    const done = `You are no member of ${current?.name ?? 'the team'} any more.`;
    this.leaveTeam(currentId, done).catch((failure: unknown) => this.toasts.bad(words(failure)));
  }

  async signOut(): Promise<void> {
    await this.client.POST('/v1/auth/logout').catch(() => undefined);
    this.session.end();
    this.teams.reset(undefined);
    this.#forget();
    await goto('/login');
  }
}

/** What pages load for themselves. */
function ours(url: URL): boolean {
  return url.href.startsWith('app:');
}

function movedOn(done: string, next: string | undefined): string {
  return next
    ? `${done} You act for ${next} now.`
    : `${done} You are in no team now. Create one with the team switcher at the top of the side bar.`;
}

const KEY = Symbol('app');

export function provideApp(app: App): void {
  setContext(KEY, app);
}

export function useApp(): App {
  return getContext<App>(KEY);
}
