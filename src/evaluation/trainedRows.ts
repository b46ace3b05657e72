/** Rows whose probe LibTorch trains on images: a linear layer on a frozen encoder, or one together with its encoder. */
import { ImageLoader } from '../data/loader.js';
import type { MessageConsole } from '../log/console.js';
import { Progress } from '../log/progress.js';
import { crossEntropy } from '../losses/index.js';
import type { Batch } from '../methods/index.js';
import { type Features, joinColumns } from '../metrics/features.js';
import { disposeModule, type Linear, namedParameters } from '../nn/index.js';
import { AdamW, Sgd } from '../optim/index.js';
import { noGrad, ops, Random, type Tensor } from '../tensor/index.js';
import { classify, newClassifier } from './classifier.js';
import type { RowOutcome } from './crossValidate.js';
import {
  batchFeatures,
  disposeGroups,
  type EncoderGroup,
  type EncoderKind,
  openGroups,
  partsOf,
  type Viewing,
  wholeFeatures,
} from './encoderGroups.js';
import { layerGroups } from './layerDecay.js';
import type { OuterFold } from './outerFolds.js';
import type { TrainingPreset } from './presets.js';
import { modalityKey } from './representations.js';
import type { RowName } from './result.js';
import type { FeatureSources } from './rowFeatures.js';
import { trainClassifier } from './trainClassifier.js';
import { type TrainedProbe, trainingPlan, weightsOf } from './trainedProbe.js';

export interface TrainedRowsOptions extends Omit<FeatureSources, 'kinds'> {
  readonly probe: TrainedProbe;
  readonly seed: number;
}

/** A row of an encoder. */
interface TrainedRow extends RowName {
  readonly source: 'run' | 'untrained';
  readonly features: EncoderKind;
}

/** Trains every row in every round, one at a time. @returns outcomes by row key */
export async function trainRows(
  names: readonly RowName[],
  options: TrainedRowsOptions,
  console: MessageConsole,
): Promise<Map<string, RowOutcome>> {
  const { plan, probe, cache, device, precision, seed } = options;
  const rows = names.filter((name): name is TrainedRow => name.source !== 'thumbnail');
  // Rows on a frozen encoder share its forward passes; with a trained one each row has its own.
  const units = probe.finetune
    ? rows.map((row) => [row])
    : (['run', 'untrained'] as const).map((source) => rows.filter((row) => row.source === source));
  const { size, normalize: normalization } = plan.rounds[0]!.encoder.config.data;
  const { crop } = probe.preset;
  const loader = new ImageLoader(cache, device);
  const viewing: Viewing = {
    loader,
    device,
    precision,
    views: {
      size,
      seed,
      normalization,
      augmentation: { crop, flip: 0.5, jitter: null, grayscale: 0, blur: null, geometry: 'shared' },
    },
  };
  const steps = plan.rounds.map(({ train }) => trainingPlan(probe.preset, train.length).totalSteps);
  const total = units.length * steps.reduce((sum, count) => sum + count, 0);
  const title = probe.finetune ? 'finetuning' : 'training probes';
  const progress = new Progress(total, console, { title });
  let done = 0;
  const onStep = () => {
    done += 1;
    progress.update(done);
  };
  const found = new Map<string, { columns: number; byEpoch: (readonly Float64Array[])[] }>();
  try {
    for (const round of plan.rounds) {
      for (const unit of units) {
        for (const [key, { columns, byEpoch }] of await trainUnit(unit, round, options, viewing, onStep)) {
          const row = found.get(key) ?? { columns, byEpoch: [] };
          row.byEpoch.push(byEpoch);
          found.set(key, row);
        }
      }
    }
  } finally {
    progress.stop();
    loader.dispose();
  }
  return new Map(
    [...found].map(([key, { columns, byEpoch }]) => {
      return [key, { columns, byEpoch, probabilities: byEpoch.map((epochs) => epochs.at(-1)!) }];
    }),
  );
}

type UnitOutcome = Map<string, { columns: number; byEpoch: Float64Array[] }>;

