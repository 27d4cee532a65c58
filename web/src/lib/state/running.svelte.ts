/** The number of running capsules: one number for the side bar and every heading. The list of sandboxes tells it. */
export class Running {
  count = $state<number | undefined>();

  reset(): void {
    this.count = undefined;
  }
}
