export type Tone = 'ok' | 'info' | 'warn' | 'bad';

export interface Toast {
  readonly id: number;
  readonly tone: Tone;
  readonly text: string;
  readonly action: { label: string; act: () => void } | undefined;
}

const SHOWN_MAX = 3;

/** Short messages about what happened away from where the user looks. */
export class Toasts {
  shown = $state<Toast[]>([]);
  #next = 1;

  ok(text: string, action?: Toast['action']): void {
    this.#add('ok', text, action);
  }

  info(text: string, action?: Toast['action']): void {
    this.#add('info', text, action);
  }

  bad(text: string, action?: Toast['action']): void {
    this.#add('bad', text, action);
  }

  #add(tone: Tone, text: string, action: Toast['action']): void {
    this.shown = [...this.shown, { id: this.#next++, tone, text, action }].slice(-SHOWN_MAX);
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }
}
