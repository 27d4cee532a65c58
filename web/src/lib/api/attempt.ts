import { error } from '@sveltejs/kit';
import { CallError } from './errors.ts';
import { words } from './errors.ts';

export type Attempt<T> = { value: T; failure?: undefined } | { value?: undefined; failure: unknown };

/** For `load`: what the page needs, or the failure that the page shows in place. What is forbidden or absent has a page of its own. */
export async function attempt<T>(work: Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work };
  } catch (failure) {
    if (failure instanceof CallError && (failure.status === 403 || failure.status === 404))
      error(failure.status, words(failure));
    return { failure };
  }
}
