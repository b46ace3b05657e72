/** The layers of the networks: convolutions, normalisations, linear layers. */
import {
  type Dtype,
  keep,
  type NormReluOptions,
  noGrad,
  normRelu,
  ops,
  PackedConvolution,
  type ProcessGroup,
  recomputeInput,
  type Tensor,
  tensor,
  tidy,
  toChannelsLast,
} from '../tensor/index.js';
import {
  constant,
  kaimingNormal,
  type LayerRandom,
  type LinearStart,
  linearUniform,
  uniformStart,
} from './init.js';
import type { Module } from './module.js';
import { type PooledMap, pool, pooledTogether } from './pooledMap.js';

let recomputing = false;

/**
 * Runs `body`, in which convolutions do not keep their input for the backward pass where it comes from a batch norm: it is
 * computed again from the batch norm's own input, to the bit.
 */
export function recomputingInputs<T>(body: () => T): T {
  const before = recomputing;
  recomputing = true;
  try {
    return body();
  } finally {
    recomputing = before;
  }
}

export interface ConvolutionOptions {
  readonly weight: Tensor;
  /** Absent: none. */
  readonly bias?: Tensor;
  /** Default 1. */
  readonly stride?: number;
  /** The zeros on each side. Default 0. */
  readonly padding?: number;
}

/** A convolution with square kernel. x: [B, in, H, W] → [B, out, H', W']. */
export class Convolution implements Module {
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly #weight: Tensor;
  readonly #bias: Tensor | null;
  readonly #stride: readonly [number, number];
  readonly #padding: readonly [number, number];

  /** @param options.weight [out, in, k, k] @param options.bias [out] */
  constructor({ weight, bias, stride = 1, padding = 0 }: ConvolutionOptions) {
    this.#weight = weight.setRequiresGrad();
    this.#bias = bias?.setRequiresGrad() ?? null;
    this.parameters = { weight, ...(bias && { bias }) };
    this.#stride = [stride, stride];
    this.#padding = [padding, padding];
  }

  forward(x: Tensor): Tensor {
    const z = ops.conv2d(x, this.#weightFor(x), this.#bias, this.#stride, this.#padding);
    if (recomputing) recomputeInput(x, z);
    return z;
  }

  /** A gray image stands for three equal channels. Their weights add up, and the images stay a third of the size. */
  #weightFor(x: Tensor): Tensor {
    const weight = this.#weight;
    return x.size(1) === 1 && weight.size(1) === 3 ? weight.sum([1], true) : weight;
  }

