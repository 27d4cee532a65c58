// @vitest-environment jsdom
import { describe, expect, test } from 'vitest';
import { CallError, UNREACHED } from '#lib/api/errors.ts';
import type { FileEntry } from '#lib/api/types.ts';
import { decodeText, imageType, LINES_MAX, readLines, textContent } from './content.ts';
import { Files } from './files.svelte.ts';
import { languageOf } from './languages.ts';
import {
  baseName,
  crumbs,
  join,
  keepBoth,
  nameProblem,
  normal,
  parent,
  savedName,
  sorted,
  visible,
} from './paths.ts';
import { parseFiles, withFiles } from './query.ts';
import { Uploads, type Clash } from './uploads.svelte.ts';
import { removal } from './words.ts';

function entry(path: string, more: Partial<FileEntry> = {}): FileEntry {
  return {
    name: baseName(path),
    path,
    type: 'file',
    size: 1,
    mode: 0o644,
    permissions: '-rw-r--r--',
    owner: 'user',
    group: 'user',
    modified_at: 0,
    ...more,
  };
}

describe('names of a guest', () => {
  test('show the characters that would mislead', () => {
    expect(visible('a\u202egnp.exe')).toBe('a\\u{202e}gnp.exe');
    expect(visible('x\n\u001b[31m\u200by')).toBe('x\\u{a}\\u{1b}[31m\\u{200b}y');
    expect(visible('naïve 文件.txt')).toBe('naïve 文件.txt');
  });

  test('are cleaned before they reach the disk of the user', () => {
    expect(savedName('../../etc/passwd')).toBe('___.._etc_passwd');
    expect(savedName('a\u202egnp.exe')).toBe('a_gnp.exe');
    expect(savedName('.bashrc')).toBe('_bashrc');
    expect(savedName(' . ')).toBe('___');
    expect(savedName('')).toBe('file');
  });

  test('that a folder cannot have are refused', () => {
    const taken = (name: string) => name === 'here';
    expect(['', 'a/b', '..', 'here', 'ä'.repeat(128)].map((name) => nameProblem(name, taken))).not.toContain(
      undefined,
    );
    expect(nameProblem('new', taken)).toBeUndefined();
  });

  test('get a number when both are kept', () => {
    const taken = ['a.txt', 'a (2).txt', '.env'];
    expect(keepBoth('a.txt', (name) => taken.includes(name))).toBe('a (3).txt');
    expect(keepBoth('.env', (name) => taken.includes(name))).toBe('.env (2)');
  });
});

describe('paths', () => {
  test('from the address are absolute and plain, or none', () => {
    expect(normal('/a//b/./c/../d/')).toBe('/a/b/d');
    expect(normal('/../..')).toBe('/');
    for (const path of [null, '', 'a', '~', '/a\0b', `/${'a'.repeat(5000)}`])
      expect(normal(path)).toBeUndefined();
  });

  test('have a parent, a name and crumbs', () => {
    expect([parent('/a/b'), parent('/a'), parent('/')]).toEqual(['/a', '/', '/']);
    expect([join('/', 'a'), join('/a', 'b')]).toEqual(['/a', '/a/b']);
    expect(crumbs('/a/b')).toEqual([
      { name: 'a', path: '/a' },
      { name: 'b', path: '/a/b' },
    ]);
  });
});

describe('the address', () => {
  test('keeps folder, file and order, and leaves defaults out', () => {
    const params = new URLSearchParams('tab=files');
    const query = withFiles(params, { path: '/a b/&c', file: '/a b/x', sort: { key: 'size', down: true } });
    expect(parseFiles(new URLSearchParams(query))).toEqual({
      path: '/a b/&c',
      file: '/a b/x',
      sort: { key: 'size', down: true },
    });
    const back = withFiles(new URLSearchParams(query), {
      path: undefined,
      file: undefined,
      sort: { key: 'name', down: false },
    });
    expect(back).toBe('?tab=files');
  });

  test('that says nothing of use is the default', () => {
    expect(parseFiles(new URLSearchParams('path=x&sort=-owner&file='))).toEqual({
      path: undefined,
      file: undefined,
      sort: { key: 'name', down: false },
    });
  });
});

