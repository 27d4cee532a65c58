/** What a dialog asks the platform when it opens. An answer about another thing than the last one is dropped. */
export class Asked<K, T> {
  value = $state.raw<T | undefined>();
  failure = $state.raw<unknown>();
  #ask: (about: K) => Promise<T>;
  #about: K | undefined;

  constructor(ask: (about: K) => Promise<T>) {
    this.#ask = ask;
  }

  /** Asks anew. `undefined`: the dialog is closed. */
  about(about: K | undefined): void {
    this.#about = about;
    this.value = undefined;
    this.failure = undefined;
    if (about !== undefined) void this.#answer(about);
  }

  async #answer(about: K): Promise<void> {
    try {
      const answer = await this.#ask(about);
      if (this.#about === about) this.value = answer;
    } catch (error) {
      if (this.#about === about) this.failure = error;
    }
  }
}
