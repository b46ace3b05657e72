import type { ResampledMetric } from '../../src/metrics/bootstrap.js';

/** The mean of one value for each sample: the simplest metric to resample. NaN where no sample is drawn. */
export function resampledMean(values: ArrayLike<number>): ResampledMetric {
  return (weights) => {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.reduce((sum, weight, i) => sum + weight * values[i]!, 0) / total;
  };
}