test('folders come first, then numbers count as numbers', () => {
  const entries = ['/b', '/a10', '/a9'].map((path) => entry(path));
  const all = [...entries, entry('/z', { type: 'directory' })];
  const order = (down: boolean) => sorted(all, { key: 'name', down }).map(({ name }) => name);
  expect(order(false)).toEqual(['z', 'a9', 'a10', 'b']);
  expect(order(true)).toEqual(['z', 'b', 'a10', 'a9']);
});

describe('the tree', () => {
  function tree() {
    const asked: { path: string; answer: (entries: FileEntry[]) => void; fail: (error: unknown) => void }[] =
      [];
    const files = new Files({
      list: (path) => new Promise((answer, fail) => asked.push({ path, answer, fail })),
    });
    return { files, asked };
  }

  test('drops a stale answer', async () => {
    const { files, asked } = tree();
    const loads = [files.load('/'), files.load('/')];
    asked[1]?.answer([entry('/new')]);
    asked[0]?.answer([entry('/old')]);
    await Promise.all(loads);
    expect(files.folder('/').entries?.map(({ name }) => name)).toEqual(['new']);
  });

  test('keeps what it has when the platform is away, not when the folder is gone', async () => {
    const { files, asked } = tree();
    const load = async (act: (last: (typeof asked)[number] | undefined) => void) => {
      const loaded = files.load('/a');
      act(asked.at(-1));
      await loaded;
    };
    await load((last) => last?.answer([entry('/a/x')]));
    await load((last) => last?.fail(UNREACHED));
    expect(files.folder('/a').entries).toHaveLength(1);
    expect(files.folder('/a').failure).toBe(UNREACHED);
    await load((last) => last?.fail(new CallError({ status: 404, code: 'not_found', message: 'gone' })));
    expect(files.folder('/a').entries).toBeUndefined();
  });

  test('shows what is open, with levels, places and sizes of sets', async () => {
    const { files, asked } = tree();
    const root = files.load('/');
    asked[0]?.answer([entry('/f'), entry('/d', { type: 'directory' })]);
    await root;
    files.expand('/d');
    asked[1]?.answer([entry('/d/x')]);
    await new Promise((resolve) => setTimeout(resolve));
    const sort = { key: 'name', down: false } as const;
    const rows = files.rows('/', sort);
    expect(rows.map(({ entry: { path }, depth, open }) => [path, depth, open])).toEqual([
      ['/d', 0, true],
      ['/d/x', 1, undefined],
      ['/f', 0, undefined],
    ]);
    expect(rows[2]).toMatchObject({ position: 2, siblings: 2 });
    files.collapse('/d');
    expect(files.rows('/', sort)).toHaveLength(2);
  });
});

describe('the preview', () => {
  const stream = (...chunks: Uint8Array[]) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });

  test('knows text from what is none', () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(decodeText(bytes('grün'), false)).toBe('grün');
    expect(decodeText(new Uint8Array([65, 0, 66]), false)).toBeUndefined();
    expect(decodeText(new Uint8Array([0xff, 0xfe]), false)).toBeUndefined();
    // Cut in the middle of a character.
    expect(decodeText(bytes('grün').subarray(0, 3), true)).toBe('gr');
  });

  test('reads as many lines as it shows', async () => {
    const lines = new TextEncoder().encode('x\n'.repeat(3000));
    expect((await readLines(stream(lines))).cut).toBe(false);
    const { bytes, cut } = await readLines(stream(lines, lines, lines));
    expect(cut).toBe(true);
    expect(bytes).toHaveLength(2 * lines.length);
    const content = textContent(new TextDecoder().decode(bytes), cut);
    expect(content).toMatchObject({ kind: 'text', lines: LINES_MAX, cut: true });
  });

  test('cuts a line that an editor could not lay out', () => {
    const content = textContent('y'.repeat(100_000), false);
    expect(content.kind === 'text' && content.text.length).toBe(5001);
    expect(content).toMatchObject({ cut: true });
  });

  test('takes only pictures without scripts for pictures', () => {
    expect(imageType('a.PNG')).toBe('image/png');
    for (const name of ['a.svg', 'a.html', 'png', '.png']) expect(imageType(name)).toBeUndefined();
  });

  test('knows languages by the name of the file, not by what an object inherits', async () => {
    expect(await languageOf('a.py')?.()).toBeDefined();
    expect(languageOf('a.constructor')).toBeUndefined();
    expect(languageOf('toString')).toBeUndefined();
  });
});

