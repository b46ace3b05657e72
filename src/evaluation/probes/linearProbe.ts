import type { Features } from '../../metrics/features/features.js';
import { requireLabels } from '../../metrics/labels.js';
import { Random } from '../../tensor/random.js';
import { inner } from './cholesky.js';
import { predictProbabilities, softmax } from './linearClassifier.js';

export interface LinearProbeOptions {
  readonly classes?: number;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  /** The times at which the learning rate is halved, counted in `milestoneUnit`. */
  readonly milestones?: readonly number[];
  /**
   * Milestones are counted by `epoch`, as the paper intends, or by `iteration`, as the authors' code steps its
   * scheduler, once a batch.
   */
  readonly milestoneUnit?: 'epoch' | 'iteration';
  /** The weight of each class; the loss of a batch is the weighted mean. All 1 by default. */
  readonly classWeights?: readonly number[];
  readonly seed?: number;
}

export interface LinearProbe {
  /** The probabilities [m, classes] of the test rows after the last epoch. */
  readonly probabilities: Float64Array;
  /** The probabilities [m, classes] of the test rows after each epoch. */
  readonly byEpoch: readonly Float64Array[];
  /** The weights [classes, d], row-major. */
  readonly weights: Float64Array;
  /** The bias [classes]. */
  readonly bias: Float64Array;
  /** The mean cross-entropy per sample in each epoch, unweighted and measured before each step. */
  readonly losses: readonly number[];
}

/**
 * `hu-linear`, the authors' probe (MathewCrespo/MM_unsupervised, lincls_main.py and LinclsTrainer.py): one linear layer
 * with W ~ N(0, 0.01) and b = 0, softmax cross-entropy, plain SGD at 0.03 in batches of 128 for 50 epochs, the rate
 * halved at 10, 30, 50 and 70. Features go in as they are, neither standardised nor normalised, so it measures their
 * scale as much as their content; `logisticProbe` is the primary probe.
 *
 * The order of an epoch is `Random(seed, 'hu-linear', epoch).permutation(n)`, the weights come row by row from
 * `Random(seed, 'hu-linear', 'init')`. The last, smaller batch counts as one step. Arithmetic is in double precision.
 *
 * @param train [n, d]
 * @param labels [n] class numbers
 * @param test [m, d]
 * @throws RangeError when lengths, labels or options do not fit
 */
export function linearProbe(
  train: Features,
  labels: ArrayLike<number>,
  test: Features,
  {
    classes = 2,
    epochs = 50,
    batchSize = 128,
    learningRate = 0.03,
    milestones = [10, 30, 50, 70],
    milestoneUnit = 'epoch',
    classWeights = new Array<number>(classes).fill(1),
    seed = 0,
  }: LinearProbeOptions = {},
): LinearProbe {
  const { rows: n, columns: d } = train;
  requireLabels(labels, n, classes, 'hu-linear');
  if (!(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw new RangeError(`hu-linear: batchSize is ${batchSize}; expected a whole number from 1`);
  }
  if (classWeights.length !== classes) {
    throw new RangeError(`hu-linear: ${classWeights.length} class weights, expected ${classes}`);
  }
  const x = Float64Array.from(train.data);
  const sampleWeights = Float64Array.from(labels, (label) => classWeights[label]!);
  const random = new Random(seed, 'hu-linear', 'init');
  const weights = Float64Array.from({ length: classes * d }, () => random.normal(0, 0.01));
  const bias = new Float64Array(classes);
  const losses: number[] = [];
  const byEpoch: Float64Array[] = [];
  let iteration = 0;
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const order = new Random(seed, 'hu-linear', epoch).permutation(n);
    let loss = 0;
    for (let start = 0; start < n; start += batchSize) {
      const elapsed = milestoneUnit === 'epoch' ? epoch : iteration;
      const halvings = milestones.filter((milestone) => milestone <= elapsed).length;
      const batch = order.subarray(start, start + batchSize);
      loss += descend(x, labels, sampleWeights, batch, weights, bias, learningRate * 0.5 ** halvings);
      iteration += 1;
    }
    losses.push(loss / n);
    byEpoch.push(predictProbabilities({ classes, weights, bias }, test));
  }
  const probabilities = byEpoch.at(-1) ?? predictProbabilities({ classes, weights, bias }, test);
  return { probabilities, byEpoch, weights, bias, losses };
}

/**
 * Takes one step down the weighted mean cross-entropy of a batch, in place.
 * @returns the sum of the batch's losses before it
 */
function descend(
  x: Float64Array,
  labels: ArrayLike<number>,
  sampleWeights: Float64Array,
  batch: Uint32Array,
  weights: Float64Array,
  bias: Float64Array,
  rate: number,
): number {
  const classes = bias.length;
  const d = weights.length / classes;
  const residuals = new Float64Array(batch.length * classes);
  let loss = 0;
  const total = batch.reduce((sum, i) => sum + sampleWeights[i]!, 0);
  for (const [b, i] of batch.entries()) {
    const logits = bias.map((value, k) => value + inner(x, i * d, weights, k * d, d));
    const probabilities = softmax(logits);
    loss -= Math.log(Math.max(Number.MIN_VALUE, probabilities[labels[i]!]!));
    residuals.set(probabilities, b * classes);
    residuals[b * classes + labels[i]!]! -= 1;
  }
  for (let k = 0; k < classes; k += 1) {
    for (const [b, i] of batch.entries()) {
      const move = (rate * sampleWeights[i]! * residuals[b * classes + k]!) / total;
      for (let j = 0; j < d; j += 1) weights[k * d + j]! -= move * x[i * d + j]!;
      bias[k]! -= move;
    }
  }
  return loss;
}
