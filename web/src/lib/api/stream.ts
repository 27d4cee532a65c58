/** Reads server-sent events with `fetch`: `EventSource` cannot send the login. */
import type { Schemas } from './types.ts';

/** What `GET /v1/events` tells. `error`: the right of the caller has ended, and so does the stream. */
export type TeamEvent = Schemas['TeamEvent'] | { event: 'error'; data: Schemas['ErrorBody'] };

const KINDS: readonly string[] = ['resync', 'sandbox', 'audit', 'members', 'keys', 'team', 'error'];
/** No event is nearly as long. More than this without an end is no stream of events. */
const LONGEST = 65_536;

/** Puts events together from pieces of text, wherever the pieces are cut. */
export class EventParser {
  #rest = '';
  #name = '';
  #data: string[] = [];

  push(text: string): TeamEvent[] {
    const told: TeamEvent[] = [];
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LONGEST) throw new Error('A line of the event stream has no end.');
    for (const line of lines) {
      const event = this.#line(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (event) told.push(event);
    }
    return told;
  }

  #line(line: string): TeamEvent | undefined {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    // A line that begins with a colon is a comment.
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #end(): TeamEvent | undefined {
    const [name, data] = [this.#name, this.#data.join('\n')];
    this.#name = '';
    this.#data = [];
    // An event that a later version of the platform tells is none of this page.
    if (!KINDS.includes(name)) return undefined;
    try {
      return { event: name, data: JSON.parse(data === '' ? '{}' : data) as unknown } as TeamEvent;
    } catch {
      return undefined;
    }
  }
}

export interface Listener {
  /** Something arrived, if only a comment. */
  heard: () => void;
  told: (event: TeamEvent) => void;
}

/** Reads a stream until it ends. Throws when the connection breaks. */
export async function readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { heard, told }: Listener,
): Promise<void> {
  const parser = new EventParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    parser.push(value).forEach(told);
  }
}
