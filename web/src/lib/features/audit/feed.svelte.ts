import type { AuditEntry, Schemas } from '#lib/api/types.ts';

export type AuditPage = Schemas['AuditPage'];
/** Entries of a page. */
export const LIMIT = 50;

export interface Source {
  /** A page of entries, older than `before`. */
  page: (before: string | undefined) => Promise<AuditPage>;
  matches: (entry: AuditEntry) => boolean;
}

/** The entries on the page: older ones are appended, newer ones are counted until the user asks for them. */
export class Feed {
  entries = $state.raw<readonly AuditEntry[]>([]);
  /** Newer entries, which are not shown yet. */
  fresh = $state.raw<readonly AuditEntry[]>([]);
  loading = $state(false);
  failure = $state<unknown>();
  done = $state(false);
  #before: string | undefined;
  #source: Source;

  constructor(source: Source, first: AuditPage) {
    this.#source = source;
    this.#append(first);
  }

  #append(page: AuditPage): void {
    const known = this.entries.map(({ id }) => id);
    const items = page.items.filter((entry) => !known.includes(entry.id) && this.#source.matches(entry));
    this.entries = [...this.entries, ...items];
    this.#before = page.next_before ?? undefined;
    this.done = page.items.length < LIMIT || this.#before === undefined;
  }

  async more(): Promise<void> {
    if (this.loading || this.done) return;
    this.loading = true;
    this.failure = undefined;
    try {
      this.#append(await this.#source.page(this.#before));
    } catch (failure) {
      this.failure = failure;
    } finally {
      this.loading = false;
    }
  }

  /** Looks for newer entries. */
  async look(): Promise<void> {
    const page = await this.#source.page(undefined);
    const known = this.entries.map(({ id }) => id);
    this.fresh = page.items.filter((entry) => !known.includes(entry.id) && this.#source.matches(entry));
  }

  /** Shows the newer entries. */
  show(): void {
    this.entries = [...this.fresh, ...this.entries];
    this.fresh = [];
  }
}
