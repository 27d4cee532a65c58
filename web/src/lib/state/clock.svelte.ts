/** The time of the page, one tick a second while the page is visible: all ages and countdowns move together. */
export class Clock {
  now = $state(Date.now());
  #timer: ReturnType<typeof setInterval> | undefined;

  start(): () => void {
    const tick = () => (this.now = Date.now());
    const follow = () => {
      clearInterval(this.#timer);
      this.#timer = undefined;
      if (document.visibilityState === 'visible') {
        tick();
        this.#timer = setInterval(tick, 1000);
      }
    };
    follow();
    document.addEventListener('visibilitychange', follow);
    return () => {
      document.removeEventListener('visibilitychange', follow);
      clearInterval(this.#timer);
    };
  }
}
