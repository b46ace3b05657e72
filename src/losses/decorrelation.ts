import type { Tensor } from '../tensor/index.js';
import { crossCorrelation } from './crossCorrelation.js';

/**
 * How much the components of two embeddings of the same samples tell of each other: the mean over all pairs of
 * components of the squared correlation over the batch. It is 0 where they are unrelated, and about 1 / (N − 1) for
 * random ones.
 *
 * @param f [N, d], raw
 * @param g [N, d], raw, row i of the same sample
 * @returns a scalar
 */
export function decorrelation(f: Tensor, g: Tensor): Tensor {
  const correlations = crossCorrelation('decorrelation', f, g);
  return correlations.mul(correlations).mean();
}
