// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { decode, encode } from './base64.ts';
import { INPUT_WINDOW, PtySocket, type PtyOptions, type PtyState } from './socket.ts';

/** A socket whose server is the test. */
class ScriptedSocket {
  readyState: number = WebSocket.CONNECTING;
  sent: Record<string, unknown>[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.closed = true;
  }
  accept(): void {
    this.readyState = WebSocket.OPEN;
    this.onopen?.();
  }
  say(message: Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  started(offset = 0): void {
    this.accept();
    this.say({ type: 'started', tag: 'web-1', pid: 412, offset });
  }
  print(text: string): void {
    this.say({ type: 'output', data: btoa(text) });
  }
  break(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason });
  }
  of(type: string): Record<string, unknown>[] {
    return this.sent.filter((message) => message.type === type);
  }
  get typed(): string {
    return this.of('input')
      .map(({ data }) => atob(String(data)))
      .join('');
  }
}

function terminal(options: Partial<PtyOptions> = {}) {
  const sockets: ScriptedSocket[] = [];
  const states: PtyState[] = [];
  const shown: { text: string; from: number; done: () => void }[] = [];
  const gaps: { bytes: number; from: number }[] = [];
  const started: { pid: number; other: boolean }[] = [];
  const notices: string[] = [];
  const pty = new PtySocket({
    url: 'ws://platform/v1/sandboxes/sb-1/pty',
    tag: 'web-1',
    known: 'no',
    token: () => 'secret',
    refused: () => Promise.resolve(true),
    connect: () => {
      const socket = new ScriptedSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    events: {
      state: (state) => states.push(state),
      started: (pid, other) => started.push({ pid, other }),
      output: (bytes, from, done) => shown.push({ text: new TextDecoder().decode(bytes), from, done }),
      gap: (bytes, from) => gaps.push({ bytes, from }),
      notice: (text) => notices.push(text),
    },
    ...options,
  });
  const last = () => {
    const socket = sockets.at(-1);
    if (!socket) throw new Error('no socket was opened');
    return socket;
  };
  return { pty, sockets, states, shown, gaps, started, notices, last };
}

const text = (value: string) => new TextEncoder().encode(value);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('opening', () => {
  test('the first message is the credential, and the address holds none', () => {
    const { pty, last } = terminal();
    pty.resize(100, 30);
    pty.attach();
    last().accept();
    expect(last().sent).toEqual([
      { type: 'auth', token: 'secret' },
      { type: 'start', tag: 'web-1', cols: 100, rows: 30 },
    ]);
  });

  test('a terminal of an earlier page is connected by its tag, with all output that is kept', () => {
    const { pty, last } = terminal({ known: 'yes' });
    pty.attach();
    last().accept();
    expect(last().sent[1]).toEqual({ type: 'connect', tag: 'web-1', offset: 0 });
  });

  test('what is typed before the prompt is there is sent when the terminal is open', () => {
    const { pty, last } = terminal();
    pty.attach();
    expect(pty.write(text('ls\r'))).toBe(true);
    expect(last().typed).toBe('');
    last().started();
    expect(last().typed).toBe('ls\r');
  });

  test('a start whose answer was lost is not made twice when the terminal is there', () => {
    const { pty, last, sockets } = terminal();
    pty.attach();
    last().accept();
    last().break();
    vi.advanceTimersByTime(1000);
    last().accept();
    expect(sockets).toHaveLength(2);
    expect(last().sent[1]?.type).toBe('connect');
    last().break(1008, 'not_found');
    last().accept();
    expect(last().sent[1]?.type).toBe('start');
  });
});

describe('a lost connection', () => {
  test('is made again at the byte after the last one, counting gaps', () => {
    const { pty, last, shown, gaps } = terminal();
    pty.attach();
    last().started(10);
    last().print('abc');
    last().say({ type: 'gap', bytes: 5 });
    last().print('de');
    expect(shown.map(({ from }) => from)).toEqual([10, 18]);
    expect(gaps).toEqual([{ bytes: 5, from: 13 }]);
    last().break();
    vi.advanceTimersByTime(1000);
    last().accept();
    expect(last().sent[1]).toEqual({ type: 'connect', tag: 'web-1', offset: 20 });
  });

  test('is made again after 1 2 4 8 16 30 30 seconds', () => {
    const { pty, last, sockets } = terminal();
    pty.attach();
    last().started();
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      const before = sockets.length;
      last().break(1001);
      vi.advanceTimersByTime(seconds * 1000 - 1);
      expect(sockets).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(sockets).toHaveLength(before + 1);
    }
  });

  test('waits briefly again after one that stood', () => {
    const { pty, last, sockets, states } = terminal();
    pty.attach();
    for (const wait of [1000, 2000]) {
      last().break();
      vi.advanceTimersByTime(wait);
    }
    last().started();
    vi.advanceTimersByTime(5000);
    last().break();
    expect(states.at(-1)).toEqual({ kind: 'waiting', until: Date.now() + 1000 });
    vi.advanceTimersByTime(1000);
    expect(sockets).toHaveLength(4);
  });

  test('is noticed when the server is silent, as after the machine slept', () => {
    const { pty, last, states } = terminal();
    pty.attach();
    last().started();
    vi.advanceTimersByTime(30_000);
    last().say({ type: 'ping' });
    expect(last().of('pong')).toHaveLength(1);
    vi.advanceTimersByTime(70_000);
    expect(states.at(-1)?.kind).toBe('open');
    vi.setSystemTime(Date.now() + 3_600_000);
    pty.check();
    expect(states.at(-1)?.kind).toBe('waiting');
  });

  test('sends no input twice and takes none', () => {
    const { pty, last } = terminal();
    pty.attach();
    last().started();
    pty.write(text('rm -r x\r'));
    last().break();
    expect(pty.write(text('y'))).toBe(false);
    vi.advanceTimersByTime(1000);
    last().started();
    expect(last().typed).toBe('');
  });

  test('takes what is typed after it was ended on purpose, as by a pause, and is wanted again', () => {
    const { pty, last } = terminal();
    pty.attach();
    last().started();
    // The pause closes the socket before the page knows of the pause.
    last().break(1011);
    pty.detach();
    pty.attach();
    expect(pty.write(text('ls\r'))).toBe(true);
    last().started();
    expect(last().typed).toBe('ls\r');
  });

  test('says that what was typed is discarded when the first connection fails', () => {
    const { pty, last, notices } = terminal();
    pty.attach();
    pty.write(text('ls\r'));
    last().break();
    expect(notices).toEqual(['What you typed is discarded: the connection failed.']);
    vi.advanceTimersByTime(1000);
    last().started();
    expect(last().typed).toBe('');
  });

  test('says when the tag belongs to another terminal now', () => {
    const { pty, last, started } = terminal();
    pty.attach();
    last().started();
    last().print('long output');
    last().break();
    vi.advanceTimersByTime(1000);
    last().started(3);
    expect(started).toEqual([
      { pid: 412, other: false },
      { pid: 412, other: true },
    ]);
  });

  test('tells nothing of a socket that was given up', () => {
    const { pty, last, sockets, shown } = terminal();
    pty.attach();
    last().started();
    pty.detach();
    sockets[0]?.print('late');
    sockets[0]?.break();
    expect(shown).toEqual([]);
    expect(pty.state.kind).toBe('detached');
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });
});

