import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { PRIVATE } from '../../files.js';
import type { Raster } from '../sample.js';

/** The facts of a finished plane file. */
export interface PlaneFileSummary {
  readonly channels: 1 | 3;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Writes images one after another into a file `[N, C, S, S]` of bytes, planar. The file starts with C = 1; the first
 * colour image makes it C = 3 and repeats each gray plane written so far, so memory never holds more than one image.
 */
export class PlaneFile {
  readonly #path: string;
  readonly #side: number;
  #file: FileHandle;
  #hash: Hash = createHash('sha256');
  #channels: 1 | 3 = 1;
  #count = 0;

  private constructor(path: string, side: number, file: FileHandle) {
    this.#path = path;
    this.#side = side;
    this.#file = file;
  }

  static async create(path: string, side: number): Promise<PlaneFile> {
    return new PlaneFile(path, side, await open(path, 'wx+', PRIVATE));
  }

  /** Appends one image of side × side pixels, or zeros in the place of one that a sample lacks. */
  async append(image: Raster | undefined): Promise<void> {
    if (image?.channels === 3 && this.#channels === 1) await this.#becomeColour();
    const bytes = this.#channels * this.#side ** 2;
    await this.#write(image === undefined ? Buffer.alloc(bytes) : planes(image, this.#channels));
    this.#count += 1;
  }

  /** Flushes the file to the disk itself and closes it. */
  async finish(): Promise<PlaneFileSummary> {
    await this.#file.sync();
    await this.#file.close();
    return {
      channels: this.#channels,
      bytes: this.#count * this.#channels * this.#side ** 2,
      sha256: this.#hash.digest('hex'),
    };
  }

  /** Closes the file without flushing, as it is about to be removed. */
  async abandon(): Promise<void> {
    await this.#file.close();
  }

  async #becomeColour(): Promise<void> {
    const gray = this.#file;
    const grayPath = `${this.#path}.gray`;
    await rename(this.#path, grayPath);
    this.#file = await open(this.#path, 'wx+', PRIVATE);
    this.#hash = createHash('sha256');
    this.#channels = 3;
    try {
      const plane = Buffer.alloc(this.#side ** 2);
      for (let i = 0; i < this.#count; i += 1) {
        await readFully(gray, plane, i * plane.length);
        await this.#write(Buffer.concat([plane, plane, plane]));
      }
    } finally {
      await gray.close();
      await rm(grayPath);
    }
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#file.appendFile(bytes);
    this.#hash.update(bytes);
  }
}

/** Makes interleaved pixels planar, with the given number of channels; gray is repeated. */
export function planes({ data, channels, width, height }: Raster, wanted: 1 | 3): Buffer<ArrayBuffer> {
  const pixels = width * height;
  const planar = Buffer.alloc(pixels * wanted);
  for (let c = 0; c < wanted; c += 1) {
    const from = channels === 1 ? 0 : c;
    for (let pixel = 0; pixel < pixels; pixel += 1)
      planar[c * pixels + pixel] = data[pixel * channels + from]!;
  }
  return planar;
}

/** Reads until `into` is full, as `FileHandle.read` may return less than asked for. */
async function readFully(file: FileHandle, into: Buffer, position: number): Promise<void> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, position + filled);
    if (bytesRead === 0)
      throw new Error('a file of the image cache became shorter while it was being written');
    filled += bytesRead;
  }
}
