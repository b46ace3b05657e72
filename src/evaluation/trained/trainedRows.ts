/**
 * This room judges rows with probes that LibTorch trains on images: a linear layer on a frozen encoder, or one together
 * with its encoder.
 */
import { ImageLoader } from '../../data/loading/loader.js';
import type { MessageConsole } from '../../log/console.js';
import { Progress } from '../../log/progress.js';
import type { Batch } from '../../methods/index.js';
import type { Features } from '../../metrics/features/features.js';
import { disposeModule, type Linear } from '../../nn/index.js';
import type { AdamW, Sgd } from '../../optim/index.js';
import { noGrad, Random } from '../../tensor/index.js';
import type { CrossValidationSources } from '../crossValidate.js';
import { featuresOfSet } from '../features/presentFeatures.js';
import type { OuterFold } from '../folds/outerFolds.js';
import type { RowOutcome } from '../probes/probe.js';
import type { RowName } from '../results/evaluationResult.js';
import type { EncoderFeatures } from '../results/featureKinds.js';
import { modalitiesIn, modalityKey } from '../results/modalitySets.js';
import { classificationLoss, classify, newClassifier } from './classifier.js';
import {
  batchFeatures,
  disposeGroups,
  type EncoderGroup,
  openGroups,
  partsOf,
  type Viewing,
  wholeFeatures,
} from './encoderGroups.js';
import { optimizerOf } from './presetOptimizer.js';
import { DivergedError, trainClassifier } from './trainClassifier.js';
import { type TrainedProbe, trainingPlan, weightsOf } from './trainedProbe.js';

export interface TrainedRowsOptions extends Omit<CrossValidationSources, 'kinds' | 'sets' | 'console'> {
  readonly probe: TrainedProbe;
  readonly seed: number;
  /** Is given what was trained for each row in each round, before it is freed. */
  readonly onTrained?: (trained: TrainedRowNetworks) => Promise<void>;
}

/** The networks of a row after its training in a round. */
export interface TrainedRowNetworks {
  readonly key: string;
  readonly round: OuterFold;
  readonly groups: readonly EncoderGroup[];
  readonly classifier: Linear;
  /** The features of whole images, [n, columns], of samples of the task by their number. */
  readonly featuresOf: (samples: readonly number[]) => Promise<Features>;
}

/** A row that is judged on the features of an encoder. */
interface TrainedRow extends RowName {
  readonly source: 'run' | 'untrained';
  readonly features: EncoderFeatures;
}

/**
 * Trains every row in every round, one at a time. A finetuning that diverges takes its row out, with a warning. That a
 * recipe does not work for an encoder is a finding, and the other rows keep their values.
 *
 * @returns outcomes by row key
 */
