import {
  type Device,
  inFullPrecision,
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

export interface MemoryBankOptions {
  /** The number of rows n, one row for each image. */
  rows: number;
  /** The number of components d. */
  dimension: number;
  /** The share of the stored row that an update keeps. */
  momentum?: number;
  seed: number;
  /** A name that tells several banks of a run apart. It is part of the random key and of the names in the state. */
  name: string;
  device?: Device;
}

/**
 * The feature that each image had when it was last seen (Wu et al. 2018; CMC has one bank for each view). It starts
 * with noise, so the losses of the first epoch mean little.
 *
 * Update it after the optimiser's step: an update before `backward` changes tensors that the gradient needs, and
 * LibTorch refuses that. Rows belong to images and never to places in a batch, or short last batches and other orders
 * would mix them up.
 */
export class MemoryBank {
  /** The unit rows, f32 [n, d], a constant for the losses. */
  readonly vectors: Tensor;
  readonly #name: string;
  readonly #momentum: number;

  /** @throws RangeError on sizes below 1 and on a momentum outside [0, 1) */
  constructor({ rows, dimension, momentum = 0.5, seed, name, device }: MemoryBankOptions) {
    checkCount('MemoryBank', 'rows', rows);
    checkCount('MemoryBank', 'dimension', dimension);
    if (!(momentum >= 0 && momentum < 1)) {
      throw new RangeError(`MemoryBank: momentum is ${momentum}, expected a number in [0, 1)`);
    }
    this.#name = name;
    this.#momentum = momentum;
    // The noise is U(−1/√(d/3), 1/√(d/3)), as in Wu's code.
    const bound = 1 / Math.sqrt(dimension / 3);
    const random = new Random(seed, 'bank', name);
    this.vectors = randomUnitRows(rows, dimension, () => random.uniform(-bound, bound), device);
  }

  /**
   * Computes v ← m·v + (1 − m)·f/‖f‖, made a unit vector again. A feature of zeros leaves its row as it is.
   * @param rows the row of each feature
   * @param features [B, d], raw
   * @throws TensorError when a row comes twice (the order would decide what is stored) or is none of the bank's
   */
  update(rows: readonly number[], features: Tensor): void {
    const [count, dimension] = this.vectors.shape as [number, number];
    if (features.shape.join() !== `${rows.length},${dimension}`) {
      throw new TensorError(
        `MemoryBank ${this.#name}: features is [${features.shape}], expected [${rows.length},${dimension}], one for each row`,
      );
    }
    const seen = new Set<number>();
    for (const row of rows) {
      if (!Number.isInteger(row) || row < 0 || row >= count) {
        throw new TensorError(
          `MemoryBank ${this.#name}: row ${row}, expected an integer from 0 to ${count - 1}`,
        );
      }
      if (seen.has(row))
        throw new TensorError(`MemoryBank ${this.#name}: row ${row} comes twice in one update`);
      seen.add(row);
    }
    noGrad(() =>
      tidy(() =>
        inFullPrecision([features], (raw) => {
          const { device, dtype } = this.vectors;
          const index = tensor(rows, [rows.length], { dtype: 'i64', device });
          const unit = l2Normalize(raw!, 1).to({ dtype, device });
          const mixed = ops
            .indexSelect(this.vectors, 0, index)
            .mul(this.#momentum)
            .add(unit.mul(1 - this.#momentum));
          ops.indexCopy_(this.vectors, 0, index, l2Normalize(mixed, 1));
        }),
      ),
    );
  }

  /** The tensors that a checkpoint must hold, by name. */
  state(): ReadonlyMap<string, Tensor> {
    return new Map([[`${this.#name}.vectors`, this.vectors]]);
  }

  dispose(): void {
    this.vectors.dispose();
  }
}
