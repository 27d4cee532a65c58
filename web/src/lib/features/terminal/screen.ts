/** The screen of one shell: xterm, its addons and what of them is left out. Loaded when a terminal is opened. */
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal, type IFunctionIdentifier } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { commandOf, type Command } from './keys.ts';
import { documentTheme } from './theme.ts';

const LINES_KEPT = 5000;
const FONT = "'Geist Mono Variable', ui-monospace, monospace";

export interface ScreenHooks {
  /** Keys, and the answers of the screen to questions of the program. */
  data(text: string): void;
  resized(cols: number, rows: number): void;
  title(text: string): void;
  link(address: string): void;
  /** A key that is not the shell's. */
  command(command: Exclude<Command, 'palette' | 'browser'>): void;
  pasted(text: string): void;
}

export interface ScreenLook {
  size: number;
  reader: boolean;
}

export class Screen {
  readonly terminal: Terminal;
  #fit = new FitAddon();
  #search = new SearchAddon();
  /** The screen takes output that it has shown before: questions in it were answered then. */
  #replaying = false;
  #stops: (() => void)[] = [];

  /** `host` is in the document and has its size. */
  constructor(host: HTMLElement, hooks: ScreenHooks, look: ScreenLook) {
    this.terminal = new Terminal({
      fontFamily: FONT,
      fontSize: look.size,
      lineHeight: 1.2,
      scrollback: LINES_KEPT,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      minimumContrastRatio: 4.5,
      screenReaderMode: look.reader,
      theme: documentTheme(),
      // Titles are not reported back: a program could type its own title into the shell.
      windowOptions: {},
      linkHandler: { activate: (_, text) => hooks.link(text), allowNonHttpProtocols: false },
      macOptionIsMeta: true,
    });
    const { terminal } = this;
    terminal.loadAddon(this.#fit);
    terminal.loadAddon(this.#search);
    terminal.loadAddon(new WebLinksAddon((_, address) => hooks.link(address)));
    // A guest does not write to the clipboard.
    terminal.parser.registerOscHandler(52, () => true);
    this.#muteReplay();
    terminal.attachCustomKeyEventHandler((event) => {
      const command = commandOf(event, terminal.hasSelection());
      if (command === undefined) return true;
      if (command === 'palette' || command === 'browser') return false;
      // The browser pastes by itself, and its event brings the text without a permission.
      if (command === 'paste') return false;
      event.preventDefault();
      event.stopPropagation();
      hooks.command(command);
      return false;
    });
    terminal.onData((text) => hooks.data(text));
    terminal.onResize(({ cols, rows }) => hooks.resized(cols, rows));
    terminal.onTitleChange((text) => hooks.title(text));
    terminal.open(host);
    const paste = (event: ClipboardEvent) => {
      event.preventDefault();
      event.stopPropagation();
      hooks.pasted(event.clipboardData?.getData('text/plain') ?? '');
    };
    host.addEventListener('paste', paste, { capture: true });
    this.#stops.push(() => host.removeEventListener('paste', paste, { capture: true }));
    const themes = new MutationObserver(() => (terminal.options.theme = documentTheme()));
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const sizes = new ResizeObserver(() => this.fit());
    sizes.observe(host);
    this.#stops.push(
      () => themes.disconnect(),
      () => sizes.disconnect(),
    );
    this.fit();
    void this.#accelerate();
  }

  /** Draws with WebGL where the browser can; xterm's own drawing remains otherwise. */
  async #accelerate(): Promise<void> {
    if (!hasGpu()) return;
    try {
      const { WebglAddon } = await import('@xterm/addon-webgl');
      const addon = new WebglAddon();
      addon.onContextLoss(() => addon.dispose());
      this.terminal.loadAddon(addon);
    } catch {
      // No WebGL.
    }
  }

  /**
   * After a reload the screen takes the output from its beginning. Programs ask a terminal for its kind, the cursor and the
   * colours, and the answers go to the shell as keys: to answer anew would type into a shell that does not ask any more.
   */
  #muteReplay(): void {
    const { parser } = this.terminal;
    const replaying = () => this.#replaying;
    const questions: IFunctionIdentifier[] = [
      { final: 'c' },
      { prefix: '>', final: 'c' },
      { prefix: '=', final: 'c' },
      { prefix: '>', final: 'q' },
      { final: 'n' },
      { prefix: '?', final: 'n' },
      { intermediates: '$', final: 'p' },
      { prefix: '?', intermediates: '$', final: 'p' },
      { final: 't' },
    ];
    for (const question of questions) parser.registerCsiHandler(question, replaying);
    parser.registerDcsHandler({ intermediates: '$', final: 'q' }, replaying);
    for (const colours of [4, 10, 11, 12])
      parser.registerOscHandler(colours, (data) => this.#replaying && data.includes('?'));
  }

  write(bytes: Uint8Array, replayed: boolean, done: () => void): void {
    if (replayed) this.#replaying = true;
    this.terminal.write(bytes, () => {
      if (replayed) this.#replaying = false;
      done();
    });
  }

  /** Writes a sentence of the dashboard between the lines of the shell. False: a program has the whole screen. */
  say(text: string): boolean {
    if (this.terminal.buffer.active.type === 'alternate') return false;
    this.terminal.write(`\r\n\u001b[0;2m… ${text} …\u001b[0m\r\n`);
    return true;
  }

  /** The program has ended, perhaps without cleaning up. */
  rest(): void {
    this.terminal.write(
      '\u001b[?1049l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?2004l\u001b[?25l',
    );
  }

  fit(): void {
    const size = this.#fit.proposeDimensions();
    if (size && size.cols > 1 && size.rows > 1 && Number.isFinite(size.cols + size.rows)) this.#fit.fit();
  }

  look({ size, reader }: ScreenLook): void {
    this.terminal.options.fontSize = size;
    this.terminal.options.screenReaderMode = reader;
    this.fit();
  }

  find(text: string, backwards: boolean): boolean {
    return backwards ? this.#search.findPrevious(text) : this.#search.findNext(text);
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
    this.terminal.dispose();
  }
}

/** WebGL that is computed by the processor is slower than xterm's own drawing. */
function hasGpu(): boolean {
  const context = document
    .createElement('canvas')
    .getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  const info = context.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(context.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return !/swiftshader|llvmpipe|software|basic render/i.test(renderer);
}

/** Makes a screen once the font is there: xterm measures it at the beginning. */
export async function openScreen(host: HTMLElement, hooks: ScreenHooks, look: ScreenLook): Promise<Screen> {
  await Promise.all([
    document.fonts.load(`${look.size}px ${FONT}`),
    document.fonts.load(`bold ${look.size}px ${FONT}`),
  ]).catch(() => undefined);
  return new Screen(host, hooks, look);
}
