import type { ProcessGroup } from './distributed.js';
import { native } from './native.js';
import { Tensor } from './tensor.js';

export interface NormReluOptions {
  /** γ and β of each channel, [C]. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  /**
   * The running statistics, [C]. In training mode those of the batch are written into them; null leaves them. In
   * evaluation mode they normalise.
   */
  readonly running: { readonly mean: Tensor; readonly variance: Tensor } | null;
  readonly training: boolean;
  /** The weight of this batch in the running statistics. */
  readonly momentum: number;
  /** What is added to the variance. */
  readonly epsilon: number;
  /** What comes after the normalisation. A max-pool is of 2×2 pixels, with a ReLU before it. */
  readonly then: 'nothing' | 'relu' | 'relu and max-pool';
  /** The processes whose batches count as one in training mode. */
  readonly group?: ProcessGroup | undefined;
}

/**
 * Batch norm of maps [B, C, H, W] with what comes after it, in two passes over memory forward and two back, where
 * LibTorch's operators take up to six and nine. For the backward pass it keeps `x` alone. Sums come in one order,
 * whatever the number of threads.
 *
 * @returns `pooled` [B, C, ⌊H/2⌋, ⌊W/2⌋] after a max-pool; undefined for maps that are not on the CPU, in f32 or bf16 and
 * channels-last order, with a multiple of 16 channels
 */
export function normRelu(
  x: Tensor,
  options: NormReluOptions,
): { readonly output: Tensor; readonly pooled?: Tensor } | undefined {
  const { weight, bias, running, training, momentum, epsilon, then, group } = options;
  const settings = {
    ...{ training, momentum, epsilon },
    relu: then !== 'nothing',
    pool: then === 'relu and max-pool',
  };
  const made = native().normRelu(
    ...([x.handle, weight.handle, bias.handle] as const),
    ...([running?.mean.handle ?? null, running?.variance.handle ?? null] as const),
    settings,
    group?.handle ?? null,
  );
  if (made === null) return undefined;
  const [output, pooled] = made.map((handle) => new Tensor(handle));
  return { output: output!, ...(pooled && { pooled }) };
}