/** Rows of one source in one round, trained side by side. */
async function trainUnit(
  rows: readonly TrainedRow[],
  round: OuterFold,
  { task, modalities, device, probe, seed }: TrainedRowsOptions,
  viewing: Viewing,
  onStep: () => void,
): Promise<UnitOutcome> {
  const { preset, classWeights, finetune } = probe;
  const positionsOf = (samples: readonly number[]) => samples.map((i) => task.positions[i]!);
  const [train, test] = [positionsOf(round.train), positionsOf(round.test)];
  const labels = round.train.map((i) => task.labels[i]!);
  const weights = weightsOf(classWeights, labels, task.classes.length);
  const used = modalities.filter((modality) => rows.some((row) => row.modalities.includes(modality)));
  const kinds = [...new Set(rows.map(({ features }) => features))];
  const { source } = rows[0]!;
  const groups = await openGroups({
    source,
    run: round.encoder,
    modalities,
    used,
    kinds,
    calibrateOn: train,
    viewing,
  });
  const classifiers = new Map<string, Linear>();
  const optimizers: (Sgd | AdamW)[] = [];
  const outcome: UnitOutcome = new Map();
  try {
    const testFeatures = async () => {
      const found = await wholeFeatures(groups, test, viewing, { used, kinds });
      return (row: TrainedRow): Features => joinColumns(partsOf(found, row.features, row.modalities));
    };
    const atFirst = await testFeatures();
    for (const row of rows) {
      const { columns } = atFirst(row);
      const random = new Random(seed, 'classifier', `${row.features}/${modalityKey(row.modalities)}`);
      const options = { deviation: preset.initialDeviation, random, device };
      classifiers.set(row.key, newClassifier(columns, task.classes.length, options));
      outcome.set(row.key, { columns, byEpoch: [] });
    }
    const optimizer = optimizerOf(preset, finetune ? groups : [], classifiers);
    optimizers.push(optimizer);
    const looks = { used, kinds, augmented: preset.crop !== null };
    const featuresOf = (batch: Batch) =>
      finetune
        ? batchFeatures(groups, batch, viewing, { ...looks, training: finetune.batchNorm === 'train' })
        : noGrad(() => batchFeatures(groups, batch, viewing, { ...looks, training: false }));
    await trainClassifier({
      preset,
      samples: { positions: train, ids: round.train.map((i) => task.ids[i]!), labels },
      loader: viewing.loader,
      device,
      seed,
      optimizer,
      // Rows share no weights that are trained, so each gets the gradient of its own loss alone.
      objective: (batch, classes) => {
        const features = featuresOf(batch);
        return rows
          .map((row) => {
            const joined = ops.cat(partsOf(features, row.features, row.modalities), 1);
            return crossEntropy(classifiers.get(row.key)!.forward(joined), classes, weights);
          })
          .reduce((sum, loss) => sum.add(loss));
      },
      afterEpoch: async () => {
        const found = finetune ? await testFeatures() : atFirst;
        for (const row of rows) {
          outcome.get(row.key)!.byEpoch.push(classify(classifiers.get(row.key)!, found(row)));
        }
      },
      onStep,
    });
  } finally {
    disposeGroups(groups);
    for (const classifier of classifiers.values()) disposeModule(classifier);
    for (const optimizer of optimizers) optimizer.dispose();
  }
  return outcome;
}

/** @param encoders those that are trained too */
function optimizerOf(
  { optimizer }: TrainingPreset,
  encoders: readonly EncoderGroup[],
  classifiers: ReadonlyMap<string, Linear>,
): Sgd | AdamW {
  if (optimizer.kind === 'adamw') return new AdamW(layerGroups(encoders, classifiers, optimizer), optimizer);
  const parameters = new Map<string, Tensor>();
  for (const { encoder, modalities } of encoders) {
    for (const [name, tensor] of namedParameters(encoder, `encoder.${modalities[0]}.`))
      parameters.set(name, tensor);
  }
  for (const [key, classifier] of classifiers) {
    for (const [name, tensor] of namedParameters(classifier, `classifier.${key}.`))
      parameters.set(name, tensor);
  }
  return new Sgd(parameters, optimizer);
}
