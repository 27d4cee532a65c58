import { App } from '#lib/state/app.svelte.ts';
import type { LayoutLoad } from './$types';

export const ssr = false;
export const prerender = false;

/** Runs once: nothing here is invalidated, so that the page has one session and one client. */
export const load: LayoutLoad = async () => {
  const app = new App();
  await app.ready;
  return { app };
};