export async function trainRows(
  names: readonly RowName[],
  options: TrainedRowsOptions,
  console: MessageConsole,
): Promise<Map<string, RowOutcome>> {
  const { plan, roundsOn, probe, cache, device, precision, seed } = options;
  const rows = names.filter((name): name is TrainedRow => name.source !== 'thumbnail');
  const units = unitsOf(rows, options);
  const { size, normalize: normalization } = plan.rounds[0]!.encoder.config.data;
  const { crop } = probe.preset;
  const loader = new ImageLoader(cache, device);
  const viewing: Viewing = {
    loader,
    cache,
    device,
    precision,
    views: {
      size,
      seed,
      normalization,
      augmentation: { crop, flip: 0.5, jitter: null, grayscale: 0, blur: null, geometry: 'shared' },
    },
  };
  const plansOf = (rounds: readonly OuterFold[]) =>
    rounds.map(({ train }) => trainingPlan(probe.preset, train.length));
  const plans = [...new Set(units.map(({ rounds }) => rounds))].flatMap(plansOf);
  const smaller = plans.filter(({ batchSize }) => batchSize < probe.preset.batchSize);
  if (smaller.length > 0) {
    const [sizes, rates] = [smaller.map((one) => one.batchSize), smaller.map((one) => one.learningRate)];
    console.info(
      `preset ${probe.preset.name}: batches of ${range(sizes)} in place of ${probe.preset.batchSize}, as many as there are training samples; learning rate ${range(rates)}`,
    );
  }
  const title = probe.finetune ? 'finetuning' : 'training probes';
  const total = units
    .flatMap(({ rounds }) => plansOf(rounds.filter(({ test }) => test.length > 0)))
    .reduce((sum, { totalSteps }) => sum + totalSteps, 0);
  const progress = new Progress(total, console, { title });
  let done = 0;
  const onStep = () => {
    done += 1;
    progress.update(done);
  };
  const found = new Map<
    string,
    { columns: number; byEpoch: (readonly Float64Array[])[]; diverged?: string }
  >();
  try {
    for (const r of plan.rounds.keys()) {
      for (const { rows: own, rounds } of units) {
        if (own.some(({ key }) => found.get(key)?.diverged !== undefined)) continue;
        const outcome = await trainUnit(own, rounds[r]!, options, viewing, onStep);
        for (const [key, { columns, byEpoch, diverged }] of outcome) {
          if (diverged !== undefined) console.warn(diverged);
          const before = found.get(key);
          found.set(key, {
            columns: Math.max(columns, before?.columns ?? 0),
            byEpoch: [...(before?.byEpoch ?? []), byEpoch],
            diverged,
          });
        }
      }
    }
    loader.check();
  } finally {
    progress.stop();
    loader.dispose();
  }
  return new Map(
    [...found].map(([key, { columns, byEpoch, diverged }]): [string, RowOutcome] => {
      if (diverged === undefined) {
        return [key, { columns, byEpoch, probabilities: byEpoch.map((epochs) => epochs.at(-1)!) }];
      }
      const { modalities } = rows.find((row) => row.key === key)!;
      const lengths = roundsOn(modalities).map(({ test }) => test.length * options.task.classes.length);
      const probabilities = lengths.map((length) => new Float64Array(length).fill(Number.NaN));
      return [key, { columns, probabilities, diverged }];
    }),
  );
}

/** Formats a range of numbers, `96` or `96 to 98`. */
function range(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? `${low}` : `${low} to ${high}`;
}

/** Rows that are trained side by side, on the same samples. */
interface Unit {
  readonly rows: readonly TrainedRow[];
  readonly rounds: readonly OuterFold[];
}

/**
 * Rows on a frozen encoder and the same samples share its forward passes. Where the encoder is trained, each row has its
 * own.
 */
function unitsOf(
  rows: readonly TrainedRow[],
  { probe, roundsOn }: Pick<TrainedRowsOptions, 'probe' | 'roundsOn'>,
): Unit[] {
  const units: { rows: TrainedRow[]; rounds: readonly OuterFold[] }[] = [];
  for (const row of rows) {
    const rounds = roundsOn(row.modalities);
    const shared = units.find((unit) => unit.rounds === rounds && unit.rows[0]!.source === row.source);
    if (shared === undefined || probe.finetune) units.push({ rows: [row], rounds });
    else shared.rows.push(row);
  }
  return units;
}

type UnitOutcome = Map<string, { columns: number; byEpoch: Float64Array[]; diverged?: string }>;

