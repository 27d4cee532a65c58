import { failure, ok, type Client } from '#lib/api/client.ts';
import type { FileEntry } from '#lib/api/types.ts';
import { decodeText, imageType, PREVIEW_MAX, readLines, textContent, type Content } from './content.ts';
import { baseName } from './paths.ts';

/** The files of one capsule, over the API. */
export class FilesApi {
  readonly #client: Client;
  readonly #params: { path: { id: string } };

  constructor(client: Client, sandbox: string) {
    this.#client = client;
    this.#params = { path: { id: sandbox } };
  }

  async list(path: string, depth = 1): Promise<FileEntry[]> {
    const body = { path, depth };
    return (await ok(this.#client.POST('/v1/sandboxes/{id}/files/list', { params: this.#params, body })))
      .entries;
  }

  async makeFolder(path: string): Promise<FileEntry> {
    const body = { path };
    return (await ok(this.#client.POST('/v1/sandboxes/{id}/files/mkdir', { params: this.#params, body })))
      .entry;
  }

  async remove(path: string): Promise<void> {
    await ok(this.#client.POST('/v1/sandboxes/{id}/files/remove', { params: this.#params, body: { path } }));
  }

  async stat(path: string): Promise<FileEntry> {
    return (
      await ok(this.#client.POST('/v1/sandboxes/{id}/files/stat', { params: this.#params, body: { path } }))
    ).entry;
  }

  /** Gives a file or folder another path. A path that is taken is refused. */
  async move(from: string, to: string): Promise<void> {
    await ok(
      this.#client.POST('/v1/sandboxes/{id}/files/move', { params: this.#params, body: { from, to } }),
    );
  }

  /** An address that downloads a file without passing through the memory of the page. */
  async address(path: string): Promise<string> {
    const body = { path, operation: 'read', expires_in_sec: 60 } as const;
    return (await ok(this.#client.POST('/v1/sandboxes/{id}/files/sign', { params: this.#params, body }))).url;
  }

  /** What the preview shows. `size`: as the folder told it. */
  async preview(path: string, size: number | undefined, signal: AbortSignal): Promise<Content> {
    if (size !== undefined && size > PREVIEW_MAX) return { kind: 'large' };
    const body = await this.#read(path, signal);
    const type = imageType(baseName(path));
    if (type) {
      const blob = await new Response(body).blob();
      return { kind: 'image', blob: new Blob([blob], { type }) };
    }
    const { bytes, cut } = await readLines(body);
    const text = decodeText(bytes, cut);
    return text === undefined ? { kind: 'binary' } : textContent(text, cut);
  }

  /** The whole file, in the memory of the page. */
  async blob(path: string, signal: AbortSignal): Promise<Blob> {
    return new Response(await this.#read(path, signal)).blob();
  }

  async #read(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { data, error, response } = await this.#client.POST('/v1/sandboxes/{id}/files/read', {
      params: this.#params,
      body: { path },
      parseAs: 'stream',
      signal,
    });
    if (!response.ok) throw failure(error, response);
    return (
      (data as ReadableStream<Uint8Array> | null | undefined) ??
      new ReadableStream({ start: (c) => c.close() })
    );
  }
}

/** Opens an address that the browser saves as a file. An answer that is none must not replace the page. */
export function saveFrom(address: string): void {
  const link = document.createElement('a');
  link.href = address;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  link.click();
}

/** Hands a blob to the browser's downloads. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
