import type { TeamWithRole } from '#lib/api/types.ts';

/** The teams of the person. Emptied at each login, so that nothing of another person shows. */
export class Teams {
  all = $state<TeamWithRole[] | undefined>();
  currentId = $state<string | undefined>();
  #load: () => Promise<TeamWithRole[]>;

  constructor(load: () => Promise<TeamWithRole[]>) {
    this.#load = load;
  }

  get current(): TeamWithRole | undefined {
    return this.all?.find((team) => team.id === this.currentId);
  }

  async load(): Promise<TeamWithRole[]> {
    const all = await this.#load();
    this.all = all;
    return all;
  }

  reset(currentId: string | null | undefined): void {
    this.all = undefined;
    this.currentId = currentId ?? undefined;
  }
}
