import { App } from '#lib/state/app.svelte.ts';
import type { LayoutLoad } from './$types';

export const ssr = false;
export const prerender = false;

/** Runs once: nothing here is invalidated, so that the page has one session and one client. */
export const load: LayoutLoad = async ({ fetch: kit, untrack }) => {
  // Kit wants the requests of every `load` to go through its own `fetch`. None of them makes this load run again.
  const app = new App((request) => (request.method === 'GET' ? untrack(() => kit(request)) : fetch(request)));
  await app.ready;
  return { app };
};
