/**
 * One terminal of a sandbox over `GET /v1/sandboxes/{id}/pty`. The program in the terminal outlives the socket: a lost connection
 * is made again by the terminal's tag, at the byte where the output stopped.
 */
import { decode, encode } from './base64.ts';
import type { Schemas } from './types.ts';

type ClientMessage = Schemas['PtyClientMessage'];
type ServerMessage = Schemas['PtyServerMessage'];

/** The input that the server takes without an acknowledgement: `INPUT_WINDOW_BYTES` of crates/locule-api/src/terminal.rs. */
export const INPUT_WINDOW = 256 * 1024;
/** Input that waits for the window to open. A longer paste is refused. */
const INPUT_MAX = 8 * 1024 * 1024;
const INPUT_MESSAGE_MAX = 32 * 1024;
/** The first key goes out at once; those that follow within this time go together. */
const BATCH = 50;
const RESIZE_DELAY = 50;
/** The server pings every 30 seconds. After so long without a message the connection is lost, whatever the browser believes. */
const SILENCE_MAX = 75_000;
/** A connection that stood for so long counts as one that works: the waits begin at the shortest again. */
const STABLE = 5000;
const WAITS = [1000, 2000, 4000, 8000, 16_000, 30_000];
/** Output that the screen has not shown yet. Beyond the first the socket is closed, below the second it is opened again. */
const BACKLOG_MAX = 16 * 1024 * 1024;
const BACKLOG_LOW = 1024 * 1024;

export type PtyState =
  /** No socket, and none wanted. */
  | { kind: 'detached' }
  | { kind: 'connecting' }
  | { kind: 'open' }
  /** The connection is lost; the next attempt is at `until`. */
  | { kind: 'waiting'; until: number }
  /** The program has ended. */
  | { kind: 'exited'; code: number; signal: number | undefined }
  /** The terminal cannot be reached any more, or was refused. */
  | { kind: 'gone'; code: string; text: string };

/** What the socket tells. */
export interface PtyEvents {
  state(state: PtyState): void;
  /** `other`: the tag belongs to another terminal now, so that what the screen shows is not of this one. */
  started(pid: number, other: boolean): void;
  /** Output that begins at the position `from`. `done` is called when the screen has taken it. */
  output(bytes: Uint8Array<ArrayBuffer>, from: number, done: () => void): void;
  /** Output from the position `from` on is lost. */
  gap(bytes: number, from: number): void;
  /** Something had no effect. */
  notice(text: string): void;
}

export interface PtyOptions {
  url: string;
  tag: string;
  /** Whether the terminal was started before: `asked` if the answer to its start is not known. */
  known: 'no' | 'asked' | 'yes';
  token(): string | undefined;
  /** The credential was refused. Resolves to true when there is a new one. */
  refused(): Promise<boolean>;
  events: PtyEvents;
  connect?: (url: string) => WebSocket;
}

