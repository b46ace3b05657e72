/** What networks do with maps on the CPU in fewer passes over memory than by LibTorch's operators. */
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
  readonly after: 'nothing' | 'relu' | 'relu and max-pool';
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
  const { weight, bias, running, training, momentum, epsilon, after, group } = options;
  const settings = {
    ...{ training, momentum, epsilon },
    relu: after !== 'nothing',
    pool: after === 'relu and max-pool',
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

/**
 * The sums over patches of ⌊H/rows⌋ × ⌊W/columns⌋ pixels from the top left (paper, Eq. 3), in f32.
 *
 * @param map [B, C, H, W]
 * @param first the first image of those that are summed, of which there are `count`
 * @returns [count, C, rows, columns]; undefined for maps that {@link normRelu} does not take either
 */
export function patchSums(
  map: Tensor,
  { first, count, rows, columns }: { first: number; count: number; rows: number; columns: number },
): Tensor | undefined {
  const made = native().patchSums(map.handle, first, count, rows, columns);
  return made === null ? undefined : new Tensor(made);
}

/**
 * Lets the backward pass of a convolution compute its input again, to the bit, in place of keeping it.
 *
 * @param y an output of {@link normRelu}
 * @param z the convolution of y
 * @returns false where they are something else, and nothing changes
 */
export function recomputeInput(y: Tensor, z: Tensor): boolean {
  return native().recomputeInput(y.handle, z.handle);
}
