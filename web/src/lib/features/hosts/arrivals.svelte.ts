/** How long a new row shows that it is new, in milliseconds: the time of the animation `tint`. */
const SHOWN = 2500;

/** The ids that a list did not have before, so that their rows slide in. */
export class Arrivals {
  fresh = $state.raw<readonly string[]>([]);
  #known: readonly string[] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Takes the ids of an answer. The first answer has none that are new. */
  see(ids: readonly string[]): void {
    const known = this.#known;
    this.#known = ids;
    const fresh = known ? ids.filter((id) => !known.includes(id)) : [];
    if (fresh.length === 0) return;
    clearTimeout(this.#timer);
    this.fresh = fresh;
    // A row that is drawn anew later, after a change of the tab, is not new any more.
    this.#timer = setTimeout(() => (this.fresh = []), SHOWN);
  }
}
