import {
  Virtualizer,
  observeWindowOffset,
  observeWindowRect,
  windowScroll,
  type VirtualItem,
} from '@tanstack/virtual-core';

const OVERSCAN = 10;

/** Which rows of a long list are near the window. The page scrolls, not the list. Every row has the same height. */
export class WindowRows {
  items = $state.raw<readonly VirtualItem[]>([]);
  total = $state(0);
  #virtualizer = new Virtualizer<Window, Element>(this.#options(0, 40, 0));

  #options(count: number, height: number, margin: number) {
    return {
      count,
      overscan: OVERSCAN,
      scrollMargin: margin,
      estimateSize: () => height,
      getScrollElement: () => window,
      observeElementRect: observeWindowRect,
      observeElementOffset: observeWindowOffset,
      scrollToFn: windowScroll,
      onChange: () => this.#read(),
    };
  }

  #read(): void {
    this.items = this.#virtualizer.getVirtualItems();
    this.total = this.#virtualizer.getTotalSize();
  }

  /** Follows the window until the answer is called. */
  start(): () => void {
    const stop = this.#virtualizer._didMount();
    this.#virtualizer._willUpdate();
    this.#read();
    return stop;
  }

  update(count: number, height: number, margin: number): void {
    const before = this.#virtualizer.options;
    const same = before.estimateSize(0) === height;
    this.#virtualizer.setOptions(this.#options(count, height, margin));
    if (!same) this.#virtualizer.measure();
    this.#virtualizer._willUpdate();
    this.#read();
  }

  scrollTo(index: number): void {
    this.#virtualizer.scrollToIndex(index, { align: 'auto' });
  }
}
