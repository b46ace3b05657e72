import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { DataError } from '../../errors.js';
import { type Device, type Tensor, tensor } from '../../tensor/index.js';
import { ReadFiles } from '../cache/unchanged.js';
import type { Dataset } from '../sample.js';
import { type DecodedSample, PairDecoder, type PlanarImages } from './decodePair.js';
import type { DecodeAnswer, DecodeRequest, DecodeSetting } from './decodeWorker.js';
import { type Loaded, type Loader, presentIn } from './loader.js';

/**
 * Decodes the images of a data set as they are needed. Memory holds those that the loader is told to hold, and the
 * disk none. A thread of its own decodes, as a training step never lets the main thread's events through.
 */
export class StreamLoader implements Loader {
  readonly size: number;
  readonly modalities: readonly string[];
  readonly #samples: Dataset['samples'];
  readonly #device: Device;
  readonly #decoder: Decoder;
  readonly #files: ReadFiles;
  /** The samples that were asked for and not given up, by position. */
  readonly #pending = new Map<number, Promise<void>>();
  readonly #decoded = new Map<number, PlanarImages>();
  #held: readonly number[] = [];

  constructor(dataset: Dataset, size: number, device: Device = 'cpu') {
    this.size = size;
    this.modalities = dataset.modalities;
    this.#samples = dataset.samples;
    this.#device = device;
    this.#files = new ReadFiles(filesOf(dataset));
    this.#decoder = makeDecoder({
      data: {
        modalities: dataset.modalities,
        preprocess: dataset.preprocess,
        maxBytes: dataset.maxBytes,
      },
      size,
    });
  }

  /** The number of samples that are in memory or on their way to it. */
  get holding(): number {
    return this.#pending.size;
  }

  async prepare(indices: readonly number[], held = this.#held): Promise<void> {
    this.#held = held;
    // The samples needed now come before those that are read ahead.
    const wanted = new Set([...indices, ...held]);
    for (const position of this.#pending.keys()) {
      if (wanted.has(position)) continue;
      this.#pending.delete(position);
      this.#decoded.delete(position);
    }
    for (const position of wanted) if (!this.#pending.has(position)) this.#start(position);
    await Promise.all(indices.map((position) => this.#pending.get(position)));
  }

  #start(position: number): void {
    const { id, subject, images, origin } = this.#samples[position]!;
    const decoding = this.#decoder.decode({ id, subject, images, origin }).then((decoded) => {
      // A sample that was given up meanwhile is not kept.
      if (this.#pending.get(position) === decoding) this.#decoded.set(position, decoded);
    });
    // An error is thrown when the sample's turn comes; until then it must not end the process.
    decoding.catch(() => undefined);
    this.#pending.set(position, decoding);
  }

  load(indices: readonly number[]): Loaded {
    const samples = indices.map((position) => {
      const decoded = this.#decoded.get(position);
      if (decoded === undefined) throw new RangeError(`StreamLoader: sample ${position} is not prepared`);
      return decoded;
    });
    const images = Object.fromEntries(
      this.modalities.map((modality) => {
        return [modality, this.#join(samples.flatMap((decoded) => decoded[modality] ?? []))];
      }),
    );
    const has = (modality: string, position: number) => this.#decoded.get(position)![modality] !== undefined;
    const present = presentIn(indices, has, this.modalities);
    return present === undefined ? { images } : { images, present };
  }

  #join(images: readonly PlanarImages[string][]): Tensor {
    const channels = images.every((image) => image.channels === 1) ? 1 : 3;
    const pixels = this.size ** 2;
    const joined = new Uint8Array(images.length * channels * pixels);
    for (const [i, image] of images.entries()) {
      // A gray image among coloured ones gets the same plane three times.
      for (let c = 0; c < channels; c += image.channels) joined.set(image.data, (i * channels + c) * pixels);
    }
    return tensor(joined, [images.length, channels, this.size, this.size], { device: this.#device });
  }

  check(): void {
    this.#files.check();
  }

  dispose(): void {
    this.#pending.clear();
    this.#decoded.clear();
    this.#decoder.close();
  }
}

function* filesOf({ samples }: Dataset): Generator<string> {
  for (const { images } of samples) {
    for (const source of Object.values(images)) if (source.kind !== 'generated') yield source.path;
  }
}

interface Decoder {
  decode(sample: DecodedSample): Promise<PlanarImages>;
  close(): void;
}

/**
 * The thread's file, which is there only in the built package. From TypeScript sources, as tests run them, this thread
 * decodes.
 */
const workerFile = new URL('./decodeWorker.js', import.meta.url);

function makeDecoder(setting: DecodeSetting): Decoder {
  if (existsSync(fileURLToPath(workerFile))) return new ThreadDecoder(setting);
  const decoder = new PairDecoder(setting.data, setting.size);
  return { decode: (sample) => decoder.decode(sample), close: () => undefined };
}

/** Decodes in a thread, which keeps the process alive only while it works. A program that fails need not know of it. */
class ThreadDecoder implements Decoder {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve: (images: PlanarImages) => void; reject: (error: Error) => void }
  >();
  #tickets = 0;
  #broken: Error | undefined;

  constructor(setting: DecodeSetting) {
    this.#worker = new Worker(workerFile, { workerData: setting });
    this.#worker.unref();
    this.#worker.on('message', (answer: DecodeAnswer) => {
      const { resolve, reject } = this.#waiting.get(answer.ticket)!;
      this.#waiting.delete(answer.ticket);
      if (this.#waiting.size === 0) this.#worker.unref();
      if ('images' in answer) resolve(answer.images);
      else reject(answer.isData ? new DataError(answer.message) : new Error(answer.message));
    });
    const fail = (error: Error) => {
      this.#broken ??= error;
      for (const { reject } of this.#waiting.values()) reject(this.#broken);
      this.#waiting.clear();
    };
    this.#worker.on('error', fail);
    this.#worker.on('exit', () => fail(new Error('the thread that decodes images has ended')));
  }

  decode(sample: DecodedSample): Promise<PlanarImages> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const request: DecodeRequest = { ticket: this.#tickets, sample };
      this.#waiting.set(this.#tickets, { resolve, reject });
      this.#tickets += 1;
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  close(): void {
    void this.#worker.terminate();
  }
}
