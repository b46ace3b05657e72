/** Convolutions with batch norm after them, which can take it into their weights. */
import { type Dtype, ops, type PackedConvolution, type Tensor } from '../tensor/index.js';
import type { BatchNorm, Convolution, NormOptions } from './layers.js';
import { disposeModule } from './module.js';
import { type PooledMap, pool } from './pooledMap.js';

export interface NormedOptions extends Partial<NormOptions> {
  /** What evaluation mode uses in place of convolutions and batch norm. */
  readonly folded?: FoldedNorms;
}

/** A convolution and the batch norm after it, if there is one. x: [B, in, H, W] → [B, out, H', W']. */
export class NormedConvolution<Norm extends BatchNorm | undefined = BatchNorm | undefined> {
  readonly conv: Convolution;
  readonly norm: Norm;

  constructor(conv: Convolution, norm: Norm) {
    this.conv = conv;
    this.norm = norm;
  }

  forward(x: Tensor, { training = false, momentum, record, folded }: NormedOptions): Tensor {
    const single = training ? undefined : folded?.of(this);
    if (single !== undefined) return single.forward(x, false);
    const y = this.conv.forward(x);
    return this.norm?.forward(y, { training, momentum, record }) ?? y;
  }

  /** The same with a ReLU after it. */
  forwardRelu(x: Tensor, options: NormedOptions): Tensor {
    const { training = false, momentum, record, folded } = options;
    const single = training ? undefined : folded?.of(this);
    if (single !== undefined) return single.forward(x, true);
    const y = this.conv.forward(x);
    return this.norm?.forwardRelu(y, { training, momentum, record }) ?? ops.relu_(y);
  }

  /** The same with a ReLU and a max-pool of 2×2 pixels after it. */
  forwardReluPool(x: Tensor, options: NormedOptions): PooledMap {
    const { training = false, momentum, record, folded } = options;
    const alone = this.norm === undefined || (!training && folded?.of(this) !== undefined);
    if (alone) return pool(this.forwardRelu(x, options));
    return this.norm.forwardReluPool(this.conv.forward(x), { training, momentum, record });
  }
}

/** A convolution with batch norm in its weights, by packed weights where LibTorch has them. */
class FoldedConvolution {
  readonly #single: Convolution;
  /** By what the input looks like, and whether a ReLU follows; null: there is no such kernel. */
  readonly #packed = new Map<string, PackedConvolution | null>();

  constructor(single: Convolution) {
    this.#single = single;
  }

  forward(x: Tensor, relu: boolean): Tensor {
    const packed = this.#packedFor(x, relu);
    if (packed !== null) return packed.forward(x);
    const y = this.#single.forward(x);
    return relu ? ops.relu_(y) : y;
  }

  #packedFor(x: Tensor, relu: boolean): PackedConvolution | null {
    // Autocast would cast the input.
    if (x.dtype !== this.#single.dtype || x.device !== 'cpu') return null;
    const key = `${x.shape.slice(1)} ${relu}`;
    const known = this.#packed.get(key);
    if (known !== undefined) return known;
    const packed = this.#single.packed(x, relu) ?? null;
    this.#packed.set(key, packed);
    return packed;
  }

  dispose(): void {
    for (const packed of this.#packed.values()) packed?.dispose();
    this.#packed.clear();
    disposeModule(this.#single);
  }
}

/**
 * The convolutions of a network in evaluation mode with batch norm in their weights, so that it costs no pass over the
 * maps. They are copies of the weights as they are now.
 */
export class FoldedNorms {
  readonly #single = new Map<NormedConvolution, FoldedConvolution>();

  /** @param dtype of the weights, as autocast would make them; null: as they are */
  constructor(layers: readonly NormedConvolution[], dtype: Dtype | null) {
    for (const layer of layers) {
      if (layer.norm !== undefined)
        this.#single.set(layer, new FoldedConvolution(layer.conv.withNorm(layer.norm, dtype)));
    }
  }

  of(layer: NormedConvolution): FoldedConvolution | undefined {
    return this.#single.get(layer);
  }

  dispose(): void {
    for (const single of this.#single.values()) single.dispose();
  }
}
