/** Lets a protocol judge every row of a plan, and puts the predictions of all rounds together. */
import { roundsOn } from './folds/setRounds.js';
import type { EvaluationPlan } from './planEvaluation.js';
import type { PaperStyle } from './results/evaluationResult.js';
import { modalityKey } from './results/modalitySets.js';
import type { Computed } from './results/stored.js';
import { bestTestEpoch } from './summary/bestTestEpoch.js';

/** The judgement of a row over all rounds. */
export interface RowJudgement {
  /** The number of columns of the features. */
  readonly columns: number;
  /**
   * The predictions [task samples, classes]. Samples that no round tests have 0, and samples that lack an image of the
   * row have NaN.
   */
  readonly predictions: Float64Array;
  /** The C or λ of each round; see `EvaluationRow`. */
  readonly chosen?: readonly number[];
  readonly validation?: readonly number[];
  readonly paperStyle?: Computed<PaperStyle>;
  /** The reason why the row has no value; its predictions are NaN. */
  readonly diverged?: string;
}

export interface Judgement {
  /** The judgement of each row, by its key. */
  readonly rows: ReadonlyMap<string, RowJudgement>;
  /** All settings that decide the numbers except folds and seed. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export async function judgeRows(plan: EvaluationPlan): Promise<Judgement> {
  const { probe, task, cache, folds, kinds, sets, dataset, forwarding, seed, rows } = plan;
  const { console, cacheFolder } = plan;
  const { modalities } = dataset;
  const roundsOf = roundsOn(sets);
  const judgedOn = new Map(sets.judged.map((one) => [modalityKey(one.modalities), one]));
  const sources = {
    ...{
      task,
      cache,
      plan: folds,
      roundsOn: roundsOf,
      kinds,
      modalities,
      ...forwarding,
      seed,
      console,
      cacheFolder,
    },
    sets: sets.judged.map((one) => one.modalities),
  };
  const { outcomes, settings } = await probe.judge(rows, sources);
  const classes = task.classes.length;
  const judged = rows.map((row) => {
    const { columns, probabilities, chosen, validation, byEpoch, diverged } = outcomes.get(row.key)!;
    const { samples, rounds } = judgedOn.get(modalityKey(row.modalities))!;
    const predictions = new Float64Array(task.ids.length * classes);
    if (samples !== undefined) {
      predictions.fill(Number.NaN);
      for (const i of samples) predictions.fill(0, i * classes, (i + 1) * classes);
    }
    for (const [r, { test }] of rounds.entries()) {
      for (const [at, i] of test.entries()) {
        predictions.set(probabilities[r]!.subarray(at * classes, (at + 1) * classes), i * classes);
      }
    }
    // A round that tests no sample of the row has no best epoch.
    const tested = rounds.flatMap(({ test }, r) => (test.length > 0 ? [{ test, r }] : []));
    const labels = tested.map(({ test }) => test.map((i) => task.labels[i]!));
    const paperStyle =
      byEpoch &&
      bestTestEpoch(
        tested.map(({ r }) => byEpoch[r]!),
        labels,
        classes,
      );
    return [row.key, { columns, predictions, chosen, validation, paperStyle, diverged }] as const;
  });
  return { rows: new Map(judged), settings };
}
