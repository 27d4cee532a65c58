// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PtyEvents, PtySocket, PtyState } from '#lib/api/socket.ts';
import { keep, readKept } from './kept.ts';
import type { Screen } from './screen.ts';
import { Shells, type Shell, type ShellPlatform } from './shells.svelte.ts';

/** A terminal's socket that the test drives. */
class Line {
  position: number | undefined;
  attached = 0;
  detached = 0;
  redrawn = 0;
  typed: string[] = [];
  readonly known: string;
  readonly events: PtyEvents;

  constructor(known: string, events: PtyEvents) {
    this.known = known;
    this.events = events;
  }
  attach(): void {
    this.attached += 1;
  }
  detach(): void {
    this.detached += 1;
  }
  check(): void {
    // Nothing is silent here.
  }
  resize(): void {
    // The size is no matter.
  }
  redraw(): void {
    this.redrawn += 1;
  }
  write(bytes: Uint8Array): boolean {
    this.typed.push(new TextDecoder().decode(bytes));
    return true;
  }
  become(state: PtyState): void {
    this.events.state(state);
  }
  print(text: string, from: number): void {
    this.position = from + text.length;
    this.events.output(new TextEncoder().encode(text), from, () => undefined);
  }
}

function screen() {
  const written: { text: string; replayed: boolean }[] = [];
  const said: string[] = [];
  const shown = {
    terminal: { cols: 80, rows: 24, reset: () => written.splice(0) },
    write: (bytes: Uint8Array, replayed: boolean) =>
      written.push({ text: new TextDecoder().decode(bytes), replayed }),
    say: (text: string) => said.push(text) > 0,
    rest: () => undefined,
  };
  return { screen: shown as unknown as Screen, written, said };
}

function page() {
  const lines: Line[] = [];
  const killed: string[] = [];
  const platform: ShellPlatform = {
    socket: ({ known, events }) => {
      const line = new Line(known, events);
      lines.push(line);
      return line as unknown as PtySocket;
    },
    program: () => Promise.resolve('bash'),
    busy: () => Promise.resolve(false),
    kill: (tag) => Promise.resolve(void killed.push(tag)),
  };
  const shells = new Shells('sb-1', platform);
  const line = (at = 0) => {
    const found = lines[at];
    if (!found) throw new Error('there is no such shell');
    return found;
  };
  const shell = (at = 0): Shell => {
    const found = shells.all[at];
    if (!found) throw new Error('there is no such shell');
    return found;
  };
  return { shells, line, shell, killed };
}

function visible(now: boolean): void {
  Object.defineProperty(document, 'visibilityState', {
    value: now ? 'visible' : 'hidden',
    configurable: true,
  });
  document.dispatchEvent(new Event('visibilitychange'));
}

const kept = (seen: number) =>
  keep('sb-1', { current: 0, shells: [{ tag: 'web-1', name: 'bash', pid: 412, seen }] });

beforeEach(() => {
  sessionStorage.clear();
  vi.useFakeTimers();
  visible(true);
});
afterEach(() => void vi.useRealTimers());

describe('a page that was loaded again', () => {
  test('shows what was seen without answering questions in it, then what was missed', () => {
    kept(6);
    const { line, shell } = page();
    const { screen: opened, written } = screen();
    shell().show(opened, true);
    expect(line().known).toBe('yes');
    expect(line().attached).toBe(1);
    line().print('abc', 0);
    line().print('defghi', 3);
    line().print('jkl', 9);
    expect(written).toEqual([
      { text: 'abc', replayed: true },
      { text: 'def', replayed: true },
      { text: 'ghi', replayed: false },
      { text: 'jkl', replayed: false },
    ]);
  });

  test('says nothing of lost lines that were seen before', () => {
    kept(5000);
    const { line, shell } = page();
    const { screen: opened, said } = screen();
    shell().show(opened, true);
    line().events.gap(4000, 0);
    expect(said).toEqual([]);
    expect(shell().notice).toBeUndefined();
  });

  test('says how much was missed, and has the program draw anew', () => {
    kept(5000);
    const { line, shell } = page();
    const { screen: opened, said } = screen();
    shell().show(opened, true);
    line().become({ kind: 'open' });
    line().events.gap(5000 + 2048, 0);
    expect(said).toEqual(['2 KB passed while away; older lines are gone']);
    expect(shell().notice).toMatch(/2 KB/);
    expect(line().redrawn).toBe(1);
  });

  test('does not start a shell twice whose start was under way', () => {
    const first = page();
    first.shells.open();
    first.shells.keep();
    expect(page().line().known).toBe('asked');
  });

  test('does not look for a shell that has ended', () => {
    const { shells, line } = page();
    shells.open();
    shells.open();
    line(0).become({ kind: 'exited', code: 0, signal: undefined });
    shells.keep();
    expect(readKept('sb-1').shells).toHaveLength(1);
    expect(readKept('sb-1').current).toBe(0);
  });
});

test('a tag that belongs to another shell now empties the screen', () => {
  const { shells, line, shell } = page();
  shells.open();
  const { screen: opened, written } = screen();
  shell().show(opened, true);
  line().print('old', 0);
  line().events.started(77, true);
  expect(written).toEqual([]);
});

describe('a page that nobody looks at', () => {
  test('lets go of its shells after 15 minutes and takes them back at once', () => {
    const { shells, line, shell } = page();
    shells.open();
    shells.follow(true);
    shell().show(screen().screen, true);
    const stop = shells.start();
    visible(false);
    vi.advanceTimersByTime(15 * 60_000 - 1);
    expect(line().detached).toBe(0);
    vi.advanceTimersByTime(1);
    expect(line().detached).toBe(1);
    visible(true);
    expect(line().attached).toBe(2);
    stop();
  });

  test('that comes back in time keeps them', () => {
    const { shells, line } = page();
    shells.open();
    const stop = shells.start();
    visible(false);
    vi.advanceTimersByTime(60_000);
    visible(true);
    vi.advanceTimersByTime(60 * 60_000);
    expect(line().detached).toBe(0);
    stop();
  });
});

test('shells follow the state of their capsule', () => {
  const { shells, line, shell } = page();
  shells.open();
  shell().show(screen().screen, shells.connects);
  expect(line().attached).toBe(0);
  shells.follow(true);
  expect(line().attached).toBe(1);
  shells.follow(false);
  expect(line().detached).toBe(1);
});

test('closing a shell chooses its neighbour', () => {
  const { shells, shell } = page();
  for (let count = 0; count < 3; count += 1) shells.open();
  shells.remove(shell(2));
  expect(shells.current).toBe(1);
  shells.choose(0);
  shells.remove(shell(1));
  expect(shells.current).toBe(0);
  expect(readKept('sb-1').shells).toHaveLength(1);
});

test('there are eight shells at most', () => {
  const { shells } = page();
  for (let count = 0; count < 10; count += 1) shells.open();
  expect(shells.all).toHaveLength(8);
  expect(shells.full).toBe(true);
});
