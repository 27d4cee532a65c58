/** The server's end of a WebSocket (RFC 6455), as far as a terminal in a page needs one: whole messages of text. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from './shells.ts';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

function frame(kind: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head =
    length < 126
      ? Buffer.from([0x80 | kind, length])
      : // The shortest form that holds the length: a browser refuses another one.
        length < 65_536
        ? Buffer.from([0x80 | kind, 126, length >>> 8, length])
        : Buffer.from([0x80 | kind, 127, 0, 0, 0, 0, length >>> 24, length >>> 16, length >>> 8, length]);
  return Buffer.concat([head, payload]);
}

/** The first frame in `bytes`, and the number of its bytes. `undefined`: it is not whole yet. */
function read(bytes: Buffer): { kind: number; payload: Buffer; size: number } | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const short = second & 0x7f;
  const wide = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (bytes.length < 2 + wide + 4) return undefined;
  const length = wide === 2 ? bytes.readUInt16BE(2) : wide === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  const start = 2 + wide + 4;
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(2 + wide, start);
  const payload = bytes.subarray(start, start + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return { kind: first & 0x0f, payload: Buffer.from(payload), size: start + length };
}

/** Takes the upgrade request of a page. */
export function accept(
  request: IncomingMessage,
  stream: Duplex,
  onsocket: (socket: Socket) => (text: string) => void,
): void {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accepted = createHash('sha1').update(key).digest('base64');
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accepted}\r\n\r\n`,
  );
  const take = onsocket({
    send: (text) => stream.write(frame(TEXT, Buffer.from(text))),
    close: (code) => stream.end(frame(CLOSE, Buffer.from([code >> 8, code & 0xff]))),
  });
  let bytes: Buffer = Buffer.alloc(0);
  // The page may be gone in the middle of a message.
  stream.on('error', () => stream.destroy());
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let found = read(bytes); found; found = read(bytes)) {
      bytes = bytes.subarray(found.size);
      if (found.kind === TEXT) take(found.payload.toString());
      if (found.kind === PING) stream.write(frame(PONG, found.payload));
      if (found.kind === CLOSE) stream.end(frame(CLOSE, found.payload));
    }
  });
}
