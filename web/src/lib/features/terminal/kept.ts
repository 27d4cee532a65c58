/** The shells of a capsule that this tab of the browser has open. They are kept in its session storage, so that a reload finds them. */
export interface KeptShell {
  tag: string;
  /** The program, `bash`. */
  name: string;
  pid?: number | undefined;
  /** The position in the output up to which the user has seen it. */
  seen: number;
}

export interface KeptShells {
  current: number;
  shells: KeptShell[];
}

export const SHELLS_MAX = 8;

const key = (sandbox: string) => `locule.shells.${sandbox}`;

export function readKept(sandbox: string, storage: Storage = sessionStorage): KeptShells {
  try {
    const kept = JSON.parse(storage.getItem(key(sandbox)) ?? '{}') as Partial<KeptShells>;
    const shells = (Array.isArray(kept.shells) ? kept.shells : [])
      .filter(({ tag, seen }) => typeof tag === 'string' && Number.isSafeInteger(seen) && seen >= 0)
      .map(({ tag, name, pid, seen }) => ({
        tag,
        name: typeof name === 'string' ? name.slice(0, 40) : 'shell',
        pid: Number.isSafeInteger(pid) ? pid : undefined,
        seen,
      }))
      .slice(0, SHELLS_MAX);
    const current = Number.isSafeInteger(kept.current) ? Number(kept.current) : 0;
    return { shells, current: Math.min(Math.max(current, 0), Math.max(shells.length - 1, 0)) };
  } catch {
    return { shells: [], current: 0 };
  }
}

export function keep(sandbox: string, shells: KeptShells, storage: Storage = sessionStorage): void {
  try {
    if (shells.shells.length === 0) storage.removeItem(key(sandbox));
    else storage.setItem(key(sandbox), JSON.stringify(shells));
  } catch {
    // The storage is full or blocked: a reload begins with a new shell.
  }
}

/** A tag that no other tab of the browser chooses. */
export function newTag(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
