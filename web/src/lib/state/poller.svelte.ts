/** Loads again and again while the page is visible: with jitter, at once on return, and less often after failures. */
export interface Polling {
  /** Milliseconds between two loads. `undefined`: never. Asked before each wait. */
  period: () => number | undefined;
  /** Loads. A failure is remembered, not thrown. */
  load: () => Promise<void>;
}

/** What is told within this time is loaded together, in milliseconds. */
const GATHER = 300;
const BACKOFF = [2000, 4000, 8000, 16_000, 30_000];

export class Poller {
  /** The time of the last load that succeeded. */
  updated = $state<number | undefined>(Date.now());
  /** The time of the next load. */
  next = $state<number | undefined>();
  /** How long the wait for the next load is in all, in milliseconds. */
  wait = $state(0);
  /** Whether the page loads by itself: a person can switch that off. */
  on = $state(true);
  loading = $state(false);
  failure = $state<unknown>();
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #polling: Polling;
  #stopped = true;

  constructor(polling: Polling) {
    this.#polling = polling;
  }

  /** Starts to poll. The page's first load has already happened. */
  start(): () => void {
    this.#stopped = false;
    const follow = () => {
      if (document.visibilityState === 'visible') void this.refresh();
      else this.#cancel();
    };
    this.#schedule();
    document.addEventListener('visibilitychange', follow);
    return () => {
      this.#stopped = true;
      clearTimeout(this.#soon);
      this.#soon = undefined;
      this.#cancel();
      document.removeEventListener('visibilitychange', follow);
    };
  }

  switch(on: boolean): void {
    this.on = on;
    this.rescheduled();
  }

  /** The period has changed: the wait begins anew. */
  rescheduled(): void {
    if (!this.#stopped) this.#schedule();
  }

  /** Something has changed: loads in a moment, once for all that is told until then. A hidden page loads when it is shown again. */
  soon(): void {
    if (this.#stopped || !this.on || this.#soon !== undefined || document.visibilityState !== 'visible')
      return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      // What is being loaded may be older than the change.
      if (this.loading) this.soon();
      else void this.refresh();
    }, GATHER);
  }

  async refresh(): Promise<void> {
    if (this.loading) return;
    this.#cancel();
    this.loading = true;
    try {
      await this.#polling.load();
      this.updated = Date.now();
      this.failure = undefined;
      this.#failures = 0;
    } catch (error) {
      this.failure = error;
      this.#failures += 1;
    } finally {
      this.loading = false;
    }
    this.#schedule();
  }

  #cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.next = undefined;
  }

  #schedule(): void {
    this.#cancel();
    if (this.#stopped || !this.on || document.visibilityState !== 'visible') return;
    const period = this.#polling.period();
    if (period === undefined) return;
    const failed = BACKOFF[Math.min(this.#failures, BACKOFF.length) - 1];
    const wait = (failed ?? period) * (0.9 + Math.random() * 0.2);
    this.wait = wait;
    this.next = Date.now() + wait;
    this.#timer = setTimeout(() => void this.refresh(), wait);
  }
}
