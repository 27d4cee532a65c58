import { onMount } from 'svelte';
import { Poller } from '#lib/state/poller.svelte.ts';

const PERIOD = 15_000;
/** While a machine is about to become a host. */
const REGISTERING = 2000;

/** Loads hosts again and again while the component is there, and more often while a registration is awaited. */
export function pollHosts(awaited: () => boolean, load: () => Promise<void>): Poller {
  const poller = new Poller({ period: () => (awaited() ? REGISTERING : PERIOD), load });
  onMount(() => poller.start());
  $effect(() => {
    void awaited();
    poller.rescheduled();
  });
  return poller;
}
