/** The number of running capsules: one number for the side bar and every heading. */
export class Running {
  count = $state<number | undefined>();
  #load: () => Promise<number>;

  constructor(load: () => Promise<number>) {
    this.#load = load;
  }

  async load(): Promise<void> {
    this.count = await this.#load();
  }

  reset(): void {
    this.count = undefined;
  }
}
