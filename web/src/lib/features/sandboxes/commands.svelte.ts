import { goto } from '$app/navigation';
import { failure, ok } from '#lib/api/client.ts';
import { words } from '#lib/api/errors.ts';
import type { CreateSandbox, Sandbox } from '#lib/api/types.ts';
import type { App } from '#lib/state/app.svelte.ts';
import type { Doing } from '#lib/state/sandboxes.svelte.ts';
import { shortId } from '#lib/components/capsule/words.ts';
import { bulkWords, type Result } from './words.ts';

/** How many acts on several capsules run at the same time. */
const PARALLEL = 4;

export type Command = 'pause' | 'resume' | 'destroy';
const DOING: Record<Command, Doing> = { pause: 'pausing', resume: 'resuming', destroy: 'destroying' };
const DONE = { pause: 'Paused', resume: 'Resumed', destroy: 'Destroyed' } as const;

export const terminalOf = (id: string): string => `/dashboard/capsules/${id}?tab=terminal`;

/** Acts on capsules: each sends its request, shows the transition on the row, and puts the answer into the list. */
export class Commands {
  #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  /** Sends one act. Throws what went wrong. */
  async run(command: Command, id: string): Promise<void> {
    const { client, sandboxes } = this.#app;
    sandboxes.acting.set(id, DOING[command]);
    sandboxes.hurry();
    const params = { params: { path: { id } } };
    try {
      if (command === 'destroy') {
        const { error, response } = await client.DELETE('/v1/sandboxes/{id}', params);
        if (!response.ok && response.status !== 404) throw failure(error, response);
        sandboxes.drop(id);
      } else {
        sandboxes.merge(await ok(client.POST(`/v1/sandboxes/{id}/${command}`, params)));
      }
    } finally {
      sandboxes.acting.delete(id);
    }
  }

  async pause(sandbox: Sandbox): Promise<void> {
    await this.#told(sandbox, 'pause', () =>
      this.#app.toasts.ok(`Paused ${shortId(sandbox.id)}.`, {
        label: 'Undo',
        act: () => void this.resume(sandbox),
      }),
    );
  }

  async resume(sandbox: Sandbox): Promise<void> {
    await this.#told(sandbox, 'resume', () => this.#app.toasts.ok(`Resumed ${shortId(sandbox.id)}.`));
  }

  async #told(sandbox: Sandbox, command: Command, done: () => void): Promise<void> {
    try {
      await this.run(command, sandbox.id);
      done();
    } catch (error) {
      this.#app.toasts.bad(`${shortId(sandbox.id)}: ${words(error)}`);
    }
  }

  /** Acts on several capsules, four at a time, and says how it went. Answers the ids that failed. */
  async all(command: Command, sandboxes: readonly Sandbox[]): Promise<string[]> {
    const waiting = [...sandboxes];
    const failed: string[] = [];
    const failures: string[] = [];
    const worker = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        try {
          await this.run(command, next.id);
        } catch (error) {
          failed.push(next.id);
          failures.push(words(error));
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    const result: Result = { done: sandboxes.length - failed.length, failures };
    const text = bulkWords(DONE[command], result);
    if (failed.length > 0) this.#app.toasts.bad(text);
    else if (command === 'pause')
      this.#app.toasts.ok(text, { label: 'Undo', act: () => void this.all('resume', sandboxes) });
    else this.#app.toasts.ok(text);
    return failed;
  }

  /** Creates a sandbox. Repeating the request with the same key has no further effect. */
  async launch(body: Partial<CreateSandbox>, key: string): Promise<Sandbox> {
    const { client, sandboxes } = this.#app;
    const sandbox = await ok(
      client.POST('/v1/sandboxes', {
        params: { header: { 'Idempotency-Key': key } },
        body: { ...body } as CreateSandbox,
      }),
    );
    sandboxes.merge(sandbox);
    sandboxes.hurry();
    return sandbox;
  }

  launched(sandbox: Sandbox): void {
    this.#app.toasts.ok(`Launched ${shortId(sandbox.id)}.`, {
      label: 'Open terminal',
      act: () => void goto(terminalOf(sandbox.id)),
    });
  }
}
