import { untrack } from 'svelte';

/** What can be done on the page that is open: for its letter keys, the palette and the help. */
export interface Act {
  label: string;
  /** The letter key. */
  key?: string;
  /** Why the act is off. */
  why?: string | undefined;
  run: () => void;
}

export class Acts {
  #lists = $state.raw<readonly (readonly Act[])[]>([]);

  get all(): readonly Act[] {
    return this.#lists.flat();
  }

  /** Offers acts until the answer is called: `$effect(() => app.acts.offer([…]))`. */
  offer(acts: readonly Act[]): () => void {
    // The effect that offers them must not depend on what it writes.
    this.#lists = untrack(() => [...this.#lists, acts]);
    return () => {
      this.#lists = this.#lists.filter((list) => list !== acts);
    };
  }
}
