/** Gives an element the height that is left below its upper edge, and follows the window and the keyboard of a phone. */
export function fill(options: { least: number; below: number }) {
  return (node: HTMLElement) => {
    const viewport = window.visualViewport;
    const apply = () => {
      const height = viewport?.height ?? window.innerHeight;
      const top = node.getBoundingClientRect().top + window.scrollY;
      node.style.height = `${Math.max(options.least, height - top - options.below)}px`;
    };
    apply();
    // What stands above may grow: a banner, a second line of labels.
    const above = new ResizeObserver(apply);
    above.observe(document.body);
    viewport?.addEventListener('resize', apply);
    window.addEventListener('resize', apply);
    return () => {
      above.disconnect();
      viewport?.removeEventListener('resize', apply);
      window.removeEventListener('resize', apply);
    };
  };
}
