/** Finetunes the encoder with a linear layer on all labelled samples, and by cross-validation for out-of-fold scores. */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import { AnatomyError } from '../../errors.js';
import { emptyEncoder, type RunEncoder } from '../../evaluation/encoders/runEncoders.js';
import { type OuterFold, trainingOf } from '../../evaluation/folds/outerFolds.js';
import type { Task } from '../../evaluation/folds/task.js';
import { fitStandardizer, type Standardizer } from '../../evaluation/probes/standardize.js';
import type { RowName } from '../../evaluation/results/evaluationResult.js';
import type { EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import { modalityKey } from '../../evaluation/results/modalitySets.js';
import type { TrainedProbe } from '../../evaluation/trained/trainedProbe.js';
import { type TrainedRowNetworks, trainRows } from '../../evaluation/trained/trainedRows.js';
import type { MessageConsole } from '../../log/console.js';
import { disposeModule, type Encoder, type Linear, loadState, stateDict } from '../../nn/index.js';
import type { Device } from '../../tensor/index.js';
import type { Precision } from '../../training/precision.js';
import type { FittedProbe, OutOfFold } from './fitProbe.js';
import { heldOutDistances, referenceOf } from './unusual.js';

export interface FinetuneOptions {
  readonly probe: TrainedProbe;
  readonly task: Task;
  /** The fold of each sample of the task. */
  readonly foldOf: readonly number[];
  readonly cache: ImageCache;
  /** All modalities of the data. */
  readonly modalities: readonly string[];
  readonly set: readonly string[];
  readonly kind: EncoderFeatures;
  readonly encoder: RunEncoder;
  readonly device: Device;
  readonly precision: Precision;
  readonly seed: number;
  readonly console: MessageConsole;
}

export interface Finetuned {
  /** The classifier, on standardised features like a probe. */
  readonly probe: FittedProbe;
  readonly outOfFold: OutOfFold;
  /** The trained encoders, and whose images each sees. The caller frees them. */
  readonly encoders: readonly { readonly encoder: Encoder; readonly modalities: readonly string[] }[];
}

/**
 * Trains as `evaluate finetune` does: once for each fold, and once on all samples.
 *
 * @throws AnatomyError where a training diverges
 */
export async function fitFinetuned(options: FinetuneOptions): Promise<Finetuned> {
  const { task, foldOf, set, kind, encoder, seed, console } = options;
  const all = [...task.ids.keys()];
  const roundOf = (fold: number, test: readonly number[], pool: readonly number[]): OuterFold => ({
    ...{ fold, pool, test, encoder },
    ...trainingOf(task, pool, fold, { seed, labelFraction: 1 }),
  });
  const folds = [...new Set(foldOf)].sort((a, b) => a - b);
  const judged = folds.map((fold) =>
    roundOf(
      fold,
      all.filter((i) => foldOf[i] === fold),
      all.filter((i) => foldOf[i] !== fold),
    ),
  );
  // A round without a test sample would not be trained; its answer is not read.
  const last = roundOf(folds.length, [0], all);
  const rounds = [...judged, last];
  const row: RowName = {
    ...{ key: `run/${kind}/${modalityKey(set)}`, source: 'run', features: kind, modalities: set },
  };
  const apart = new Float64Array(all.length);
  const made: { encoder: Encoder; modalities: readonly string[] }[] = [];
  let probe: FittedProbe | undefined;
  const onTrained = async ({ round, groups, classifier, featuresOf }: TrainedRowNetworks) => {
    const train = await featuresOf(round.train);
    if (round !== last) {
      const far = heldOutDistances(train, await featuresOf(round.test));
      for (const [at, i] of round.test.entries()) apart[i] = far[at]!;
      return;
    }
    const standardizer = fitStandardizer(train);
    probe = {
      standardizer,
      ...onStandardised(classifier, standardizer),
      reference: referenceOf(train, standardizer),
    };
    for (const { encoder: trained, modalities } of groups) {
      const copy = emptyEncoder(encoder.config, options.device);
      made.push({ encoder: copy, modalities });
      loadState(copy, stateDict(trained));
    }
  };
  try {
    const plan = { source: 'generated' as const, k: folds.length, inner: 0, seed, rounds };
    const sources = { ...options, plan, roundsOn: () => rounds, onTrained };
    const outcome = (await trainRows([row], sources, console)).get(row.key)!;
    if (outcome.diverged !== undefined) throw new AnatomyError(outcome.diverged);
    const classes = task.classes.length;
    const probabilities = new Float64Array(all.length * classes);
    for (const [r, { test }] of judged.entries()) {
      for (const [at, i] of test.entries()) {
        const own = outcome.probabilities[r]!.subarray(at * classes, (at + 1) * classes);
        probabilities.set(own, i * classes);
      }
    }
    return { probe: probe!, outOfFold: { probabilities, distances: apart }, encoders: made };
  } catch (error) {
    for (const { encoder: one } of made) disposeModule(one);
    throw error;
  }
}

/**
 * Writes a linear layer on features as the same one on standardised features z = (x − mean) · scale: with x = z / scale +
 * mean, W x + b = (W / scale) z + (b + W mean). Columns that are constant have z = 0 and only count in the bias.
 */
export function onStandardised(
  { parameters }: Linear,
  { mean, scale }: Standardizer,
): { weights: Float64Array; bias: Float64Array } {
  const weights = Float64Array.from(parameters.weight.toArray() as Float32Array);
  const bias = Float64Array.from(parameters.bias.toArray() as Float32Array);
  const columns = mean.length;
  for (let k = 0; k < bias.length; k += 1) {
    for (let j = 0; j < columns; j += 1) {
      const at = k * columns + j;
      bias[k]! += weights[at]! * mean[j]!;
      weights[at] = scale[j] === 0 ? 0 : weights[at]! / scale[j]!;
    }
  }
  return { weights, bias };
}
