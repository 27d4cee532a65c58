import { words } from '#lib/api/errors.ts';
import { shortId } from '#lib/components/capsule/words.ts';
import { plural } from '#lib/components/time.ts';
import type { App } from '#lib/state/app.svelte.ts';
import { hostCalls } from './calls.ts';
import {
  type CreatedHost,
  drainWords,
  type Host,
  type NewHost,
  type Quarantined,
  type Running,
} from './words.ts';

/** Acts on hosts, and the dialogs that are open for them. */
export class HostCommands {
  registering = $state(false);
  /** The host whose command is shown, once. */
  shown = $state.raw<CreatedHost | undefined>();
  draining = $state.raw<Host | undefined>();
  deleting = $state.raw<Host | undefined>();
  readonly calls: ReturnType<typeof hostCalls>;
  #app: App;
  #reload: () => Promise<void>;
  #deleted: () => Promise<void>;

  /** `reload` loads the page anew after an act, and `deleted` leaves the page of a host that is gone. */
  constructor(app: App, reload: () => Promise<void>, deleted = reload) {
    this.#app = app;
    this.#reload = reload;
    this.#deleted = deleted;
    this.calls = hostCalls(app.client);
  }

  async register(host: NewHost): Promise<void> {
    this.shown = await this.calls.create(host);
    // The command stands in the place of the form, while the list loads.
    this.registering = false;
    await this.#reload();
  }

  /** Shows a new command for a host that has not registered. The one before works no more. */
  async showAgain(host: Host): Promise<void> {
    await this.#told(host, async () => {
      this.shown = await this.calls.token(host.id);
    });
  }

  /** Takes a host out of the choice for new capsules, or back in, which ends a drain too. */
  async cordon(host: Host, cordoned: boolean, undo = true): Promise<void> {
    await this.#told(host, async () => {
      await this.calls.cordon(host.id, cordoned);
      await this.#reload();
      const back = { label: 'Undo', act: () => void this.cordon(host, !cordoned, false) };
      this.#app.toasts.ok(
        cordoned
          ? `${shortId(host.id)} gets no new capsules.`
          : `${shortId(host.id)} gets new capsules again.`,
        undo && !host.drain ? back : undefined,
      );
    });
  }

  async drain(host: Host, running: Running): Promise<void> {
    const answer = await this.calls.drain(host.id, running);
    await this.#reload();
    this.#app.toasts.ok(`Draining ${shortId(host.id)}. ${drainWords(answer.sandboxes, running)}`);
  }

  /** Imports one capsule after the other, and tells each that the platform refuses. */
  async importAll(host: Host, held: readonly Quarantined[]): Promise<void> {
    let imported = 0;
    for (const { id } of held) {
      try {
        await this.calls.importCapsule(host.id, id);
        imported += 1;
      } catch (error) {
        this.#app.toasts.bad(`${shortId(id)}: ${words(error)}`);
      }
    }
    await this.#reload();
    if (imported > 0) this.#app.toasts.ok(`Imported ${plural(imported, 'capsule')}, paused as they were.`);
  }

  async remove(host: Host, force: boolean): Promise<void> {
    await this.calls.remove(host.id, force);
    this.#app.toasts.ok(`${shortId(host.id)} is deleted.`);
    await this.#deleted();
  }

  async #told(host: Host, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#app.toasts.bad(`${shortId(host.id)}: ${words(error)}`);
    }
  }
}
