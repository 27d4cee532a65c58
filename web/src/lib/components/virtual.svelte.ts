/** Rows above and below the window that are drawn too. */
const OVERSCAN = 6;

/** Which rows of a long list are near the window. The page scrolls, not the list. Every row has the same height. */
export class WindowRows {
  first = $state(0);
  /** The row after the last. */
  end = $state(0);
  #count = 0;
  #height = 40;
  /** Where the first row begins on the page. */
  #top = 0;

  #read = (): void => {
    const above = window.scrollY - this.#top;
    const inside = (index: number) => Math.max(0, Math.min(this.#count, index));
    this.first = inside(Math.floor(above / this.#height) - OVERSCAN);
    this.end = inside(Math.ceil((above + window.innerHeight) / this.#height) + OVERSCAN);
  };

  /** Follows the window until the answer is called. */
  start(): () => void {
    window.addEventListener('scroll', this.#read, { passive: true });
    window.addEventListener('resize', this.#read);
    this.#read();
    return () => {
      window.removeEventListener('scroll', this.#read);
      window.removeEventListener('resize', this.#read);
    };
  }

  update(count: number, height: number, top: number): void {
    [this.#count, this.#height, this.#top] = [count, height, top];
    this.#read();
  }

  /** Scrolls as little as shows the row. */
  scrollTo(index: number): void {
    const top = this.#top + index * this.#height;
    const bottom = top + this.#height;
    if (top < window.scrollY) window.scrollTo({ top });
    else if (bottom > window.scrollY + window.innerHeight)
      window.scrollTo({ top: bottom - window.innerHeight });
    this.#read();
  }
}
