import { CallError } from '#lib/api/errors.ts';
import type { FileEntry } from '#lib/api/types.ts';
import { sorted, type Sort } from './paths.ts';

/** What the tree needs of the platform. */
export interface FilesPlatform {
  list(path: string): Promise<FileEntry[]>;
}

/** One folder, as far as it has been read. */
export interface Folder {
  entries: FileEntry[] | undefined;
  failure: unknown;
  loading: boolean;
}

/** One line of the tree. */
export interface Row {
  entry: FileEntry;
  depth: number;
  /** Whether the folder is open in the tree. Undefined: it is none. */
  open: boolean | undefined;
  folder: Folder | undefined;
  /** Its place among its siblings, from 1, and their number. */
  position: number;
  siblings: number;
}

const EMPTY: Folder = { entries: undefined, failure: undefined, loading: false };

/** The folders that have been read, and those that are open. A stale answer changes nothing. */
export class Files {
  #platform: FilesPlatform;
  #folders = $state.raw<Record<string, Folder>>({});
  #open = $state.raw<readonly string[]>([]);
  #asked: Record<string, number> = {};
  #count = 0;

  constructor(platform: FilesPlatform) {
    this.#platform = platform;
  }

  folder(path: string): Folder {
    return this.#folders[path] ?? EMPTY;
  }

  /** Reads a folder. Of several answers for it only that of the last question counts. */
  async load(path: string): Promise<void> {
    const asked = (this.#asked[path] = ++this.#count);
    this.#set(path, { ...this.folder(path), loading: true });
    try {
      const entries = await this.#platform.list(path);
      if (this.#asked[path] === asked) this.#set(path, { entries, failure: undefined, loading: false });
    } catch (failure) {
      if (this.#asked[path] !== asked) return;
      // What was read before stays, unless the folder is gone.
      const gone = failure instanceof CallError && (failure.status === 404 || failure.status === 400);
      this.#set(path, { entries: gone ? undefined : this.folder(path).entries, failure, loading: false });
    }
  }

  #set(path: string, folder: Folder): void {
    this.#folders = { ...this.#folders, [path]: folder };
  }

  isOpen(path: string): boolean {
    return this.#open.includes(path);
  }

  expand(path: string): void {
    if (!this.#open.includes(path)) this.#open = [...this.#open, path];
    void this.load(path);
  }

  collapse(path: string): void {
    this.#open = this.#open.filter((open) => open !== path);
  }

  /** Reads what is shown anew. */
  async refresh(root: string): Promise<void> {
    const inside = root === '/' ? '/' : `${root}/`;
    const shown = this.#open.filter((path) => path.startsWith(inside));
    await Promise.all([root, ...shown].map((path) => this.load(path)));
  }

  /** The lines of the tree under a folder. */
  rows(root: string, sort: Sort): Row[] {
    const rows: Row[] = [];
    const add = (path: string, depth: number) => {
      const entries = sorted(this.folder(path).entries ?? [], sort);
      entries.forEach((entry, at) => {
        const directory = entry.type === 'directory';
        const open = directory ? this.#open.includes(entry.path) : undefined;
        rows.push({
          entry,
          depth,
          open,
          folder: directory ? this.folder(entry.path) : undefined,
          position: at + 1,
          siblings: entries.length,
        });
        if (open) add(entry.path, depth + 1);
      });
    };
    add(root, 0);
    return rows;
  }
}
