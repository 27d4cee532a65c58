/** A scripted server of terminals: what a page sends stands in `sent`, and the test says what the shells print. */
import type { Page, WebSocketRoute } from '@playwright/test';

export interface Message {
  type: string;
  [field: string]: unknown;
}

export class Pty {
  /** The messages of each connection, in their order. */
  readonly sent: Message[][] = [];
  #sockets: WebSocketRoute[] = [];
  /** What a shell has printed so far. */
  output = '';
  /** The position of the first byte that the server still keeps. */
  kept = 0;

  static async on(page: Page): Promise<Pty> {
    const pty = new Pty();
    await page.route('**/processes', (route) =>
      route.fulfill({ json: { processes: [{ pid: 412, cmd: '/bin/bash' }] } }),
    );
    await page.routeWebSocket(/\/v1\/sandboxes\/[^/]+\/pty$/, (socket) => {
      const sent: Message[] = [];
      pty.sent.push(sent);
      pty.#sockets.push(socket);
      socket.onMessage((text) => {
        const message = JSON.parse(String(text)) as Message;
        sent.push(message);
        if (message.type === 'start') pty.say({ type: 'started', tag: message.tag, pid: 412, offset: 0 });
        if (message.type === 'connect') {
          const offset = Number(message.offset);
          pty.say({ type: 'started', tag: message.tag, pid: 412, offset });
          if (pty.kept > offset) pty.say({ type: 'gap', bytes: pty.kept - offset });
          const from = Math.max(offset, pty.kept) - pty.kept;
          if (from < pty.output.length) pty.#print(pty.output.slice(from));
        }
      });
    });
    return pty;
  }

  say(message: Message): void {
    this.#sockets.at(-1)?.send(JSON.stringify(message));
  }

  print(text: string): void {
    this.output += text;
    this.#print(text);
  }

  #print(text: string): void {
    this.say({ type: 'output', data: Buffer.from(text).toString('base64') });
  }

  /** The connection breaks. */
  async break(): Promise<void> {
    await this.#sockets.at(-1)?.close({ code: 1001, reason: '' });
  }

  /** What was typed over the last connection. */
  get typed(): string {
    return (this.sent.at(-1) ?? [])
      .filter(({ type }) => type === 'input')
      .map(({ data }) => Buffer.from(String(data), 'base64').toString())
      .join('');
  }
}
