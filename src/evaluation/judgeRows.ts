/** Lets a protocol judge every row of a plan, and puts the predictions of all rounds together. */
import type { EvaluationPlan } from './planEvaluation.js';
import type { PaperStyle } from './results/evaluationResult.js';
import type { Computed } from './results/stored.js';
import { bestTestEpoch } from './summary/bestTestEpoch.js';

/** The judgement of a row over all rounds. */
export interface RowJudgement {
  /** The number of columns of the features. */
  readonly columns: number;
  /** The predictions [task samples, classes]. Samples that no round tests have 0. */
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
  const { probe, task, cache, folds, kinds, sets, dataset, forwarding, seed, console, rows } = plan;
  const { modalities } = dataset;
  const sources = { task, cache, plan: folds, kinds, modalities, sets, ...forwarding, seed, console };
  const { outcomes, settings } = await probe.judge(rows, sources);
  const classes = task.classes.length;
  const labels = folds.rounds.map(({ test }) => test.map((i) => task.labels[i]!));
  const judged = rows.map(({ key }) => {
    const { columns, probabilities, chosen, validation, byEpoch, diverged } = outcomes.get(key)!;
    const predictions = new Float64Array(task.ids.length * classes);
    for (const [r, { test }] of folds.rounds.entries()) {
      for (const [row, i] of test.entries()) {
        predictions.set(probabilities[r]!.subarray(row * classes, (row + 1) * classes), i * classes);
      }
    }
    const paperStyle = byEpoch && bestTestEpoch(byEpoch, labels, classes);
    return [key, { columns, predictions, chosen, validation, paperStyle, diverged }] as const;
  });
  return { rows: new Map(judged), settings };
}
