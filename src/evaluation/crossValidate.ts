/** Fits the probes of all rows on frozen features, in every round of the cross-validation. */
import type { MessageConsole } from '../log/console.js';
import { Progress } from '../log/progress.js';
import { takeRows } from '../metrics/features/features.js';
import { inThreads, type PlannedJob } from '../threads.js';
import {
  type FeatureSources,
  type FeaturesOf,
  rowFeatures,
  thumbnailFeatures,
} from './features/rowFeatures.js';
import type { RoundsOn } from './folds/setRounds.js';
import { type ProbeJob, type ProbeSpec, type RowOutcome, runProbe } from './probes/probe.js';
import type { RowName } from './results/evaluationResult.js';

/** Chooses the probe for the rows of encoders, given the labels (class numbers) that it learns from. */
export type ProbeFor = (labels: Uint32Array, classes: number) => ProbeSpec;

/** The probe of thumbnails, whatever judges the encoders. */
const RIDGE: ProbeSpec = { kind: 'ridge' };

type SpecFor = (row: RowName, ...labels: Parameters<ProbeFor>) => ProbeSpec;

export interface CrossValidationSources extends FeatureSources {
  /** The rounds of each set of modalities: those of the plan with the samples that have its images. */
  readonly roundsOn: RoundsOn;
  readonly seed: number;
  readonly console: MessageConsole;
}

/**
 * Judges the rows of encoders and of thumbnails. Every encoder runs once over the images.
 * @returns outcomes by row key
 */
export async function crossValidateEncoders(
  names: readonly RowName[],
  probeFor: ProbeFor,
  sources: CrossValidationSources,
): Promise<Map<string, RowOutcome>> {
  const features = await rowFeatures(names, sources, sources.console);
  const specFor: SpecFor = ({ source }, labels, classes) =>
    source === 'thumbnail' ? RIDGE : probeFor(labels, classes);
  return crossValidate(names, features, specFor, sources);
}

/** Judges only the rows that are thumbnails; no encoder is run. @returns outcomes by row key */
export async function crossValidateThumbnails(
  names: readonly RowName[],
  sources: CrossValidationSources,
): Promise<Map<string, RowOutcome>> {
  const thumbnails = names.filter(({ source }) => source === 'thumbnail');
  return crossValidate(thumbnails, thumbnailFeatures(sources), () => RIDGE, sources);
}

/** The nanoseconds that a probe takes for each value of its training rows. */
const PROBE_COST = 400;

async function crossValidate(
  names: readonly RowName[],
  features: FeaturesOf,
  specFor: SpecFor,
  { task, roundsOn, seed, console }: CrossValidationSources,
): Promise<Map<string, RowOutcome>> {
  const classes = task.classes.length;
  const planned = names.flatMap((name) => roundsOn(name.modalities).map((round) => ({ name, round })));
  const probes = planned.map(({ name, round }): PlannedJob<ProbeJob> => {
    const all = features(round, name);
    return {
      cost: PROBE_COST * round.train.length * all.columns,
      make: () => {
        const labels = Uint32Array.from(round.train, (i) => task.labels[i]!);
        return {
          probe: specFor(name, labels, classes),
          train: takeRows(all, round.train),
          labels,
          inner: round.inner,
          test: takeRows(all, round.test),
          classes,
          seed,
        };
      },
    };
  });
  const progress = new Progress(probes.length, console, { title: 'probing' });
  let done = 0;
  const onDone = () => {
    done += 1;
    progress.update(done);
  };
  const worker = new URL('./probes/probeWorker.js', import.meta.url);
  const outcomes = await inThreads(probes, { worker, run: runProbe, onDone }).finally(() => progress.stop());
  return new Map(
    names.map((name) => {
      const own = outcomes.filter((_, i) => planned[i]!.name === name);
      const chosen = own.flatMap((outcome) => outcome.chosen ?? []);
      const validation = own.flatMap((outcome) => outcome.validation ?? []);
      const byEpoch = own.flatMap((outcome) => (outcome.byEpoch === undefined ? [] : [outcome.byEpoch]));
      return [
        name.key,
        {
          columns: features(roundsOn(name.modalities)[0]!, name).columns,
          probabilities: own.map((outcome) => outcome.probabilities),
          chosen: chosen.length > 0 ? chosen : undefined,
          validation: validation.length > 0 ? validation : undefined,
          byEpoch: byEpoch.length > 0 ? byEpoch : undefined,
        },
      ];
    }),
  );
}