describe('an end', () => {
  test('is the exit with its code, and nothing is connected again', () => {
    const { pty, last, sockets } = terminal();
    pty.attach();
    last().started();
    last().say({ type: 'exit', exit_code: 130, signal: 2 });
    last().break(1000);
    expect(pty.state).toEqual({ kind: 'exited', code: 130, signal: 2 });
    pty.attach();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });

  test('is a terminal that is not found', () => {
    const { pty, last } = terminal({ known: 'yes' });
    pty.attach();
    last().accept();
    last().say({ type: 'error', data: 'no such process', fatal: true });
    last().break(1008, 'not_found');
    expect(pty.state).toEqual({ kind: 'gone', code: 'not_found', text: 'no such process' });
  });

  test.each([
    [1008, 'invalid_state'],
    [1008, 'rate_limited'],
    [1011, 'host_unavailable'],
    [1011, 'agent_error'],
    [1001, ''],
    [1006, ''],
  ])('is not the close code %i %s', (code, reason) => {
    const { pty, last } = terminal();
    pty.attach();
    last().started();
    last().break(code, reason);
    expect(pty.state.kind).toBe('waiting');
  });

  test('is a credential that is refused again and again; a new one goes on', async () => {
    let asked = 0;
    const { pty, last, sockets } = terminal({ refused: () => Promise.resolve(++asked > 0) });
    pty.attach();
    last().started();
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      last().accept();
      last().break(1008, 'unauthorized');
      await vi.waitFor(() => expect(sockets).toHaveLength(attempt + 1));
    }
    last().break(1008, 'unauthorized');
    expect(pty.state.kind).toBe('gone');
    expect(asked).toBe(2);
  });
});

describe('input', () => {
  test('goes out at once, then in batches of 50 ms', () => {
    const { pty, last } = terminal();
    pty.attach();
    last().started();
    for (const key of ['a', 'b', 'c']) pty.write(text(key));
    expect(last().of('input')).toHaveLength(1);
    vi.advanceTimersByTime(50);
    expect(last().of('input')).toHaveLength(2);
    expect(last().typed).toBe('abc');
  });

  test('stays within the window until the server has acknowledged', () => {
    const { pty, last } = terminal();
    pty.attach();
    last().started();
    pty.write(new Uint8Array(INPUT_WINDOW + 1000));
    vi.advanceTimersByTime(1000);
    expect(last().typed).toHaveLength(INPUT_WINDOW);
    last().say({ type: 'ack', bytes: 400 });
    vi.advanceTimersByTime(50);
    expect(last().typed).toHaveLength(INPUT_WINDOW + 400);
    last().say({ type: 'ack', bytes: INPUT_WINDOW });
    vi.advanceTimersByTime(50);
    expect(last().typed).toHaveLength(INPUT_WINDOW + 1000);
  });

  test('of many megabytes is refused with a sentence', () => {
    const { pty, last, notices } = terminal();
    pty.attach();
    last().started();
    expect(pty.write(new Uint8Array(9 * 1024 * 1024))).toBe(false);
    expect(notices).toHaveLength(1);
  });
});

test('the last of many sizes is sent once', () => {
  const { pty, last } = terminal();
  pty.attach();
  last().started();
  const before = last().of('resize').length;
  for (let cols = 90; cols <= 100; cols += 1) pty.resize(cols, 30);
  vi.advanceTimersByTime(50);
  expect(last().of('resize').slice(before)).toEqual([{ type: 'resize', cols: 100, rows: 30 }]);
});

test('output that the screen does not keep up with holds the socket back', () => {
  const { pty, last, sockets, shown } = terminal();
  pty.attach();
  last().started();
  const megabyte = 'x'.repeat(1024 * 1024);
  for (let count = 0; count < 17; count += 1) last().print(megabyte);
  expect(last().closed).toBe(true);
  vi.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(1);
  for (const { done } of shown) done();
  expect(sockets).toHaveLength(2);
  last().accept();
  expect(last().sent[1]).toEqual({ type: 'connect', tag: 'web-1', offset: 17 * 1024 * 1024 });
});

test('bytes survive base64', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256);
  expect(decode(encode(bytes))).toEqual(bytes);
});
