/** How terminals look in this browser. */
export const SIZE_MIN = 10;
export const SIZE_MAX = 20;
const KEY = 'locule.terminal';

interface Kept {
  size: number;
  reader: boolean;
}

function read(): Kept {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Kept>;
    const size = Number.isSafeInteger(kept.size) ? Number(kept.size) : 14;
    return { size: Math.min(SIZE_MAX, Math.max(SIZE_MIN, size)), reader: kept.reader === true };
  } catch {
    return { size: 14, reader: false };
  }
}

export class TerminalLook {
  size = $state(14);
  reader = $state(false);

  constructor() {
    Object.assign(this, read());
  }

  set(change: Partial<Kept>): void {
    Object.assign(this, change);
    this.size = Math.min(SIZE_MAX, Math.max(SIZE_MIN, this.size));
    try {
      localStorage.setItem(KEY, JSON.stringify({ size: this.size, reader: this.reader }));
    } catch {
      // Storage is blocked: the look lasts as long as the page.
    }
  }
}
