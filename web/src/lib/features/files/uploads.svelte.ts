import { CallError, words } from '#lib/api/errors.ts';
import { join, keepBoth } from './paths.ts';

export type Clash = 'replace' | 'both' | 'skip';

export interface Upload {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  sent: number;
  state: 'waiting' | 'sending' | 'done' | 'failed';
  failure?: string | undefined;
}

export interface UploadsPlatform {
  /** The names in a folder. */
  names(directory: string): Promise<string[]>;
  upload(path: string, file: Blob, signal: AbortSignal, onprogress: (sent: number) => void): Promise<void>;
  /** Asks what to do with a name that is taken. `all`: the answer holds for the rest, too. */
  clash(name: string, more: number): Promise<{ answer: Clash; all: boolean } | undefined>;
  /** Something was written into a folder. */
  written(directory: string): void;
}

interface Work {
  path: string;
  directory: string;
  file: Blob;
  abort: AbortController;
}

/** Uploads at a time: the platform holds memory for each. */
const AT_ONCE = 2;

/** The uploads of this page, in their order. */
export class Uploads {
  all = $state<Upload[]>([]);
  readonly #platform: UploadsPlatform;
  #work: Record<number, Work | undefined> = {};
  #next = 1;
  #sending = 0;

  constructor(platform: UploadsPlatform) {
    this.#platform = platform;
  }

  get active(): number {
    return this.all.filter(({ state }) => state === 'waiting' || state === 'sending').length;
  }

  /** The part of all bytes that has been sent. */
  get part(): number {
    const counted = this.all.filter(({ state }) => state !== 'failed');
    const size = counted.reduce((sum, upload) => sum + upload.size, 0);
    return size === 0 ? 1 : counted.reduce((sum, upload) => sum + upload.sent, 0) / size;
  }

  /** Adds files to a folder, after the names that are taken are settled. */
  async add(directory: string, files: readonly File[]): Promise<void> {
    const taken = await this.#platform.names(directory);
    let always: Clash | undefined;
    for (const [at, file] of files.entries()) {
      let name = file.name;
      if (taken.includes(name)) {
        let answer = always;
        if (answer === undefined) {
          const more = files.slice(at + 1).filter((other) => taken.includes(other.name)).length;
          const given = await this.#platform.clash(name, more);
          if (given === undefined) return;
          answer = given.answer;
          if (given.all) always = answer;
        }
        if (answer === 'skip') continue;
        if (answer === 'both') name = keepBoth(name, (other) => taken.includes(other));
      }
      taken.push(name);
      this.#queue(directory, name, file);
    }
  }

  #queue(directory: string, name: string, file: Blob): void {
    const id = this.#next++;
    this.#work[id] = { path: join(directory, name), directory, file, abort: new AbortController() };
    this.all.push({ id, name, size: file.size, sent: 0, state: 'waiting' });
    this.#begin();
  }

  #begin(): void {
    while (this.#sending < AT_ONCE) {
      const next = this.all.find(({ state }) => state === 'waiting');
      if (!next) return;
      this.#sending += 1;
      next.state = 'sending';
      void this.#send(next).finally(() => {
        this.#sending -= 1;
        this.#begin();
      });
    }
  }

  async #send(upload: Upload): Promise<void> {
    const work = this.#work[upload.id];
    if (!work) return;
    try {
      await this.#platform.upload(work.path, work.file, work.abort.signal, (sent) => (upload.sent = sent));
      upload.sent = upload.size;
      upload.state = 'done';
      this.#platform.written(work.directory);
    } catch (error) {
      if (work.abort.signal.aborted) return;
      upload.state = 'failed';
      upload.failure = error instanceof CallError ? words(error) : 'The file could not be read.';
    } finally {
      this.#work[upload.id] = undefined;
    }
  }

  cancel(id: number): void {
    this.#work[id]?.abort.abort(new DOMException('cancelled', 'AbortError'));
    this.#work[id] = undefined;
    this.all = this.all.filter((upload) => upload.id !== id);
  }

  clear(): void {
    this.all = this.all.filter(({ state }) => state === 'waiting' || state === 'sending');
  }

  /** The page goes away. */
  end(): void {
    this.all = [];
    for (const work of Object.values(this.#work)) work?.abort.abort(new DOMException('left', 'AbortError'));
  }
}
