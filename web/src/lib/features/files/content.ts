/** What of a file is shown. Nothing of a guest becomes markup: HTML and SVG are shown as text, pictures come from a blob. */
export const PREVIEW_MAX = 10 * 1024 * 1024;
export const LINES_MAX = 5000;
export const HIGHLIGHT_MAX = 2000;
/** A line that is longer is cut: an editor lays a line out as a whole. */
const LINE_MAX = 5000;

const IMAGES: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  bmp: 'image/bmp',
  ico: 'image/x-icon',
};

export function extension(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : '';
}

export function imageType(name: string): string | undefined {
  return IMAGES[extension(name)];
}

export type Content =
  | { kind: 'text'; text: string; lines: number; cut: boolean }
  | { kind: 'image'; blob: Blob }
  | { kind: 'binary' }
  | { kind: 'large' };

/** Text that is not: it has a zero byte, or is not UTF-8. The end may be in the middle of a character when the file is cut. */
export function decodeText(bytes: Uint8Array, cut: boolean): string | undefined {
  if (bytes.subarray(0, 8192).includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
  } catch {
    return undefined;
  }
}

/** The text as the preview shows it. */
export function textContent(text: string, cut: boolean): Content {
  const all = text.split(/\r\n|\n|\r/);
  const more = cut || all.length > LINES_MAX;
  const lines = all.slice(0, LINES_MAX);
  const long = lines.some((line) => line.length > LINE_MAX);
  const shown = long
    ? lines.map((line) => (line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}…` : line))
    : lines;
  return { kind: 'text', text: shown.join('\n'), lines: lines.length, cut: more || long };
}

/** Reads from the beginning until there are enough lines. */
export async function readLines(
  body: ReadableStream<Uint8Array>,
): Promise<{ bytes: Uint8Array; cut: boolean }> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let [size, lines] = [0, 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { bytes: concat(chunks, size), cut: false };
    chunks.push(value);
    size += value.length;
    for (const byte of value) if (byte === 10) lines += 1;
    if (lines > LINES_MAX || size > PREVIEW_MAX) {
      await reader.cancel();
      return { bytes: concat(chunks, size), cut: true };
    }
  }
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
