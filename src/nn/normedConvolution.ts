/** Convolutions with batch norm after them, which can take it into their weights. */
import type { Dtype, Tensor } from '../tensor/index.js';
import type { BatchNorm, Convolution, NormOptions } from './layers.js';
import { disposeModule } from './module.js';

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
    if (single !== undefined) return single.forward(x);
    const y = this.conv.forward(x);
    return this.norm?.forward(y, { training, momentum, record }) ?? y;
  }
}

/**
 * The convolutions of a network in evaluation mode with batch norm in their weights, so that it costs no pass over the
 * maps. They are copies of the weights as they are now.
 */
export class FoldedNorms {
  readonly #single = new Map<NormedConvolution, Convolution>();

  /** @param dtype of the weights, as autocast would make them; null: as they are */
  constructor(layers: readonly NormedConvolution[], dtype: Dtype | null) {
    for (const layer of layers) {
      if (layer.norm !== undefined) this.#single.set(layer, layer.conv.withNorm(layer.norm, dtype));
    }
  }

  of(layer: NormedConvolution): Convolution | undefined {
    return this.#single.get(layer);
  }

  dispose(): void {
    for (const single of this.#single.values()) disposeModule(single);
  }
}