/** Trains the rows of one source in one round side by side. */
async function trainUnit(
  rows: readonly TrainedRow[],
  round: OuterFold,
  { task, modalities, device, probe, seed, onTrained }: TrainedRowsOptions,
  viewing: Viewing,
  onStep: () => void,
): Promise<UnitOutcome> {
  const { preset, classWeights, finetune } = probe;
  if (round.test.length === 0) {
    const byEpoch = Array.from({ length: preset.epochs }, () => new Float64Array(0));
    return new Map(rows.map(({ key }) => [key, { columns: 0, byEpoch }]));
  }
  const positionsOf = (samples: readonly number[]) => samples.map((i) => task.positions[i]!);
  const [train, test] = [positionsOf(round.train), positionsOf(round.test)];
  const labels = round.train.map((i) => task.labels[i]!);
  const weights = weightsOf(classWeights, labels, task.classes.length);
  const used = modalities.filter((modality) =>
    rows.some((row) => modalitiesIn(row.modalities, modalities).includes(modality)),
  );
  const kinds = [...new Set(rows.map(({ features }) => features))];
  const { source } = rows[0]!;
  const name = `${source}, fold ${round.fold}`;
  const groups = await openGroups({
    source,
    run: round.encoder,
    modalities,
    used,
    kinds,
    calibrateOn: positionsOf(round.pool),
    viewing,
  });
  const classifiers = new Map<string, Linear>();
  let optimizer: Sgd | AdamW | undefined;
  const outcome: UnitOutcome = new Map();
  try {
    const featuresAt = async (positions: readonly number[]) => {
      const found = await wholeFeatures(groups, positions, viewing, { used, kinds });
      return ({ features: kind, modalities: set }: TrainedRow): Features =>
        featuresOfSet(set, (modality) => found.get(`${kind}/${modality}`)!, modalities, positions.length);
    };
    const testFeatures = () => featuresAt(test);
    const atFirst = await testFeatures();
    for (const row of rows) {
      const { columns } = atFirst(row);
      const random = new Random(seed, 'classifier', `${row.features}/${modalityKey(row.modalities)}`);
      const options = { deviation: preset.initialDeviation, random, device };
      classifiers.set(row.key, newClassifier(columns, task.classes.length, options));
      outcome.set(row.key, { columns, byEpoch: [] });
    }
    optimizer = optimizerOf(preset, finetune ? groups : [], classifiers);
    const looks = { used, kinds, augmented: preset.crop !== null };
    const featuresOf = (batch: Batch) =>
      finetune
        ? batchFeatures(groups, batch, viewing, { ...looks, training: finetune.batchNorm === 'train' })
        : noGrad(() => batchFeatures(groups, batch, viewing, { ...looks, training: false }));
    await trainClassifier({
      preset,
      name,
      samples: { positions: train, ids: round.train.map((i) => task.ids[i]!), labels },
      loader: viewing.loader,
      device,
      seed,
      optimizer,
      // Rows share no trained weights, so each gets the gradient of its own loss alone.
      objective: (batch, classes) => {
        const features = featuresOf(batch);
        return rows
          .map((row) => {
            const parts = partsOf(features, row.features, row.modalities, batch);
            return classificationLoss(classifiers.get(row.key)!, parts, classes, weights);
          })
          .reduce((sum, loss) => sum.add(loss));
      },
      afterEpoch: async (epoch) => {
        const found = finetune ? await testFeatures() : atFirst;
        for (const row of rows) {
          const probabilities = classify(classifiers.get(row.key)!, found(row));
          // Damage done by the last step shows in no later loss, so the predictions are checked.
          if (!probabilities.every(Number.isFinite)) {
            throw new DivergedError(`${name}: ${row.key} predicts NaN after epoch ${epoch + 1}`, preset);
          }
          outcome.get(row.key)!.byEpoch.push(probabilities);
        }
      },
      onStep,
    });
    for (const row of onTrained === undefined ? [] : rows) {
      const featuresOf = async (samples: readonly number[]) => (await featuresAt(positionsOf(samples)))(row);
      await onTrained!({ key: row.key, round, groups, classifier: classifiers.get(row.key)!, featuresOf });
    }
  } catch (error) {
    // Rows on a frozen encoder are trained side by side, and it is not known which one diverged.
    if (!(error instanceof DivergedError && finetune)) throw error;
    for (const row of outcome.values()) row.diverged = error.message;
  } finally {
    disposeGroups(groups);
    for (const classifier of classifiers.values()) disposeModule(classifier);
    optimizer?.dispose();
  }
  return outcome;
}
