import type { PtyEvents, PtyOptions, PtySocket, PtyState } from '#lib/api/socket.ts';
import { keep, newTag, readKept, SHELLS_MAX, type KeptShell } from './kept.ts';
import type { Screen } from './screen.ts';
import { cleanTitle, missed } from './words.ts';

/** A page that nobody looks at does not hold the clock of its capsule for longer. */
const HIDDEN_MAX = 15 * 60_000;
const KEEP_PERIOD = 2000;

/** What shells need of the platform. */
export interface ShellPlatform {
  socket(shell: Pick<PtyOptions, 'tag' | 'known' | 'events'>): PtySocket;
  /** The name of the program, `bash`. */
  program(pid: number): Promise<string | undefined>;
  /** Whether the shell has a program to wait for. */
  busy(pid: number): Promise<boolean>;
  kill(tag: string): Promise<void>;
}

/** One shell, from its start to its end. The screen comes and goes with the page. */
export class Shell {
  readonly tag: string;
  state = $state.raw<PtyState>({ kind: 'detached' });
  name = $state('');
  pid = $state<number | undefined>();
  title = $state('');
  /** Something that had no effect, or that the user has missed. */
  notice = $state<string | undefined>();
  readonly #socket: PtySocket;
  readonly #platform: ShellPlatform;
  #screen: Screen | undefined;
  /** Output up to here was on a screen before this page was loaded. */
  #seen: number;
  #redraw = false;

  constructor(platform: ShellPlatform, kept?: KeptShell) {
    this.#platform = platform;
    this.tag = kept?.tag ?? newTag();
    this.name = kept?.name ?? '';
    this.pid = kept?.pid;
    this.#seen = kept?.seen ?? 0;
    const known = kept === undefined ? 'no' : kept.pid === undefined ? 'asked' : 'yes';
    this.#socket = platform.socket({ tag: this.tag, known, events: this.#events() });
  }

  get screen(): Screen | undefined {
    return this.#screen;
  }

  get label(): string {
    return this.pid === undefined ? 'new shell' : `${this.name || 'shell'}:${this.pid}`;
  }

  get over(): boolean {
    return this.state.kind === 'exited' || this.state.kind === 'gone';
  }

