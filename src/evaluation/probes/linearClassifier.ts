import type { Features } from '../../metrics/features/features.js';
import { inner } from './cholesky.js';

/** A linear layer with softmax. Two classes may share one row of weights, which gives the log-odds of class 1. */
export interface LinearClassifier {
  readonly classes: number;
  /** The weights [outputs, d], row-major. There are as many outputs as classes, or 1 for two classes. */
  readonly weights: Float64Array;
  /** The bias [outputs]. */
  readonly bias: Float64Array;
}

/**
 * Computes class probabilities [n, classes]; each row sums to 1.
 *
 * @throws RangeError when the features have another number of columns than the classifier
 */
export function predictProbabilities(
  { classes, weights, bias }: LinearClassifier,
  { data, rows, columns }: Features,
): Float64Array {
  const outputs = bias.length;
  if (columns * outputs !== weights.length) {
    throw new RangeError(
      `linear classifier: ${columns} feature columns, but fitted on ${weights.length / outputs}`,
    );
  }
  const x = data instanceof Float64Array ? data : Float64Array.from(data);
  const probabilities = new Float64Array(rows * classes);
  for (let i = 0; i < rows; i += 1) {
    const logits = bias.map((value, k) => value + inner(x, i * columns, weights, k * columns, columns));
    probabilities.set(outputs === 1 ? twoClasses(logits[0]!) : softmax(logits), i * classes);
  }
  return probabilities;
}

/** Softmax exp(logit_k) / Σ exp(logit_j), with the largest logit factored out. */
export function softmax(logits: Float64Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b));
  const votes = logits.map((logit) => Math.exp(logit - top));
  const total = votes.reduce((a, b) => a + b);
  return votes.map((vote) => vote / total);
}

function twoClasses(logit: number): [number, number] {
  // Each side has its own exponential, since 1 − p would lose the small one.
  return [1 / (1 + Math.exp(logit)), 1 / (1 + Math.exp(-logit))];
}
