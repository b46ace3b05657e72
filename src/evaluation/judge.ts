import type { MessageConsole } from '../log/console.js';
import { crossValidate } from './crossValidate.js';
import { type FeatureSources, rowFeatures, thumbnailFeatures } from './features/rowFeatures.js';
import { DEFAULT_C_GRID } from './probes/logisticProbe.js';
import type { Protocol, RowOutcome } from './probes/probe.js';
import type { PaperStyle, RowName } from './results/evaluationResult.js';
import { bestTestEpoch } from './summary/bestTestEpoch.js';
import { type TrainedProbe, trainingSettings } from './trained/trainedProbe.js';
import { trainRows } from './trained/trainedRows.js';

export interface JudgeOptions extends FeatureSources {
  readonly protocol: Protocol;
  /** Of protocols that are trained by gradient descent. */
  readonly trained?: TrainedProbe;
  readonly seed: number;
  /** Of kNN. */
  readonly k: number;
  readonly temperature: number;
}

/** What the probes of a row found. */
export interface RowJudgement {
  readonly columns: number;
  /** [task samples, classes], test samples filled in. */
  readonly predictions: Float64Array;
  readonly chosen?: readonly number[];
  /** See `EvaluationRow`. */
  readonly validation?: readonly number[];
  readonly paperStyle?: PaperStyle;
  /** Why the row has no value; its predictions are NaN. */
  readonly diverged?: string;
}

export interface Judgement {
  /** By row key. */
  readonly rows: ReadonlyMap<string, RowJudgement>;
  /** Everything that decides the numbers but folds and seed. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Judges every row by the protocol, in every round of the plan. */
export async function judge(
  names: readonly RowName[],
  options: JudgeOptions,
  console: MessageConsole,
): Promise<Judgement> {
  const { task, plan } = options;
  const outcomes = await outcomesOf(names, options, console);
  const classes = task.classes.length;
  const rows = names.map(({ key }) => {
    const { columns, probabilities, chosen, validation, byEpoch, diverged } = outcomes.get(key)!;
    const predictions = new Float64Array(task.ids.length * classes);
    for (const [r, { test }] of plan.rounds.entries()) {
      for (const [row, i] of test.entries()) {
        predictions.set(probabilities[r]!.subarray(row * classes, (row + 1) * classes), i * classes);
      }
    }
    const labels = plan.rounds.map(({ test }) => test.map((i) => task.labels[i]!));
    const paperStyle = byEpoch && bestTestEpoch(byEpoch, labels, classes);
    return [key, { columns, predictions, chosen, validation, paperStyle, diverged }] as const;
  });
  return { rows: new Map(rows), settings: settingsOf(options) };
}

async function outcomesOf(
  names: readonly RowName[],
  options: JudgeOptions,
  console: MessageConsole,
): Promise<Map<string, RowOutcome>> {
  const { protocol, trained } = options;
  if (protocol !== 'finetune' && (trained === undefined || trained.preset.name === 'hu')) {
    const features = await rowFeatures(names, options, console);
    return crossValidate(names, features, { ...options, kind: protocol }, console);
  }
  const thumbnails = names.filter(({ source }) => source === 'thumbnail');
  const baseline = { ...options, kind: 'ridge' } as const;
  return new Map([
    ...(await crossValidate(thumbnails, thumbnailFeatures(options), baseline, console)),
    ...(await trainRows(names, { ...options, probe: trained! }, console)),
  ]);
}

function settingsOf({ protocol, trained, plan, k, temperature }: JudgeOptions): Record<string, unknown> {
  switch (protocol) {
    case 'logreg':
      return { standardize: 'training fold', grid: DEFAULT_C_GRID, chosenBy: 'log-loss of the inner folds' };
    case 'knn':
      return { k, temperature, similarity: 'cosine' };
    case 'linear':
    case 'finetune':
      return {
        recipe: `${trained!.preset.name}-${protocol}`,
        standardize: 'none',
        ...trainingSettings(
          trained!,
          plan.rounds.map(({ train }) => train.length),
        ),
      };
  }
}
