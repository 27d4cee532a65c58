import { SvelteMap } from 'svelte/reactivity';
import type { Sandbox } from '#lib/api/types.ts';

/** What this page has asked for and the platform has not finished. */
export type Doing = 'pausing' | 'resuming' | 'destroying';

/** For how long the list loads often after an act, in milliseconds. */
const QUICK = 30_000;

/** The capsules of the team, as the last answer told them: one list for the pages, the palette and the running count. */
export class Sandboxes {
  all = $state.raw<Sandbox[] | undefined>();
  /** The ids that the page did not know before, so that their rows show it. */
  fresh = $state.raw<readonly string[]>([]);
  readonly acting = new SvelteMap<string, Doing>();
  /** The time of the last answer. */
  loaded = 0;
  #ended = false;
  #quickUntil = 0;
  #changed: { at: number; id: string; sandbox: Sandbox | undefined }[] = [];
  #load: (ended: boolean) => Promise<Sandbox[]>;
  #counted: (running: number) => void;

  constructor(load: (ended: boolean) => Promise<Sandbox[]>, counted: (running: number) => void) {
    this.#load = load;
    this.#counted = counted;
  }

  /** Whether the list should load often: something happens, or happened just now. */
  get quick(): boolean {
    return Date.now() < this.#quickUntil;
  }

  hurry(): void {
    this.#quickUntil = Date.now() + QUICK;
  }

  async load(ended = this.#ended): Promise<void> {
    this.#ended = ended;
    const begun = performance.now();
    const answer = await this.#load(ended);
    // An answer that was on its way while something changed here does not undo the change.
    const newer = this.#changed.filter((change) => change.at > begun);
    this.#changed = newer;
    this.#show(newer.reduce(changed, answer));
    this.loaded = Date.now();
  }

  /** A sandbox as an answer about it alone told it. */
  merge(sandbox: Sandbox): void {
    this.#change(sandbox.id, sandbox);
  }

  /** A sandbox that has ended. */
  drop(id: string): void {
    this.#change(id, undefined);
  }

  reset(): void {
    this.all = undefined;
    this.fresh = [];
    this.acting.clear();
    this.#changed = [];
    this.loaded = 0;
    this.#quickUntil = 0;
  }

  #change(id: string, sandbox: Sandbox | undefined): void {
    const change = { at: performance.now(), id, sandbox };
    this.#changed.push(change);
    if (this.all) this.#show(changed(this.all, change));
  }

  #show(all: Sandbox[]): void {
    const known = this.all && Object.fromEntries(this.all.map((sandbox) => [sandbox.id, true]));
    const fresh = known ? all.filter((sandbox) => !known[sandbox.id]).map((sandbox) => sandbox.id) : [];
    if (fresh.length > 0) this.fresh = fresh;
    this.all = all;
    this.#counted(all.filter((sandbox) => sandbox.status === 'running').length);
  }
}

function changed(all: Sandbox[], { id, sandbox }: { id: string; sandbox: Sandbox | undefined }): Sandbox[] {
  if (!sandbox) return all.filter((other) => other.id !== id);
  if (!all.some((other) => other.id === id)) return [sandbox, ...all];
  return all.map((other) => (other.id === id ? sandbox : other));
}
