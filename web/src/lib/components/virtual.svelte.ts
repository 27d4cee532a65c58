import { untrack } from 'svelte';

/** Rows above and below the window that are drawn too. */
const OVERSCAN = 6;
/** Rows that one frame fills anew, unless the window shows more of them: the browser lays out and paints each of them. */
const STEP = 5;

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
  /** The frame that draws the rows that the last one left out. */
  #next: number | undefined;

  #read = (): void => {
    if (!this.#list) return;
    const above = -this.#list.getBoundingClientRect().top;
    const top = Math.floor(above / this.height);
    const bottom = Math.ceil((above + window.innerHeight) / this.height);
    const wanted = top - OVERSCAN;
    const near = this.#step(wanted, top, bottom);
    this.#near = near;
    this.#far = near + bottom - top + 2 * OVERSCAN;
    if (this.#next !== undefined) cancelAnimationFrame(this.#next);
    this.#next = near === wanted ? undefined : requestAnimationFrame(this.#wait);
  };

  /** The browser runs what asks for a frame while the window scrolls in the frame of the scroll: the rest has the frame after it. */
  #wait = (): void => {
    this.#next = requestAnimationFrame(this.#read);
  };

  /** The first row that is drawn in this frame, on the way to `wanted`. The rows from `top` to `bottom` are in the window. */
  #step(wanted: number, top: number, bottom: number): number {
    // What follows the height of a row must not follow its own answer.
    const { from, to } = untrack(() => ({ from: this.#near, to: this.#far }));
    const jump = top >= to || bottom <= from;
    if (jump) return wanted;
    if (wanted > from) return Math.min(wanted, Math.max(from + STEP, wanted - OVERSCAN));
    return Math.max(wanted, Math.min(from - STEP, wanted + OVERSCAN));
  }

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
      if (this.#next !== undefined) cancelAnimationFrame(this.#next);
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
