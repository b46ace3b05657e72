import { inFullPrecision, ops, type Tensor, TensorError } from '../tensor/index.js';
import { checkRows } from './options.js';

/** Keeps components that are constant over the batch, such as dead units of a ReLU, at a correlation of 0. */
const LEAST_VARIANCE = 1e-5;

/**
 * The correlations of the components of two embeddings over the batch, C = z̄_Xᵀ z̄_Y / N.
 *
 * @param loss the name of the loss, for errors
 * @param x [N, d], raw, N ≥ 2
 * @param y [N, d], raw, row i of the same sample
 * @returns [d, d], C_kl of component k of x and component l of y, in at least f32
 * @throws TensorError when the shapes differ, or there is one sample, which has no variance
 */
export function crossCorrelation(loss: string, x: Tensor, y: Tensor): Tensor {
  checkRows(loss, { x, y });
  const samples = x.size(0);
  if (samples < 2) throw new TensorError(`${loss}: one sample, expected at least 2`);
  return inFullPrecision([x, y], (a, b) => standardised(a!).t().matmul(standardised(b!)).div(samples));
}

/** Columns of mean 0 and variance 1. */
function standardised(x: Tensor): Tensor {
  const centred = x.sub(x.mean([0], true));
  const variance = centred.mul(centred).mean([0], true);
  return centred.div(ops.sqrt(variance.add(LEAST_VARIANCE)));
}
