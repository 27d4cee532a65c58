import { readEvents, type TeamEvent } from '#lib/api/stream.ts';

/** The period of polls while changes are told as they happen, in milliseconds. */
export const RELAXED = 60_000;

/** The platform sends a comment every 15 seconds. After so long without one the connection is lost, in milliseconds. */
const SILENCE_MAX = 45_000;
const WAITS = [1000, 2000, 4000, 8000, 16_000, 30_000];
/** A stream that stood for so long counts as one that works: the waits begin at the shortest again. */
const STABLE = 5000;

export interface EventSource {
  /** Asks for the stream, with the token of this moment. */
  open: (signal: AbortSignal) => Promise<Response>;
  /** The login was refused. Resolves to true when there is a new one. */
  refused: () => Promise<boolean>;
}

/**
 * The events of the team, while a page of the team is visible. A hidden page has no stream: with HTTP/1.1 a browser has six
 * connections to a host for all of its tabs, and seven streams would leave none for requests (ADR 0042).
 */
export class TeamEvents {
  /** Whether changes are told as they happen, so that polls may be rare. */
  live = $state(false);
  #source: EventSource;
  #listeners: readonly ((event: TeamEvent) => void)[] = [];
  #key: string | undefined;
  #connection: AbortController | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #attempts = 0;
  #heard = 0;

  constructor(source: EventSource) {
    this.#source = source;
  }

  /** Calls the listener for each event, until the answer is called. */
  on(listener: (event: TeamEvent) => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== listener);
    };
  }

  /** Follows the events of a person in a team. `undefined`: of none. A new token of the same person and team changes nothing. */
  follow(key: string | undefined): void {
    if (key === this.#key) return;
    this.#key = key;
    this.#attempts = 0;
    this.#close();
    this.#look();
  }

  /** Follows the visibility of the page until the answer is called. */
  start(): () => void {
    const look = () => this.#look();
    document.addEventListener('visibilitychange', look);
    return () => {
      document.removeEventListener('visibilitychange', look);
      this.follow(undefined);
    };
  }

  #look(): void {
    if (document.visibilityState !== 'visible') this.#close();
    else if (this.#key !== undefined && !this.#connection) void this.#open();
  }

  #close(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#retry = undefined;
    this.#connection?.abort();
    this.#connection = undefined;
    this.live = false;
  }

  async #open(): Promise<void> {
    this.#close();
    const connection = new AbortController();
    this.#connection = connection;
    const begun = Date.now();
    const ended = await this.#read(connection).catch(() => 'lost' as const);
    // What was closed on purpose has a successor, or needs none.
    if (connection !== this.#connection) return;
    this.#close();
    if (ended === 'gone') return;
    if (Date.now() - begun > STABLE) this.#attempts = 0;
    const wait = ended === 'again' ? 0 : (WAITS[Math.min(this.#attempts, WAITS.length - 1)] ?? 0);
    this.#attempts += 1;
    this.#retry = setTimeout(() => this.#look(), wait * (0.9 + Math.random() * 0.2));
  }

  /** Reads one connection to its end, and says what follows from that. */
  async #read(connection: AbortController): Promise<'lost' | 'again' | 'gone'> {
    const heard = () => (this.#heard = Date.now());
    heard();
    this.#watch = setInterval(() => {
      // As after the machine slept: the connection is lost, whatever the browser believes.
      if (Date.now() - this.#heard > SILENCE_MAX) connection.abort();
    }, SILENCE_MAX / 3);
    const response = await this.#source.open(connection.signal);
    if (response.status === 401) return (await this.#source.refused()) ? 'again' : 'gone';
    // A platform of an earlier version has no events.
    if (response.status === 404) return 'gone';
    if (!response.ok || !response.body) return 'lost';
    await readEvents(response.body, {
      heard,
      told: (event) => {
        if (connection !== this.#connection) return;
        if (event.event === 'resync') this.live = true;
        for (const listener of this.#listeners) listener(event);
      },
    });
    return 'lost';
  }
}
