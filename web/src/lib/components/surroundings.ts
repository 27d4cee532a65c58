/** What components take from the page around them: the time, and how the person wants to see things. */
import { getContext, setContext } from 'svelte';

export interface Surroundings {
  readonly clock: { readonly now: number };
  readonly preferences: {
    readonly density: string;
    readonly times: 'relative' | 'absolute';
    readonly zone: 'local' | 'utc';
    /** Whether single letters are keys of the page. */
    readonly letters: 'on' | 'off';
  };
}

const KEY = Symbol('surroundings');

export function provideSurroundings(surroundings: Surroundings): void {
  setContext(KEY, surroundings);
}

export function useSurroundings(): Surroundings {
  return getContext<Surroundings>(KEY);
}
