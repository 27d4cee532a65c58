/** What a dialog does when its button is pressed. While that runs the button is busy; a failure stays in the dialog. */
export class Attempt {
  busy = $state(false);
  failure = $state<unknown>();

  forget = (): void => {
    this.failure = undefined;
  };

  /** Does it, and calls `done` when it succeeded. A second press while it runs does nothing. */
  async run(act: () => Promise<void>, done: () => void): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.forget();
    try {
      await act();
      done();
    } catch (error) {
      this.failure = error;
    } finally {
      this.busy = false;
    }
  }
}
