import { type Device, keep, noGrad, ops, Random, type Tensor, tensor, tidy } from '../tensor/index.js';
import type { ImageCache } from './cache.js';

/**
 * The cached images of a data set as tensors, mapped from disk: memory holds only what is touched, and the system may
 * drop it again.
 */
export class ImageLoader {
  readonly size: number;
  readonly #images = new Map<string, Tensor>();
  readonly #device: Device;

  constructor(cache: ImageCache, device: Device = 'cpu') {
    this.size = cache.size;
    this.#device = device;
    for (const [modality, { file, channels }] of Object.entries(cache.modalities)) {
      const shape = [cache.count, channels, cache.size, cache.size];
      const bytes = shape.reduce((product, length) => product * length, 1);
      const images = tidy(() => ops.reshape(ops.fromFile(file, false, bytes, 'u8'), shape));
      this.#images.set(modality, keep(images));
    }
  }

  get modalities(): readonly string[] {
    return [...this.#images.keys()];
  }

  /** Images of the samples at `indices`: uint8 [B, C, S, S] per modality, on the device. */
  images(indices: ArrayLike<number>): Record<string, Tensor> {
    return noGrad(() => {
      const index = tensor(Array.from(indices), [indices.length], { dtype: 'i64' });
      const batch = [...this.#images].map(([modality, all]) => {
        const chosen = ops.indexSelect(all, 0, index);
        return [modality, this.#device === 'cpu' ? chosen : chosen.to({ device: this.#device })] as const;
      });
      return Object.fromEntries(batch);
    });
  }

  dispose(): void {
    for (const images of this.#images.values()) images.dispose();
  }
}

export interface BatchPlan {
  /** Positions, in the data set, of the samples trained on. */
  readonly indices: readonly number[];
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly seed: number;
}

/** Steps of one epoch. At least one: a last batch is kept where it is the only one. */
export function stepsPerEpoch({ indices, batchSize, dropLast }: BatchPlan): number {
  const full = Math.floor(indices.length / batchSize);
  return Math.max(1, dropLast ? full : Math.ceil(indices.length / batchSize));
}

/**
 * The samples of step `step`, counted from 0 over the whole run: a pure function, so that a resumed run needs no state.
 * `rows` are their positions in `plan.indices`, `indices` those in the data set.
 */
export function batchAt(plan: BatchPlan, step: number): { epoch: number; rows: number[]; indices: number[] } {
  const steps = stepsPerEpoch(plan);
  const epoch = Math.floor(step / steps);
  const order = new Random(plan.seed, 'order', epoch).permutation(plan.indices.length);
  const start = (step % steps) * plan.batchSize;
  const rows = Array.from(order.subarray(start, Math.min(start + plan.batchSize, order.length)));
  return { epoch, rows, indices: rows.map((row) => plan.indices[row]!) };
}