export class PtySocket {
  #options: PtyOptions;
  #state: PtyState = { kind: 'detached' };
  #socket: WebSocket | undefined;
  /** Where the output continues. Undefined until the first `started` of this page. */
  #position: number | undefined;
  /** Whether the program may have been started. */
  #known: boolean;
  /** Whether the program was started. */
  #seen: boolean;
  /** Whether the socket was opened with `connect`. */
  #connecting = false;
  #failure = '';
  #attempts = 0;
  #refusals = 0;
  #size = { cols: 80, rows: 24 };
  #queue: Uint8Array[] = [];
  #queued = 0;
  #unacknowledged = 0;
  #backlog = 0;
  #heard = 0;
  #batch: ReturnType<typeof setTimeout> | undefined;
  #resize: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #stable: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(options: PtyOptions) {
    this.#options = options;
    this.#known = options.known !== 'no';
    this.#seen = options.known === 'yes';
  }

  get state(): PtyState {
    return this.#state;
  }

  get position(): number | undefined {
    return this.#position;
  }

  /** Connects, or waits no longer for the next attempt. */
  attach(): void {
    const { kind } = this.#state;
    if (kind === 'open' || kind === 'connecting' || kind === 'exited' || kind === 'gone') return;
    this.#open();
  }

  /** Closes the socket. The program goes on. */
  detach(): void {
    const { kind } = this.#state;
    if (kind === 'exited' || kind === 'gone') return;
    this.#drop();
    // The next connection is wanted as the first was, and takes what is typed before it stands.
    this.#attempts = 0;
    this.#become({ kind: 'detached' });
  }

  /** A connection that was silent for too long, as after the machine slept, is made again. */
  check(): void {
    if (!this.#socket) return;
    if (Date.now() - this.#heard > SILENCE_MAX) this.#lost();
  }

  /** Sends input. False: there is no terminal to take it, and the input is discarded. */
  write(bytes: Uint8Array): boolean {
    const { kind } = this.#state;
    if (kind !== 'open' && !(kind === 'connecting' && this.#attempts === 0)) return false;
    if (this.#queued + bytes.length > INPUT_MAX) {
      this.#options.events.notice('The input is too long: a terminal takes 8 MB at a time.');
      return false;
    }
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (this.#batch === undefined) this.#flush();
    return true;
  }

  resize(cols: number, rows: number): void {
    if (cols === this.#size.cols && rows === this.#size.rows) return;
    this.#size = { cols, rows };
    clearTimeout(this.#resize);
    this.#resize = setTimeout(() => {
      if (this.#state.kind === 'open') this.#send({ type: 'resize', ...this.#size });
    }, RESIZE_DELAY);
  }

  /** Tells the program its size twice, once wrongly, so that it draws its screen anew. */
  redraw(): void {
    if (this.#state.kind !== 'open' || this.#size.rows < 2) return;
    this.#send({ type: 'resize', cols: this.#size.cols, rows: this.#size.rows - 1 });
    clearTimeout(this.#resize);
    this.#resize = setTimeout(() => {
      if (this.#state.kind === 'open') this.#send({ type: 'resize', ...this.#size });
    }, 3 * RESIZE_DELAY);
  }

  #become(state: PtyState): void {
    this.#state = state;
    this.#options.events.state(state);
  }

  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #open(): void {
    this.#drop();
    const token = this.#options.token();
    if (token === undefined) {
      this.#become({ kind: 'gone', code: 'unauthorized', text: 'There is no login.' });
      return;
    }
    this.#become({ kind: 'connecting' });
    const socket = (this.#options.connect ?? ((url) => new WebSocket(url)))(this.#options.url);
    const ours = () => this.#socket === socket;
    this.#socket = socket;
    this.#failure = '';
    this.#heard = Date.now();
    this.#watch = setInterval(() => this.check(), 15_000);
    socket.onopen = () => {
      if (!ours()) return;
      this.#send({ type: 'auth', token });
      this.#connecting = this.#known;
      this.#known = true;
      if (this.#connecting)
        this.#send({ type: 'connect', tag: this.#options.tag, offset: this.#position ?? 0 });
      else this.#send({ type: 'start', tag: this.#options.tag, ...this.#size });
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (!ours()) return;
      this.#heard = Date.now();
      const message = read(data);
      if (message) this.#handle(message);
    };
    socket.onclose = ({ code, reason }) => {
      if (ours()) this.#closed(code, reason);
    };
  }

  #handle(message: ServerMessage): void {
    const { events } = this.#options;
    switch (message.type) {
      case 'started': {
        const asked = this.#position ?? 0;
        const other = this.#connecting && message.offset < asked;
        this.#position = message.offset;
        this.#seen = true;
        this.#refusals = 0;
        this.#stable = setTimeout(() => (this.#attempts = 0), STABLE);
        events.started(message.pid, other);
        this.#become({ kind: 'open' });
        // The size may have changed since the program was started.
        this.#send({ type: 'resize', ...this.#size });
        this.#flush();
        return;
      }
      case 'output': {
        const bytes = decode(message.data);
        const from = this.#position ?? 0;
        this.#position = from + bytes.length;
        this.#backlog += bytes.length;
        events.output(bytes, from, () => this.#shown(bytes.length));
        if (this.#backlog > BACKLOG_MAX) {
          this.#drop();
          this.#become({ kind: 'waiting', until: Date.now() });
        }
        return;
      }
      case 'gap': {
        const from = this.#position ?? 0;
        this.#position = from + message.bytes;
        events.gap(message.bytes, from);
        return;
      }
      case 'ack':
        this.#unacknowledged = Math.max(0, this.#unacknowledged - message.bytes);
        if (this.#batch === undefined) this.#flush();
        return;
      case 'exit':
        this.#drop();
        this.#become({ kind: 'exited', code: message.exit_code, signal: message.signal ?? undefined });
        return;
      case 'error':
        if (message.fatal) this.#failure = message.data;
        else events.notice(message.data);
        return;
      case 'ping':
        this.#send({ type: 'pong' });
    }
  }

  /** The screen has taken output. A socket that was closed because the screen was behind is opened again. */
  #shown(bytes: number): void {
    this.#backlog -= bytes;
    if (this.#state.kind === 'waiting' && this.#retry === undefined && this.#backlog < BACKLOG_LOW)
      this.#open();
  }

  #closed(code: number, reason: string): void {
    const text = this.#failure;
    if (code !== 1008 || reason === 'rate_limited' || reason === 'invalid_state') {
      this.#lost();
    } else if (reason === 'unauthorized') {
      this.#refused(text);
    } else if (reason === 'not_found' && this.#connecting && !this.#seen) {
      // The connection broke between `start` and its answer, and the program was not started.
      this.#known = false;
      this.#open();
    } else {
      this.#drop();
      this.#become({ kind: 'gone', code: reason, text });
    }
  }

  #refused(text: string): void {
    this.#drop();
    this.#refusals += 1;
    const gone = () => this.#become({ kind: 'gone', code: 'unauthorized', text });
    if (this.#refusals > 2) {
      gone();
      return;
    }
    this.#become({ kind: 'waiting', until: Date.now() });
    void this.#options.refused().then(
      (again) => {
        if (this.#state.kind !== 'waiting') return;
        if (again) this.#open();
        else gone();
      },
      () => {
        if (this.#state.kind === 'waiting') this.#lost();
      },
    );
  }

  #lost(): void {
    const discards = this.#state.kind === 'connecting' && this.#queued > 0;
    this.#drop();
    const wait = WAITS[Math.min(this.#attempts, WAITS.length - 1)] ?? 30_000;
    this.#attempts += 1;
    this.#become({ kind: 'waiting', until: Date.now() + wait });
    this.#retry = setTimeout(() => this.#open(), wait);
    if (discards) this.#options.events.notice('What you typed is discarded: the connection failed.');
  }

  /** Forgets the socket with all that belongs to it. Input that was not acknowledged is not sent again: it may have arrived. */
  #drop(): void {
    for (const timer of [this.#retry, this.#stable, this.#batch, this.#resize]) clearTimeout(timer);
    clearInterval(this.#watch);
    this.#retry = this.#stable = this.#batch = this.#resize = this.#watch = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#queue = [];
    this.#queued = 0;
    this.#unacknowledged = 0;
    socket?.close();
  }

  #flush(): void {
    this.#batch = undefined;
    if (this.#state.kind !== 'open') return;
    let sent = false;
    while (this.#queued > 0) {
      const bytes = this.#take(Math.min(INPUT_WINDOW - this.#unacknowledged, INPUT_MESSAGE_MAX));
      if (bytes.length === 0) break;
      this.#send({ type: 'input', data: encode(bytes) });
      this.#unacknowledged += bytes.length;
      sent = true;
    }
    if (sent) this.#batch = setTimeout(() => this.#flush(), BATCH);
  }

  /** The first bytes of the queue, `most` at most. */
  #take(most: number): Uint8Array {
    const taken = new Uint8Array(Math.min(most, this.#queued));
    let at = 0;
    while (at < taken.length) {
      const first = this.#queue[0];
      if (!first) break;
      const part = first.subarray(0, taken.length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(part.length);
    }
    this.#queued -= taken.length;
    return taken;
  }
}

/** A message of the server. A newer server may send others. */
function read(data: unknown): ServerMessage | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    return JSON.parse(data) as ServerMessage;
  } catch {
    return undefined;
  }
}
