/** Rows above and below the window that are drawn too. */
const OVERSCAN = 6;

/**
 * Which rows of a long list are near the window. The page scrolls, not the list. Every row has the same height.
 * The layout is read when the window scrolls, while it is known, and never after rows have changed: the browser would lay the page out
 * twice.
 */
export class WindowRows {
  /** The height of a row. */
  height = $state(40);
  /** The first row near the window, and the one after the last, in a list without ends. */
  #near = $state(0);
  #far = $state(0);
  #list: HTMLElement | undefined;

  #read = (): void => {
    if (!this.#list) return;
    const above = -this.#list.getBoundingClientRect().top;
    this.#near = Math.floor(above / this.height) - OVERSCAN;
    this.#far = Math.ceil((above + window.innerHeight) / this.height) + OVERSCAN;
  };

  /** The first row that is drawn, of so many. */
  first(count: number): number {
    return Math.max(0, Math.min(this.#near, count - (this.#far - this.#near)));
  }

  /** The row after the last one that is drawn. */
  end(count: number): number {
    return Math.min(count, Math.max(this.#far, this.first(count)));
  }

  /** Follows the window until the answer is called. */
  start(list: HTMLElement): () => void {
    this.#list = list;
    window.addEventListener('scroll', this.#read, { passive: true });
    window.addEventListener('resize', this.#read);
    this.#read();
    return () => {
      window.removeEventListener('scroll', this.#read);
      window.removeEventListener('resize', this.#read);
    };
  }

  /** Scrolls as little as shows the row. */
  scrollTo(index: number): void {
    if (!this.#list) return;
    const top = this.#list.getBoundingClientRect().top + window.scrollY + index * this.height;
    const bottom = top + this.height;
    if (top < window.scrollY) window.scrollTo({ top });
    else if (bottom > window.scrollY + window.innerHeight)
      window.scrollTo({ top: bottom - window.innerHeight });
    this.#read();
  }
}