  /**
   * Makes what computes the same without gradient, with a copy of the weights as they are now; to be disposed.
   *
   * @param x such as will be given
   * @param relu whether a ReLU comes after it
   * @returns undefined where there is no such kernel, or where a ReLU might hide that numbers break
   */
  packed(x: Tensor, relu: boolean): PackedConvolution | undefined {
    return noGrad(() =>
      tidy(() => {
        if (relu && !this.#isModerate()) return undefined;
        const options = { bias: this.#bias, stride: this.#stride, padding: this.#padding, relu };
        return PackedConvolution.make(x, { ...options, weight: this.#weightFor(x) });
      }),
    );
  }

  /**
   * Whether it can make no NaN of numbers such as networks have. oneDNN's ReLU makes 0 of NaN, and whoever reads the
   * features must see that a training has diverged.
   */
  #isModerate(): boolean {
    const sumOf = (own: Tensor, dims: readonly number[]) =>
      ops.amax(ops.vectorNorm(own.to({ dtype: 'f32' }), 1, [...dims], false), [0], false).item();
    const weights = sumOf(this.#weight, [1, 2, 3]);
    const bias =
      this.#bias === null ? 0 : ops.vectorNorm(this.#bias.to({ dtype: 'f32' }), 2, null, false).item();
    return weights <= MODERATE && bias <= MODERATE;
  }

  /** The dtype of the weights. */
  get dtype(): Dtype {
    return this.#weight.dtype;
  }

  /**
   * Makes a convolution that by itself gives what this one and then `norm` give in evaluation mode: with s = γ / √(σ² + ε)
   * its weights are s · W and its bias is β + s · (b − μ). It has weights of its own, to be disposed.
   *
   * @param dtype of its weights; null: as they are
   */
  withNorm({ parameters, buffers }: BatchNorm, dtype: Dtype | null): Convolution {
    const { weight, bias } = noGrad(() =>
      tidy(() => {
        const scale = parameters.weight.div(buffers.running_var.add(EPSILON).sqrt());
        const { running_mean: mean } = buffers;
        const shift = (this.#bias?.sub(mean) ?? mean.neg()).mul(scale);
        const own = {
          weight: toChannelsLast(this.#weight.mul(ops.reshape(scale, [-1, 1, 1, 1]))),
          bias: parameters.bias.add(shift),
        };
        return dtype === null ? own : { weight: own.weight.to({ dtype }), bias: own.bias.to({ dtype }) };
      }),
    );
    return new Convolution({
      ...keep({ weight, bias }),
      stride: this.#stride[0],
      padding: this.#padding[0],
    });
  }
}

/** Sums of weights up to this make no value overflow within ten layers. Those of networks are below 100 or so. */
const MODERATE = 1e4;

/** What batch norm adds to the variance. */
const EPSILON = 1e-5;

/** A 3×3 convolution with stride 1, padding 1 and bias. x: [B, in, H, W] → [B, out, H, W]. */
export class Conv3x3 extends Convolution {
  constructor(inChannels: number, outChannels: number, random: LayerRandom) {
    super({
      weight: kaimingNormal([outChannels, inChannels, 3, 3], random),
      bias: constant([outChannels], 0),
      padding: 1,
    });
  }
}

export interface NormOptions {
  /** If true, the batch's statistics normalise, and are recorded; else the running ones normalise. */
  readonly training: boolean;
  /** The weight of this batch in the running statistics. Default 0.1. */
  readonly momentum?: number | undefined;
  /** If false, the running statistics stay as they are in training mode. */
  readonly record?: boolean | undefined;
}

let group: ProcessGroup | undefined;

/** Runs `body` with batch norm, in training mode, over the batches of all processes together, as if they were one. */
export function normsAcross<T>(processes: ProcessGroup, body: () => T): T {
  const before = group;
  group = processes;
  try {
    return body();
  } finally {
    group = before;
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
   */
  forward(x: Tensor, options: NormOptions): Tensor {
    return this.#fused(x, options, 'nothing')?.output ?? this.#plain(x, options);
  }

  /** The same with a ReLU after it. */
  forwardRelu(x: Tensor, options: NormOptions): Tensor {
    // It works in place, as no gradient needs the values before it: a pass less.
    return this.#fused(x, options, 'relu')?.output ?? ops.relu_(this.#plain(x, options));
  }

  /** The same with a ReLU and a max-pool of 2×2 pixels after it. */
  forwardReluPool(x: Tensor, options: NormOptions): PooledMap {
    const fused = this.#fused(x, options, 'relu and max-pool');
    if (fused === undefined) return pool(ops.relu_(this.#plain(x, options)));
    return pooledTogether(fused.output, fused.pooled!);
  }

  /** In as few passes over the maps as there can be. Without gradient, evaluation mode is better folded. */
  #fused(x: Tensor, options: NormOptions, after: NormReluOptions['after']): ReturnType<typeof normRelu> {
    const { training, momentum = 0.1, record = true } = options;
    if (x.shape.length !== 4 || !(training || x.requiresGrad)) return undefined;
    const { running_mean: mean, running_var: variance, num_batches_tracked } = this.buffers;
    const across = training ? group : undefined;
    const running = training && !record ? null : { mean, variance };
    const call = () =>
      normRelu(x, {
        ...this.parameters,
        ...{ running, training, momentum, epsilon: EPSILON, after, group: across },
      });
    const made = across === undefined ? call() : across.together(call);
    if (made !== undefined && training && record) ops.addScalar_(num_batches_tracked, 1);
    return made;
  }

  /** By LibTorch's operators. */
  #plain(x: Tensor, { training, momentum = 0.1, record = true }: NormOptions): Tensor {
    const { weight, bias } = this.parameters;
    const { running_mean, running_var, num_batches_tracked } = this.buffers;
    if (training && group !== undefined) {
      const { output, mean, variance, count } = group.batchNorm(x, weight, bias, EPSILON);
      if (record) {
        noGrad(() => {
          const unbiased = variance.mul(count.div(count.sub(1)).to({ dtype: variance.dtype }));
          ops.addScalar_(num_batches_tracked, 1);
          ops.add_(ops.mulScalar_(running_mean, 1 - momentum), mean.mul(momentum));
          ops.add_(ops.mulScalar_(running_var, 1 - momentum), unbiased.mul(momentum));
        });
      }
      return output;
    }
    if (training && !record) return ops.batchNorm(x, weight, bias, null, null, true, momentum, EPSILON, true);
    if (training) ops.addScalar_(num_batches_tracked, 1);
    return ops.batchNorm(x, weight, bias, running_mean, running_var, training, momentum, EPSILON, true);
  }
}

/** A linear layer, x · Wᵀ + b. x: [..., in] → [..., out]. */
export class Linear implements Module {
  readonly parameters: { readonly weight: Tensor; readonly bias: Tensor };

  /** @param initial the weights; default: those of torch.nn.Linear */
  constructor(
    inFeatures: number,
    outFeatures: number,
    random: LayerRandom,
    initial: LinearStart = uniformStart,
  ) {
    const { weight, bias } = initial(inFeatures, outFeatures, random);
    this.parameters = { weight: weight.setRequiresGrad(), bias: bias.setRequiresGrad() };
  }

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.parameters.weight, this.parameters.bias);
  }
}

/** A linear layer without bias, x · Wᵀ, for use before a normalisation that takes biases out. x: [B, in] → [B, out]. */
export class LinearWithoutBias implements Module {
  readonly parameters: { readonly weight: Tensor };

  constructor(inFeatures: number, outFeatures: number, random: LayerRandom) {
    this.parameters = {
      weight: linearUniform([outFeatures, inFeatures], inFeatures, random).setRequiresGrad(),
    };
  }

  forward(x: Tensor): Tensor {
    return ops.linear(x, this.parameters.weight, null);
  }
}

/** Layer normalisation over the last dimension (Ba et al. 2016). x: [..., features] → the same shape. */
export class LayerNorm implements Module {
  readonly parameters: { readonly weight: Tensor; readonly bias: Tensor };
  readonly #features: number;
  readonly #epsilon: number;

  constructor(features: number, epsilon: number) {
    this.#features = features;
    this.#epsilon = epsilon;
    this.parameters = {
      weight: constant([features], 1).setRequiresGrad(),
      bias: constant([features], 0).setRequiresGrad(),
    };
  }

  forward(x: Tensor): Tensor {
    const { weight, bias } = this.parameters;
    return ops.layerNorm(x, [this.#features], weight, bias, this.#epsilon, true);
  }
}
