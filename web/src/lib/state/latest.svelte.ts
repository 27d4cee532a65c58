export interface Loaded<T> {
  value?: T | undefined;
  failure?: unknown;
}

/** An answer or a failure: what a page shows in place. */
export function settled<T>(work: Promise<T>): Promise<Loaded<T>> {
  return work.then(
    (value) => ({ value }),
    (failure: unknown) => ({ failure }),
  );
}

/** For `load`: waits for a short time, so that a fast answer is there with the page, and leaves a slow one to its skeleton. */
export async function soon<T>(work: Promise<T>): Promise<{ loaded: Promise<Loaded<T>> }> {
  const loaded = settled(work);
  await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
  return { loaded };
}

/** How long a page waits before it shows its skeleton, in milliseconds. */
const PATIENCE = 150;

/** What a page shows of loads that follow each other. A failed load leaves what is known of the same address. */
export class Latest<T> {
  value = $state.raw<T | undefined>();
  failure = $state.raw<unknown>();
  #key: string | undefined;
  #turn = 0;

  /** `key`: what was asked. An answer that a later one has overtaken is dropped. */
  async take(key: string, loaded: Promise<Loaded<T>>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    const answer = await loaded;
    if (turn !== this.#turn) return;
    if (answer.value !== undefined || key !== this.#key) this.value = answer.value;
    this.failure = answer.failure;
    this.#key = key;
  }
}
