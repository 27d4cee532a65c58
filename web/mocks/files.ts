/** A disk in memory, and the answers about its files. */
import type { FileEntry } from '../src/lib/api/types.ts';
import { type Handlers, refuse } from './api.ts';
import { minutesAgo } from './db.ts';

interface Stored {
  entry: FileEntry;
  content?: string;
}

/** Files and folders by their paths. */
export type Disk = Map<string, Stored>;

const HOME = '/home/user';
const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/';
const full = (path: string) => (path === '~' ? HOME : path);
const missing = (path: string) => refuse(404, 'not_found', `path '${path}' does not exist`);

export function file(path: string, content = '', more: Partial<FileEntry> = {}): Stored {
  const entry: FileEntry = {
    name: nameOf(path),
    path,
    type: 'file',
    size: content.length,
    mode: 0o644,
    permissions: '-rw-r--r--',
    owner: 'user',
    group: 'user',
    modified_at: 1_794_000_000,
    ...more,
  };
  return { entry, content };
}

export function folder(path: string): Stored {
  const { entry } = file(path, '', { type: 'directory', mode: 0o755, permissions: 'drwxr-xr-x' });
  return { entry };
}

/** A disk with a home folder and what is given. */
export function disk(...more: Stored[]): Disk {
  const all = [folder('/'), folder('/home'), folder(HOME), ...more];
  return new Map(all.map((stored) => [stored.entry.path, stored]));
}

/** Gives a file, or a folder with everything in it, another path. */
function move(from: string, to: string, on: Disk): void {
  for (const [path, { entry, content }] of [...on]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    const moved = to + path.slice(from.length);
    on.delete(path);
    on.set(moved, {
      entry: { ...entry, path: moved, name: nameOf(moved) },
      ...(content === undefined ? {} : { content }),
    });
  }
}

export const FILES: Handlers = {
  'POST /v1/sandboxes/{id}/files/list': (db, { body }) => {
    const path = full(body.path);
    if (!db.disk.has(path)) return missing(path);
    const entries = [...db.disk.values()]
      .map(({ entry }) => entry)
      .filter((entry) => entry.path !== path && folderOf(entry.path) === path);
    return { status: 200, body: { entries } };
  },
  'POST /v1/sandboxes/{id}/files/stat': (db, { body }) => {
    const found = db.disk.get(full(body.path));
    return found ? { status: 200, body: { entry: found.entry } } : missing(body.path);
  },
  'POST /v1/sandboxes/{id}/files/read': (db, { body }) => {
    const found = db.disk.get(full(body.path));
    return found?.content === undefined
      ? missing(body.path)
      : { status: 200, raw: found.content, headers: { 'content-type': 'application/octet-stream' } };
  },
  'POST /v1/sandboxes/{id}/files/mkdir': (db, { body }) => {
    const made = folder(body.path);
    db.disk.set(body.path, made);
    return { status: 200, body: { entry: made.entry } };
  },
  'POST /v1/sandboxes/{id}/files/move': (db, { body }) => {
    move(body.from, body.to, db.disk);
    const moved = db.disk.get(body.to);
    return moved ? { status: 200, body: { entry: moved.entry } } : missing(body.from);
  },
  'POST /v1/sandboxes/{id}/files/remove': (db, { body }) => {
    for (const path of [...db.disk.keys()])
      if (path === body.path || path.startsWith(`${body.path}/`)) db.disk.delete(path);
    return { status: 204 };
  },
  'POST /v1/sandboxes/{id}/files/sign': (_, { params, body }) => ({
    status: 200,
    body: {
      url: `/v1/sandboxes/${params.id}/files/stream/read?path=${encodeURIComponent(body.path)}`,
      expires_at: minutesAgo(-1),
    },
  }),
  // The path comes before the file: the platform writes while it reads.
  'POST /v1/sandboxes/{id}/files/stream/write': (db, { text }) => {
    const sent = /name="path"\s+(\S.*?)\r\n[^]*?name="file"[^]*?\r\n\r\n([^]*)\r\n--/.exec(text);
    const [, path, content] = sent ?? [];
    if (path === undefined) return refuse(400, 'invalid_request', 'the path must come before the file');
    db.disk.set(path, file(path, content));
    return { status: 204 };
  },
};