describe('uploads', () => {
  function uploads(names: string[], answers: ({ answer: Clash; all: boolean } | undefined)[] = []) {
    const sent: { path: string; done: () => void; fail: (error: unknown) => void; signal: AbortSignal }[] =
      [];
    const clashes: [string, number][] = [];
    const all = new Uploads({
      names: () => Promise.resolve([...names]),
      upload: (path, _, signal) =>
        new Promise((done, fail) => {
          sent.push({ path, done, fail, signal });
          signal.addEventListener('abort', () => fail(signal.reason));
        }),
      clash: (name, more) => {
        clashes.push([name, more]);
        return Promise.resolve(answers.shift());
      },
      written: () => undefined,
    });
    return { all, sent, clashes };
  }
  const file = (name: string) => new File(['abc'], name);

  test('go two at a time', async () => {
    const { all, sent } = uploads([]);
    await all.add('/d', ['a', 'b', 'c'].map(file));
    expect(sent.map(({ path }) => path)).toEqual(['/d/a', '/d/b']);
    sent[0]?.done();
    await new Promise((resolve) => setTimeout(resolve));
    expect(sent.map(({ path }) => path)).toEqual(['/d/a', '/d/b', '/d/c']);
    expect(all.all.map(({ state }) => state)).toEqual(['done', 'sending', 'sending']);
  });

  test('ask for each name that is taken, until an answer holds for all', async () => {
    const { all, sent, clashes } = uploads(
      ['a', 'b', 'c'],
      [
        { answer: 'both', all: false },
        { answer: 'skip', all: true },
      ],
    );
    await all.add('/d', ['a', 'b', 'c', 'e'].map(file));
    expect(clashes).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(sent.map(({ path }) => path)).toEqual(['/d/a (2)', '/d/e']);
  });

  test('are cancelled alone', async () => {
    const { all, sent } = uploads([]);
    await all.add('/d', ['a', 'b'].map(file));
    all.cancel(all.all[0]?.id ?? 0);
    expect(sent.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(all.all.map(({ name }) => name)).toEqual(['b']);
  });

  test('that fail say why, and the others go on', async () => {
    const { all, sent } = uploads([]);
    await all.add('/d', ['a', 'b'].map(file));
    sent[0]?.fail(new CallError({ status: 507, code: 'disk_full', message: 'the disk is full' }));
    await new Promise((resolve) => setTimeout(resolve));
    expect(all.all[0]).toMatchObject({ state: 'failed', failure: 'The disk is full.' });
    expect(all.active).toBe(1);
  });
});

test('a removal says what is lost, by name and number', () => {
  const folder = entry('/d', { type: 'directory' });
  expect(removal(entry('/f'), undefined)).toBe('The file f is gone for good.');
  expect(removal(folder, 1)).toBe('The folder d is gone for good, with 1 entry in it.');
  expect(removal(folder, 214)).toBe('The folder d is gone for good, with 214 entries in it.');
  expect(removal(folder, undefined)).toMatch(/everything in it/);
  expect(removal(entry('/l', { type: 'symlink' }), undefined)).toMatch(/stays/);
});
