/**
 * A tuned row: in each outer fold the candidate and the kind of features that did best in the cross-validation inside
 * that fold’s training patients, and its predictions there. No test label takes part in the choice.
 */
import { DataError } from '../../errors.js';
import type { RowPredictions } from '../../evaluation/results/predictions.js';
import type { Judged } from '../../evaluation/summary/rowMetrics.js';

export interface Alternative {
  /** Name of the candidate. */
  readonly candidate: string;
  readonly features: string;
  /** AUC of the inner cross-validation, one a judged fold; null where it is undefined. */
  readonly validation: readonly (number | null)[];
  readonly predictions: RowPredictions;
}

export interface Choice {
  readonly fold: number;
  readonly candidate: string;
  readonly features: string;
  /** Null where no alternative’s is defined: then the first was taken. */
  readonly validation: number | null;
}

export interface Composition {
  readonly ids: readonly string[];
  readonly judged: Judged;
  readonly classes: readonly string[];
  readonly choices: readonly Choice[];
}

/**
 * @param alternatives of equal ones the first is chosen
 * @param folds the judged folds in the order of `validation`
 * @throws DataError when alternatives were judged on other samples, or in other folds
 */
export function compose(
  alternatives: readonly [Alternative, ...Alternative[]],
  folds: readonly number[],
): Composition {
  const { ids, subjects, labels, classes, folds: foldOf } = alternatives[0].predictions;
  for (const { candidate, predictions } of alternatives) {
    const same =
      predictions.ids.length === ids.length &&
      predictions.ids.every((id, i) => id === ids[i] && predictions.folds[i] === foldOf[i]);
    if (!same) {
      throw new DataError(
        `${candidate} was judged on other samples, or in other folds, than ${alternatives[0].candidate}; run the experiment anew in another folder`,
      );
    }
  }
  const chosen = folds.map((_, at) => bestOf(alternatives, at));
  const probabilities = new Float64Array(ids.length * classes.length);
  for (let i = 0; i < ids.length; i += 1) {
    const { predictions } = chosen[folds.indexOf(foldOf[i]!)]!;
    const own = predictions.probabilities.subarray(i * classes.length, (i + 1) * classes.length);
    probabilities.set(own, i * classes.length);
  }
  return {
    ids,
    judged: { probabilities, labels, subjects, folds: foldOf, classes: classes.length, probabilistic: true },
    classes,
    choices: chosen.map(({ candidate, features, validation }, at) => ({
      fold: folds[at]!,
      candidate,
      features,
      validation: validation[at] ?? null,
    })),
  };
}

function bestOf(alternatives: readonly [Alternative, ...Alternative[]], at: number): Alternative {
  let [best] = alternatives;
  for (const one of alternatives.slice(1)) {
    if ((one.validation[at] ?? -1) > (best.validation[at] ?? -1)) best = one;
  }
  return best;
}
