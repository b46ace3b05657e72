/**
 * The room `data/loading` hands out images as tensors. This file loads them from decoded files and says which come
 * when.
 */
import { type Device, keep, noGrad, ops, Random, type Tensor, tensor, tidy } from '../../tensor/index.js';
import type { ImageCache } from '../cache/decodedImages.js';
import { MappedFile } from '../cache/unchanged.js';
import { type Stream, type StreamOrder, streamOrder } from './streamOrder.js';

/** The images of some samples. */
export interface Loaded {
  /**
   * For each modality uint8 [n, C, S, S] on the device: one for each sample that has it, in the order asked for. C = 1
   * where all images are gray.
   */
  readonly images: Readonly<Record<string, Tensor>>;
  /**
   * For each modality that some of the samples lack, the places, in the order asked for, of those that have it; absent:
   * nothing is missing.
   */
  readonly present?: Readonly<Record<string, readonly number[]>>;
}

/** Gives the images of samples as tensors. */
export interface Loader {
  /** The side of the images in pixels. */
  readonly size: number;
  readonly modalities: readonly string[];
  /**
   * Resolves when `load` may be asked for the samples at `indices`.
   *
   * @param held samples to hold in memory from now on, in the order in which they are to be read; absent: those held
   * so far
   * @throws DataError if one of the images cannot be read
   */
  prepare(indices: readonly number[], held?: readonly number[]): Promise<void>;
  /** Gives the images of the samples at `indices`. */
  load(indices: readonly number[]): Loaded;
  /** @throws DataError naming a file that was changed since the loader was made */
  check(): void;
  dispose(): void;
}

/**
 * Loads the cached images of a data set as tensors that are mapped from disk. Memory holds only the pages that are
 * touched, and the system may drop them again.
 */
export class ImageLoader implements Loader {
  readonly size: number;
  readonly #images = new Map<string, Tensor>();
  /** The positions of the samples that have an image of the modality; a modality that all have is left out. */
  readonly #present: ReadonlyMap<string, ReadonlySet<number>>;
  readonly #files: MappedFile[] = [];
  readonly #device: Device;

