/** A scripted server of terminals: what a page sends stands in `sent`, and a test says what the shells print. */
import type { Schemas } from '../src/lib/api/types.ts';

type FromPage = Schemas['PtyClientMessage'];
type ToPage = Schemas['PtyServerMessage'];

export const PTY = /\/v1\/sandboxes\/[^/]+\/pty$/;

/** The end of a WebSocket that the server has. */
export interface Socket {
  send: (text: string) => void;
  close: (code: number) => void;
}

const packed = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const unpacked = (data: string) =>
  new TextDecoder().decode(Uint8Array.from(atob(data), (char) => char.charCodeAt(0)));

export class Shells {
  /** The messages of each connection, in their order. */
  readonly sent: FromPage[][] = [];
  /** What a shell has printed so far. */
  output = '';
  /** The position of the first byte that the server still keeps. */
  kept = 0;
  /** What a shell does with input. Nothing, unless a scenario says otherwise. */
  typing: (text: string) => void = () => undefined;
  /** What happens when a shell has been started. */
  onstart: () => void = () => undefined;
  #sockets: Socket[] = [];

  /** Takes a connection. The result is called with each message of the page. */
  accept(socket: Socket): (text: string) => void {
    const sent: FromPage[] = [];
    this.sent.push(sent);
    this.#sockets.push(socket);
    return (text) => {
      const message = JSON.parse(text) as FromPage;
      sent.push(message);
      if (message.type === 'start') {
        this.#started(message.tag ?? '', 0);
        this.onstart();
      }
      if (message.type === 'connect') this.#connected(message.tag, message.offset ?? 0);
      if (message.type === 'input') this.typing(unpacked(message.data));
    };
  }

  /** The message with which the page asked for a shell, on the connection with this number. */
  start(connection = 0): Extract<FromPage, { type: 'start' | 'connect' }> | undefined {
    const all = this.sent[connection] ?? [];
    return all.find((one) => one.type === 'start' || one.type === 'connect');
  }

  say(message: ToPage): void {
    this.#sockets.at(-1)?.send(JSON.stringify(message));
  }

  print(text: string): void {
    this.output += text;
    this.say({ type: 'output', data: packed(text) });
  }

  /** The connection breaks. */
  break(): void {
    this.#sockets.at(-1)?.close(1001);
  }

  /** What was typed over the last connection. */
  get typed(): string {
    return (this.sent.at(-1) ?? []).map((one) => (one.type === 'input' ? unpacked(one.data) : '')).join('');
  }

  #started(tag: string, offset: number): void {
    this.say({ type: 'started', tag, pid: 412, offset });
  }

  #connected(tag: string, offset: number): void {
    this.#started(tag, offset);
    if (this.kept > offset) this.say({ type: 'gap', bytes: this.kept - offset });
    const from = Math.max(offset, this.kept) - this.kept;
    if (from < this.output.length) this.say({ type: 'output', data: packed(this.output.slice(from)) });
  }
}
