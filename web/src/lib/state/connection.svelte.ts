/** Requests in a row without an answer before the page says that the platform is away. */
const FAILURES_MAX = 2;

/** Whether the platform answers. */
export class Connection {
  lost = $state(false);
  /** The time of the last answer. */
  lastAnswer = $state(Date.now());
  /** The time of the next attempt while the platform is away. */
  nextAttempt = $state<number | undefined>();
  #failures = 0;
  #returned: () => void;
  #probe: () => Promise<unknown>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = 2000;

  constructor(probe: () => Promise<unknown>, returned: () => void) {
    this.#probe = probe;
    this.#returned = returned;
  }

  reached(ok: boolean): void {
    if (ok) {
      this.lastAnswer = Date.now();
      this.#failures = 0;
      if (this.lost) {
        this.lost = false;
        this.nextAttempt = undefined;
        clearTimeout(this.#timer);
        this.#wait = 2000;
        this.#returned();
      }
      return;
    }
    this.#failures += 1;
    if (this.#failures >= FAILURES_MAX && !this.lost) {
      this.lost = true;
      this.#schedule();
    }
  }

  tryNow(): void {
    clearTimeout(this.#timer);
    void this.#attempt();
  }

  #schedule(): void {
    this.nextAttempt = Date.now() + this.#wait;
    this.#timer = setTimeout(() => void this.#attempt(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, 30_000);
  }

  async #attempt(): Promise<void> {
    this.nextAttempt = undefined;
    await this.#probe().catch(() => undefined);
    if (this.lost) this.#schedule();
  }
}
