/** Makes pictures small: colours that are nearly the same become one, in a palette of 256 at most. Reads what Chromium writes: 8 bits a channel, no interlace. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS_MAX = 256;
/** The edges of letters whose colours are nearer to each other become one: less than what a comparison tolerates. */
const NEAR = 400;
/** The part of a picture from which on a colour is a fill, and stays as it is. */
const FILL = 1 / 2000;

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/** The pixels as `0xRRGGBB`. `undefined`: the picture has another form, such as the one that `shrink` writes. */
function pixels(png: Buffer): { width: number; height: number; colours: Uint32Array } | undefined {
  const [width, height, depth, kind] = [png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]];
  const channels = kind === 2 ? 3 : kind === 6 ? 4 : undefined;
  if (!png.subarray(0, 8).equals(SIGNATURE) || depth !== 8 || !channels) return undefined;
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const rows = Buffer.alloc(stride * height);
  const colours = new Uint32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const at = y * stride + x;
      const left = x >= channels ? (rows[at - channels] ?? 0) : 0;
      const up = y > 0 ? (rows[at - stride] ?? 0) : 0;
      const corner = y > 0 && x >= channels ? (rows[at - stride - channels] ?? 0) : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter ?? 0] ?? 0;
      rows[at] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess;
    }
    for (let x = 0; x < width; x += 1) colours[y * width + x] = rows.readUIntBE(y * stride + x * channels, 3);
  }
  return { width, height, colours };
}

function distance(a: number, b: number): number {
  const channel = (shift: number) => ((a >> shift) & 255) - ((b >> shift) & 255);
  return channel(16) ** 2 + channel(8) ** 2 + channel(0) ** 2;
}

/** The same picture with a palette. */
export function shrink(png: Buffer): Buffer {
  const picture = pixels(png);
  if (!picture) return png;
  const { width, height, colours } = picture;
  const counts = new Map<number, number>();
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const palette: number[] = [];
  for (const [colour, count] of [...counts].sort((a, b) => b[1] - a[1])) {
    const fills = count > width * height * FILL;
    if (palette.length < COLOURS_MAX && (fills || palette.every((one) => distance(one, colour) > NEAR)))
      palette.push(colour);
  }
  const indexes = new Map(palette.map((colour, index) => [colour, index]));
  for (const colour of counts.keys()) {
    if (indexes.has(colour)) continue;
    const nearest = palette.reduce((best, one) =>
      distance(one, colour) < distance(best, colour) ? one : best,
    );
    indexes.set(colour, palette.indexOf(nearest));
  }
  const raw = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      raw[y * (width + 1) + 1 + x] = indexes.get(colours[y * width + x] ?? 0) ?? 0;
  const head = Buffer.from(png.subarray(16, 29));
  head[9] = 3;
  const table = Buffer.alloc(palette.length * 3);
  palette.forEach((colour, index) => table.writeUIntBE(colour, index * 3, 3));
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('PLTE', table),
    chunk('IDAT', deflateSync(raw, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
