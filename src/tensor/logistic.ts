import { native } from './native.js';

/**
 * The loss Σᵢ −log P(yᵢ|xᵢ) of a logistic regression, whose gradient is written into `gradient`. The parameters are the
 * rows of W, then b, [outputs · (d + 1)]; one output stands for two classes. One pass over the features does both, in
 * one order of sums on every processor.
 *
 * @param features [n, d]
 * @param labels [n] numbers below the number of classes
 */
export function logisticLoss(
  features: Float64Array,
  labels: Uint32Array,
  outputs: number,
  parameters: Float64Array,
  gradient: Float64Array,
): number {
  return native().logisticLoss(features, labels, outputs, parameters, gradient);
}
