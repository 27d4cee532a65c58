import { tick } from 'svelte';
import { CallError } from '#lib/api/errors.ts';

export type Problems<V> = { [K in keyof V]?: string | undefined };

export interface FormOptions<V> {
  initial: V;
  /** What is wrong with the values, by field. */
  check?: (values: V) => Problems<V>;
  /** The fields that a failure is about. What it returns stands at the fields; any other failure stands above the buttons. */
  fields?: (failure: CallError) => Problems<V> | undefined;
  send: (values: V) => Promise<void>;
}

/**
 * The state of a form. A field is checked when the focus leaves it and when the form is sent, never at the first key; a sentence of the
 * server stays at its field until the value changes.
 */
export class FormState<V extends Record<string, unknown>> {
  values = $state<V>({} as V);
  busy = $state(false);
  /** A failure that is about no single field. */
  failure = $state<unknown>();
  /** When a form that was sent too often may be sent again. */
  blockedUntil = $state<number | undefined>();
  #left = $state<{ [K in keyof V]?: boolean }>({});
  #sent = $state(false);
  #refused = $state<{ [K in keyof V]?: { text: string; value: unknown } }>({});
  #options: FormOptions<V>;

  constructor(options: FormOptions<V>) {
    this.#options = options;
    this.values = { ...options.initial };
  }

  get dirty(): boolean {
    return JSON.stringify(this.values) !== JSON.stringify(this.#options.initial);
  }

  /** Begins anew. */
  reset(initial: V = this.#options.initial): void {
    this.#options = { ...this.#options, initial };
    this.values = { ...initial };
    this.failure = undefined;
    this.#left = {};
    this.#sent = false;
    this.#refused = {};
  }

  error(field: keyof V): string | undefined {
    const refused = this.#refused[field];
    if (refused && refused.value === this.values[field]) return refused.text;
    if (!this.#sent && !this.#left[field]) return undefined;
    return this.#options.check?.(this.values)[field];
  }

  /** The focus leaves a field. An empty one is left alone until the form is sent. */
  leave(field: keyof V): void {
    if (this.values[field] !== '') this.#left = { ...this.#left, [field]: true };
  }

  submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    if (this.busy || (this.blockedUntil ?? 0) > Date.now()) return;
    this.#sent = true;
    this.failure = undefined;
    const wrong = Object.values(this.#options.check?.(this.values) ?? {}).some((text) => text !== undefined);
    if (!wrong) {
      this.busy = true;
      try {
        await this.#options.send($state.snapshot(this.values) as V);
      } catch (failure) {
        this.#refuse(failure);
      } finally {
        this.busy = false;
      }
    }
    await tick();
    form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  };

  #refuse(failure: unknown): void {
    const fields = failure instanceof CallError ? this.#options.fields?.(failure) : undefined;
    if (fields && Object.keys(fields).length > 0) {
      const refused: { [K in keyof V]?: { text: string; value: unknown } } = {};
      for (const field of Object.keys(fields) as (keyof V)[]) {
        const text = fields[field];
        if (text !== undefined) refused[field] = { text, value: this.values[field] };
      }
      this.#refused = refused;
      return;
    }
    this.failure = failure;
    if (failure instanceof CallError && failure.code === 'rate_limited')
      this.blockedUntil = Date.now() + (failure.retryAfter ?? 60) * 1000;
  }
}
