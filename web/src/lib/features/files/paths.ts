/** Paths and names of a guest. Both are an attacker's text: they are shown with every character that could mislead made visible. */
import type { FileEntry } from '#lib/api/types.ts';

export const HOME = '~';

/** A name as text that shows what is in it: control characters and those that turn the direction are written out. */
export function visible(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/** A name for the disk of the user. */
export function savedName(name: string): string {
  const cleaned = name
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}/\\:*?"<>|]/gu, '_')
    .replace(/^[.\s]+/, (dots) => '_'.repeat(dots.length))
    .replace(/[.\s]+$/, '')
    .slice(0, 200);
  return cleaned === '' ? 'file' : cleaned;
}

export function join(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

export function parent(path: string): string {
  const at = path.lastIndexOf('/');
  return at <= 0 ? '/' : path.slice(0, at);
}

export function baseName(path: string): string {
  return path === '/' ? '/' : path.slice(path.lastIndexOf('/') + 1);
}

/** A path from the address of the page: absolute, without empty parts, `.` and `..`. Undefined where it is none. */
export function normal(path: string | null): string | undefined {
  if (path === null || !path.startsWith('/') || path.includes('\0') || path.length > 4095) return undefined;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

export interface Crumb {
  name: string;
  path: string;
}

export function crumbs(path: string): Crumb[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((name, at) => ({ name, path: `/${parts.slice(0, at + 1).join('/')}` }));
}

/** Why a name cannot be given to a file or folder. */
export function nameProblem(name: string, taken: (name: string) => boolean): string | undefined {
  if (name === '') return 'Enter a name.';
  if (name.includes('/') || name.includes('\0')) return 'A name has no slash.';
  if (name === '.' || name === '..') return 'This name stands for a folder already.';
  if (new TextEncoder().encode(name).length > 255) return 'A name has 255 bytes at most.';
  return taken(name) ? 'This name is taken.' : undefined;
}

/** A name beside those that are taken: `report (2).txt`. */
export function keepBoth(name: string, taken: (name: string) => boolean): string {
  const dot = name.lastIndexOf('.');
  const [stem, end] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  let count = 2;
  while (taken(`${stem} (${count})${end}`)) count += 1;
  return `${stem} (${count})${end}`;
}

export type SortKey = 'name' | 'size' | 'modified';

export interface Sort {
  key: SortKey;
  down: boolean;
}

const names = new Intl.Collator('en', { numeric: true });

/** Directories first, then by the key; equal ones by name. */
export function sorted(entries: readonly FileEntry[], { key, down }: Sort): FileEntry[] {
  const rank = (entry: FileEntry) => (entry.type === 'directory' ? 0 : 1);
  const by = (a: FileEntry, b: FileEntry) => {
    if (key === 'size') return a.size - b.size;
    if (key === 'modified') return a.modified_at - b.modified_at;
    return 0;
  };
  return [...entries].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (down ? -1 : 1) * (by(a, b) || (key === 'name' ? names.compare(a.name, b.name) : 0)) ||
      names.compare(a.name, b.name),
  );
}
