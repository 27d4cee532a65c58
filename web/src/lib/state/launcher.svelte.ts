import type { CreateSandbox } from '#lib/api/types.ts';

/** Whether the launch dialog is open, and the values that it begins with. One dialog serves every page. */
export class Launcher {
  open = $state(false);
  from = $state.raw<Partial<CreateSandbox>>({});

  show(from: Partial<CreateSandbox> = {}): void {
    this.from = from;
    this.open = true;
  }
}
