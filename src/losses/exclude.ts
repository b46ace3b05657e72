/**
 * Masks of false negatives. Other images of an anchor's own subject look similar, and a loss must not push them apart.
 * `exclude` marks them with true; they leave the denominator and get no gradient.
 */
import { type Device, ops, type Tensor, TensorError } from '../tensor/index.js';

/** @throws TensorError unless `exclude` is a bool tensor of the given shape */
export function checkExclude(loss: string, exclude: Tensor | undefined, shape: readonly number[]): void {
  if (exclude !== undefined && (exclude.dtype !== 'bool' || exclude.shape.join() !== shape.join())) {
    throw new TensorError(
      `${loss}: exclude is ${exclude.dtype} [${exclude.shape}], expected bool [${shape}] with true where an entry is no negative`,
    );
  }
}

/**
 * Sets the excluded ones among the logits [n, m] to −∞.
 * @param positives i64 [n], the column of each row's positive where there is one. It stays whatever `exclude` says, so
 * that no row is empty and its logsumexp is finite.
 */
export function excludeFrom(logits: Tensor, exclude: Tensor | undefined, positives?: Tensor): Tensor {
  if (exclude === undefined) return logits;
  const excluded =
    positives === undefined
      ? exclude
      : ops.maskedFill(exclude, pairsEqual(positives, indices(logits.size(1), logits.device)), 0);
  return ops.maskedFill(logits, excluded, Number.NEGATIVE_INFINITY);
}

/** Makes the numbers 0 … count−1. */
export function indices(count: number, device: Device): Tensor {
  return ops.arange(count, 'i64', null, device);
}

/** Marks with true where a_i = b_j, bool [n, m]. @param a [n] @param b [m] */
export function pairsEqual(a: Tensor, b: Tensor): Tensor {
  return ops.eqTensor(ops.unsqueeze(a, 1), ops.unsqueeze(b, 0));
}
