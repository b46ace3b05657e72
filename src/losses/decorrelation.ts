import { inFullPrecision, ops, type Tensor, TensorError } from '../tensor/index.js';
import { checkRows } from './options.js';

/** Keeps units that are constant over the batch, such as dead ones of a ReLU, at a correlation of 0. */
const LEAST_VARIANCE = 1e-5;

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
  checkRows('decorrelation', { f, g });
  if (f.size(0) < 2) throw new TensorError('decorrelation: one sample, expected at least 2');
  return inFullPrecision([f, g], (a, b) => {
    const correlations = standardised(a!).t().matmul(standardised(b!)).div(f.size(0));
    return correlations.mul(correlations).mean();
  });
}

/** Columns of mean 0 and variance 1. */
function standardised(x: Tensor): Tensor {
  const centred = x.sub(x.mean([0], true));
  const variance = centred.mul(centred).mean([0], true);
  return centred.div(ops.sqrt(variance.add(LEAST_VARIANCE)));
}
