import {
  type Device,
  inFullPrecision,
  keep,
  l2Normalize,
  noGrad,
  ops,
  Random,
  type Tensor,
  TensorError,
  tensor,
  tidy,
} from '../tensor/index.js';
import { checkCount, randomUnitRows } from './unitRows.js';

export interface KeyQueueOptions {
  /** The number of keys, Q. Keep it at most the number of images, or the queue holds several old keys of each. */
  size: number;
  /** The number of components, d. */
  dimension: number;
  seed: number;
  /** A name that tells several queues of a run apart. It is part of the random key and of the names in the state. */
  name: string;
  device?: Device;
}

/**
 * The last Q keys of the momentum encoder (He et al. 2020, MoCo), in a ring that takes batches of any size. It starts
 * with random directions, which are easy negatives: the loss rises while true keys replace them.
 *
 * Enqueue after the optimiser's step. Before `backward` it would change tensors that the gradient needs, and before
 * scoring an image's key would be among its own negatives.
 */
export class KeyQueue {
  /** The unit rows, f32 [Q, d], a constant for the losses. */
  readonly keys: Tensor;
  /** The sample that each key came from, i64 [Q]; −1 for the random ones. */
  readonly tags: Tensor;
  /** The place of the next key, i64 [1]. It is on the queue's device, so that an enqueue waits for nothing. */
  readonly #next: Tensor;
  readonly #name: string;

  /** @throws RangeError on sizes below 1 */
  constructor({ size, dimension, seed, name, device = 'cpu' }: KeyQueueOptions) {
    checkCount('KeyQueue', 'size', size);
    checkCount('KeyQueue', 'dimension', dimension);
    this.#name = name;
    const random = new Random(seed, 'queue', name);
    this.keys = randomUnitRows(size, dimension, () => random.normal(), device);
    this.tags = keep(ops.full([size], -1, 'i64', null, device));
    this.#next = keep(ops.full([1], 0, 'i64', null, device));
  }

  /**
   * Replaces the oldest keys. Of more than Q keys the last Q remain.
   * @param keys [B, d], raw
   * @param tags the sample of each key
   */
  enqueue(keys: Tensor, tags: readonly number[]): void {
    const [size, dimension] = this.keys.shape as [number, number];
    const count = tags.length;
    if (keys.shape.join() !== `${count},${dimension}`) {
      throw new TensorError(
        `KeyQueue ${this.#name}: keys is [${keys.shape}], expected [${count},${dimension}], one for each tag`,
      );
    }
    const added = Math.min(count, size);
    const skipped = count - added;
    noGrad(() =>
      tidy(() =>
        inFullPrecision([keys], (raw) => {
          const { device, dtype } = this.keys;
          const unit = l2Normalize(raw!.narrow(0, skipped, added), 1).to({ dtype, device });
          const places = ops.arange(added, 'i64', null, device).add(this.#next).add(skipped);
          const index = ops.remainderScalar(places, size);
          const newest = tensor(tags.slice(skipped), [added], { dtype: 'i64', device });
          ops.indexCopy_(this.keys, 0, index, unit);
          ops.indexCopy_(this.tags, 0, index, newest);
          ops.copy_(this.#next, ops.remainderScalar(this.#next.add(count), size));
        }),
      ),
    );
  }

  /** The tensors that a checkpoint must hold, by name. */
  state(): ReadonlyMap<string, Tensor> {
    return new Map([
      [`${this.#name}.keys`, this.keys],
      [`${this.#name}.tags`, this.tags],
      [`${this.#name}.next`, this.#next],
    ]);
  }

  dispose(): void {
    for (const tensor of this.state().values()) tensor.dispose();
  }
}
