import { regularFile } from '../regularFile.js';
import { MAX_BYTES } from './limits.js';

interface Entry<Content> {
  /** The length and times of the file as it was read. */
  readonly version: string;
  readonly content: Promise<Content>;
  bytes: number;
}

/**
 * The time without a request after which all is forgotten, so that a training run does not hold on to its first
 * volumes.
 */
const IDLE_SECONDS = 20;

/**
 * Keeps the few files that were decoded last, so that the slices or frames of a file, asked for in turn, decode it
 * once. A file that has changed is decoded again.
 */
export class RecentFiles<Content> {
  readonly #entries = new Map<string, Entry<Content>>();
  readonly #decode: (path: string, maxBytes: number) => Promise<{ content: Content; bytes: number }>;
  readonly #most: { readonly files: number; readonly bytes: number };
  #idle?: NodeJS.Timeout;

  /** @param most the most files and bytes to keep; the latest file is kept however large it is */
  constructor(
    decode: (path: string, maxBytes: number) => Promise<{ content: Content; bytes: number }>,
    most: { files: number; bytes: number },
  ) {
    this.#decode = decode;
    this.#most = most;
  }

  /** @param maxBytes what the decoder may make of a file that it has yet to decode */
  async get(path: string, maxBytes = MAX_BYTES): Promise<Content> {
    const { size, mtimeNs, ctimeNs } = await regularFile(path);
    const version = `${size} ${mtimeNs} ${ctimeNs}`;
    let entry = this.#entries.get(path);
    this.#entries.delete(path);
    if (entry?.version !== version) entry = this.#start(path, version, maxBytes);
    this.#entries.set(path, entry);
    this.#forgetOldest();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#entries.clear(), 1000 * IDLE_SECONDS).unref();
    return entry.content;
  }

  #start(path: string, version: string, maxBytes: number): Entry<Content> {
    const decoded = this.#decode(path, maxBytes);
    const entry: Entry<Content> = { version, content: decoded.then(({ content }) => content), bytes: 0 };
    decoded.then(
      ({ bytes }) => {
        entry.bytes = bytes;
        this.#forgetOldest();
      },
      // A file that cannot be read may be there the next time.
      () => this.#entries.get(path) === entry && this.#entries.delete(path),
    );
    return entry;
  }

  #forgetOldest(): void {
    let bytes = 0;
    for (const entry of this.#entries.values()) bytes += entry.bytes;
    for (const [path, entry] of this.#entries) {
      const tooMany = this.#entries.size > this.#most.files || bytes > this.#most.bytes;
      if (!tooMany || this.#entries.size === 1) return;
      this.#entries.delete(path);
      bytes -= entry.bytes;
    }
  }
}