  constructor(cache: ImageCache, device: Device = 'cpu') {
    this.size = cache.size;
    this.#device = device;
    this.#present = new Map(
      Object.entries(cache.present ?? {}).map(([modality, positions]) => [modality, new Set(positions)]),
    );
    for (const [modality, { file, state, offset, channels }] of Object.entries(cache.modalities)) {
      this.#files.push(new MappedFile(file, state));
      const shape = [cache.count, channels, cache.size, cache.size];
      const bytes = shape.reduce((product, length) => product * length, 1);
      // Files are mapped from their first byte on, but the bytes before the images are never touched.
      const images = tidy(() => {
        const all = ops.fromFile(file, false, offset + bytes, 'u8');
        return ops.reshape(ops.narrow(all, 0, offset, bytes), shape);
      });
      this.#images.set(modality, keep(images));
    }
  }

  get modalities(): readonly string[] {
    return [...this.#images.keys()];
  }

  /** Does nothing, as cached images are always there. */
  async prepare(): Promise<void> {}

  load(indices: readonly number[]): Loaded {
    const indexOf = (positions: readonly number[]) =>
      tensor([...positions], [positions.length], { dtype: 'i64' });
    const places = presentIn(indices, (modality, position) => this.#present.get(modality)?.has(position), [
      ...this.#present.keys(),
    ]);
    const images = noGrad(() => {
      const every = indexOf(indices);
      const batch = [...this.#images].map(([modality, all]) => {
        const own = places?.[modality];
        const index = own === undefined ? every : indexOf(own.map((place) => indices[place]!));
        const chosen = ops.indexSelect(all, 0, index);
        return [modality, this.#device === 'cpu' ? chosen : chosen.to({ device: this.#device })] as const;
      });
      return Object.fromEntries(batch);
    });
    return places === undefined ? { images } : { images, present: places };
  }

  check(): void {
    for (const file of this.#files) file.check();
  }

  dispose(): void {
    for (const images of this.#images.values()) images.dispose();
    for (const file of this.#files.splice(0)) file.close();
  }
}

/**
 * For each of the modalities that some samples at `indices` lack, the places in `indices` of those that have it;
 * undefined where none is missing.
 */
export function presentIn(
  indices: readonly number[],
  has: (modality: string, position: number) => boolean | undefined,
  modalities: readonly string[],
): Loaded['present'] {
  const gaps = modalities.flatMap((modality) => {
    const places = indices.flatMap((position, place) => (has(modality, position) ? [place] : []));
    return places.length === indices.length ? [] : [[modality, places] as const];
  });
  return gaps.length === 0 ? undefined : Object.fromEntries(gaps);
}

export interface BatchPlan {
  /** The positions, in the data set, of the samples that are trained on. */
  readonly indices: readonly number[];
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly seed: number;
  /** The shuffle buffer that samples are streamed through; absent: they are drawn from all. */
  readonly stream?: Stream;
}

/** The number of steps of one epoch. It is at least one, as a last batch is kept where it is the only one. */
export function stepsPerEpoch({ indices, batchSize, dropLast }: BatchPlan): number {
  const full = Math.floor(indices.length / batchSize);
  return Math.max(1, dropLast ? full : Math.ceil(indices.length / batchSize));
}

/**
 * Gives the samples of step `step`, counted from 0 over the whole run. It is a pure function, so that a resumed run
 * needs no state. `rows` are the positions of the samples in `plan.indices`, `indices` those in the data set.
 */
export function batchAt(plan: BatchPlan, step: number): { epoch: number; rows: number[]; indices: number[] } {
  const steps = stepsPerEpoch(plan);
  const epoch = Math.floor(step / steps);
  const order =
    plan.stream === undefined
      ? new Random(plan.seed, 'order', epoch).permutation(plan.indices.length)
      : streamed(plan.stream, plan.seed, epoch).used;
  const start = (step % steps) * plan.batchSize;
  const rows = Array.from(order.subarray(start, Math.min(start + plan.batchSize, order.length)));
  return { epoch, rows, indices: rows.map((row) => plan.indices[row]!) };
}

/**
 * Gives the samples that are in memory while step `step` of a streamed run is computed, in the order in which they
 * are read: the shuffle buffer and the samples that the next step takes in. They are at most `buffer` + 2
 * `batchSize`. Those of the next epoch come as the buffer runs empty. There are none where nothing is streamed.
 *
 * @param mine whether a place in the batch of a step is computed here; by default all are
 */
export function heldAt(
  plan: BatchPlan,
  step: number,
  mine: (step: number, place: number) => boolean = () => true,
): number[] {
  const { stream, seed, indices, batchSize } = plan;
  if (stream === undefined) return [];
  const steps = stepsPerEpoch(plan);
  const [epoch, within] = [Math.floor(step / steps), step % steps];
  const first = within * batchSize;
  const readBy = first + 2 * batchSize + stream.buffer;
  // The rest of an epoch that `dropLast` leaves out is not read.
  const last = steps * batchSize;
  const held = (epoch: number, count: number, first: number): number[] => {
    const { read, turn } = streamed(stream, seed, epoch);
    const rows = read.subarray(0, count).filter((row) => {
      const at = turn[row]!;
      const own = () => mine(epoch * steps + Math.floor(at / batchSize), at % batchSize);
      return at >= first && at < last && own();
    });
    return Array.from(rows, (row) => indices[row]!);
  };
  const beyond = readBy - last;
  return [...held(epoch, readBy, first), ...(beyond > 0 ? held(epoch + 1, beyond, 0) : [])];
}

/**
 * The orders of the last two epochs. To make one takes a pass over all samples, and it holds for all steps of its
 * epoch.
 */
const orders = new WeakMap<Stream, Map<number, StreamOrder>>();

function streamed(stream: Stream, seed: number, epoch: number): StreamOrder {
  const known = orders.get(stream) ?? new Map<number, StreamOrder>();
  orders.set(stream, known);
  const order = known.get(epoch) ?? streamOrder(stream, seed, epoch);
  known.set(epoch, order);
  for (const other of known.keys()) if (Math.abs(other - epoch) > 1) known.delete(other);
  return order;
}
