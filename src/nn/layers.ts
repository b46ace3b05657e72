/** The layers of the networks: convolution, batch normalisation, linear layer. */
import { ops, type Random, type Tensor, tensor } from '../tensor/index.js';
import { constant, kaimingNormal, linearUniform } from './init.js';
import type { Module } from './module.js';

/** A 3×3 convolution with stride 1, padding 1 and bias. x: [B, in, H, W] → [B, out, H, W]. */
export class Conv3x3 implements Module {
  readonly parameters: { readonly weight: Tensor; readonly bias: Tensor };

  constructor(inChannels: number, outChannels: number, random: Random) {
    this.parameters = {
      weight: kaimingNormal([outChannels, inChannels, 3, 3], random).setRequiresGrad(),
      bias: constant([outChannels], 0).setRequiresGrad(),
    };
  }

  forward(x: Tensor): Tensor {
    const { weight, bias } = this.parameters;
    // A gray image stands for three equal channels. Their weights add up, and the images stay a third of the size.
    const folded = x.size(1) === 1 && weight.size(1) === 3 ? weight.sum([1], true) : weight;
    return ops.conv2d(x, folded, bias, [1, 1], [1, 1]);
  }
}

/**
 * Batch normalisation of maps over [B, H, W], or of vectors [B, C] over the batch (Ioffe & Szegedy 2015). In training
 * mode it uses and records the batch's statistics: running ← 0.9 · running + 0.1 · batch (unbiased variance).
 */
export class BatchNorm implements Module {
  readonly parameters: { readonly weight: Tensor; readonly bias: Tensor };
  readonly buffers: {
    readonly running_mean: Tensor;
    readonly running_var: Tensor;
    readonly num_batches_tracked: Tensor;
  };

  constructor(channels: number) {
    this.parameters = {
      weight: constant([channels], 1).setRequiresGrad(),
      bias: constant([channels], 0).setRequiresGrad(),
    };
    this.buffers = {
      running_mean: constant([channels], 0),
      running_var: constant([channels], 1),
      num_batches_tracked: tensor(0, [], { dtype: 'i64' }),
    };
  }

  /**
   * Normalises the batch.
   * @param x [B, C, H, W] or [B, C], in training mode with more than one value of a channel
   * @param momentum the weight of this batch in the running statistics
   * @param record if false, the running statistics stay as they are in training mode
   */
  forward(
    x: Tensor,
    { training, momentum = 0.1, record = true }: { training: boolean; momentum?: number; record?: boolean },
  ): Tensor {
    const { weight, bias } = this.parameters;
    const { running_mean, running_var, num_batches_tracked } = this.buffers;
    if (training && !record) return ops.batchNorm(x, weight, bias, null, null, true, momentum, 1e-5, true);
    if (training) ops.addScalar_(num_batches_tracked, 1);
    return ops.batchNorm(x, weight, bias, running_mean, running_var, training, momentum, 1e-5, true);
  }
}

/** A linear layer, x · Wᵀ + b. x: [B, in] → [B, out]. */
export class Linear implements Module {
  readonly parameters: { readonly weight: Tensor; readonly bias: Tensor };

  constructor(inFeatures: number, outFeatures: number, random: Random) {
    this.parameters = {
      weight: linearUniform([outFeatures, inFeatures], inFeatures, random).setRequiresGrad(),
      bias: linearUniform([outFeatures], inFeatures, random).setRequiresGrad(),
    };
  }

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.parameters.weight, this.parameters.bias);
  }
}

/** A linear layer without bias, x · Wᵀ, for use before a normalisation that takes biases out. x: [B, in] → [B, out]. */
export class LinearWithoutBias implements Module {
  readonly parameters: { readonly weight: Tensor };

  constructor(inFeatures: number, outFeatures: number, random: Random) {
    this.parameters = {
      weight: linearUniform([outFeatures, inFeatures], inFeatures, random).setRequiresGrad(),
    };
  }

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.parameters.weight, null);
  }
}