  get kept(): KeptShell {
    return {
      tag: this.tag,
      name: this.name,
      pid: this.pid,
      seen: Math.max(this.#seen, this.#socket.position ?? 0),
    };
  }

  #events(): PtyEvents {
    return {
      state: (state) => {
        this.state = state;
        if (state.kind === 'open') {
          this.notice = undefined;
          if (this.#redraw) this.#socket.redraw();
          this.#redraw = false;
        }
        if (state.kind === 'exited') this.#screen?.rest();
      },
      started: (pid, other) => {
        if (other) this.#screen?.terminal.reset();
        if (pid !== this.pid || !this.name) {
          this.pid = pid;
          void this.#platform.program(pid).then(
            (name) => (this.name = name ?? 'shell'),
            () => undefined,
          );
        }
      },
      output: (bytes, from, done) => {
        const screen = this.#screen;
        if (!screen) {
          done();
          return;
        }
        const old = Math.min(bytes.length, Math.max(0, this.#seen - from));
        if (old === bytes.length) screen.write(bytes, true, done);
        else {
          if (old > 0) screen.write(bytes.subarray(0, old), true, () => undefined);
          screen.write(bytes.subarray(old), false, done);
        }
      },
      gap: (bytes, from) => {
        const unseen = from + bytes - Math.max(from, this.#seen);
        // Much output may follow, and push the line out of the screen.
        if (unseen > 0) {
          this.#screen?.say(missed(unseen));
          this.notice = `${missed(unseen)}.`;
        }
        // What a program draws after the gap rests on what it drew before.
        this.#redraw = true;
        if (this.state.kind === 'open') this.#socket.redraw();
      },
      notice: (text) => (this.notice = text),
    };
  }

  /** The screen is there, with its size: the output may come. */
  show(screen: Screen, connect: boolean): void {
    this.#screen = screen;
    this.resize(screen.terminal.cols, screen.terminal.rows);
    if (connect) this.attach();
  }

  attach(): void {
    if (this.#screen) this.#socket.attach();
  }

  detach(): void {
    this.#socket.detach();
  }

  check(): void {
    this.#socket.check();
  }

  resize(cols: number, rows: number): void {
    this.#socket.resize(cols, rows);
  }

  type(text: string): void {
    if (this.over) return;
    if (!this.#socket.write(new TextEncoder().encode(text)) && this.state.kind !== 'detached')
      this.notice = 'What you type is discarded until the connection is back.';
  }

  /** A program has set its title. */
  named(title: string): void {
    this.title = cleanTitle(title);
  }

  busy(): Promise<boolean> {
    return this.pid === undefined ? Promise.resolve(false) : this.#platform.busy(this.pid);
  }

  async kill(): Promise<void> {
    await this.#platform.kill(this.tag);
  }
}

/** The shells of one capsule in this tab of the browser. */
export class Shells {
  all = $state.raw<Shell[]>([]);
  current = $state(0);
  readonly #sandbox: string;
  readonly #platform: ShellPlatform;
  #running = false;

  constructor(sandbox: string, platform: ShellPlatform) {
    this.#sandbox = sandbox;
    this.#platform = platform;
    const kept = readKept(sandbox);
    this.all = kept.shells.map((shell) => new Shell(platform, shell));
    this.current = kept.current;
  }

  get shown(): Shell | undefined {
    return this.all[this.current];
  }

  get full(): boolean {
    return this.all.length >= SHELLS_MAX;
  }

  /** Whether a shell may connect now. */
  get connects(): boolean {
    return this.#running && document.visibilityState === 'visible';
  }

  open(): void {
    if (this.full) return;
    this.all = [...this.all, new Shell(this.#platform)];
    this.current = this.all.length - 1;
    this.keep();
  }

  choose(index: number): void {
    this.current = index;
    this.keep();
  }

  remove(shell: Shell): void {
    shell.detach();
    const index = this.all.indexOf(shell);
    this.all = this.all.filter((other) => other !== shell);
    if (index < this.current || this.current >= this.all.length) this.current = Math.max(0, this.current - 1);
    this.keep();
  }

  /** Follows the state of the capsule: shells connect while it runs. */
  follow(running: boolean): void {
    if (running === this.#running) return;
    this.#running = running;
    for (const shell of this.all) {
      if (running) shell.attach();
      else shell.detach();
    }
  }

  /** Connects again at once, as after the network came back. */
  retry(): void {
    if (!this.#running) return;
    for (const shell of this.all) {
      shell.check();
      shell.attach();
    }
  }

  keep(): void {
    // A shell that has ended is not looked for after a reload.
    const shells = this.all.filter((shell) => !shell.over);
    const shown = this.shown;
    keep(this.#sandbox, {
      shells: shells.map((shell) => shell.kept),
      current: shown ? Math.max(0, shells.indexOf(shown)) : 0,
    });
  }

  /** Keeps the positions, and follows the visibility of the page. */
  start(): () => void {
    let hidden: ReturnType<typeof setTimeout> | undefined;
    const follow = () => {
      clearTimeout(hidden);
      if (document.visibilityState === 'visible') this.retry();
      else hidden = setTimeout(() => this.all.forEach((shell) => shell.detach()), HIDDEN_MAX);
    };
    const save = () => this.keep();
    const online = () => this.retry();
    const period = setInterval(save, KEEP_PERIOD);
    document.addEventListener('visibilitychange', follow);
    addEventListener('pagehide', save);
    addEventListener('online', online);
    return () => {
      clearTimeout(hidden);
      clearInterval(period);
      document.removeEventListener('visibilitychange', follow);
      removeEventListener('pagehide', save);
      removeEventListener('online', online);
      this.keep();
      this.all.forEach((shell) => shell.detach());
    };
  }
}
