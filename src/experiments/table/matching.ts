/**
 * Compares samples only with samples that are alike in a column of the data, such as a slice's place, so that the
 * column alone tells nothing of the label. Cells hold no columns, but whoever holds the data can link their
 * pseudonyms to it.
 */
import { existsSync } from 'node:fs';
import { type Config, readConfig } from '../../config/index.js';
import { pseudonym, published } from '../../data/pseudonym.js';
import type { Sample } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import { type JudgedDataSpec, openJudgedData } from '../../evaluation/encoders/judgedData.js';
import { logisticProbe } from '../../evaluation/probes/logisticProbe.js';
import { resampledAuc } from '../../evaluation/summary/rowMetrics.js';
import type { MessageConsole } from '../../log/console.js';
import {
  type CovariateMatching,
  type MatchedCounts,
  matchedCounts,
  weightedMatchedAuc,
} from '../../metrics/areas/matchedAuc.js';
import {
  type BootstrapInterval,
  type BootstrapOptions,
  bootstrapIntervals,
} from '../../metrics/bootstrap.js';
import { positiveColumn } from '../../metrics/classification.js';
import { featureRows, takeRows } from '../../metrics/features/features.js';
import { PHANTOM_PREFIX } from '../../phantoms/phantomName.js';
import { nearest } from '../../text/nearest.js';
import { openImages } from '../../training/imageCache.js';
import type { FinishedEvaluation } from '../stored/cell.js';
import { evaluationId, experimentPaths, pretrainingId, readCell, readDescription } from '../stored/folder.js';
import type { Measurement } from './entries.js';

/** Name of the metric in tables. */
export const MATCHED_AUC = 'matchedAuc';

export interface Matching {
  /** A column of the data, or a quotient of two: `slice/n_slices`. */
  readonly column: string;
  /** Largest difference that counts as alike. */
  readonly within: number;
  /** The value of each sample, by its pseudonym; samples without a value are left out. */
  readonly values: ReadonlyMap<string, number>;
}

export interface MatchingOptions extends Pick<Matching, 'column' | 'within'> {
  /** The place of the data; default: the place from which this machine pretrained on it. */
  readonly data: JudgedDataSpec;
  readonly console: MessageConsole;
}

/**
 * Reads the column for the samples that an experiment was judged on.
 *
 * @throws UsageError when the data is not known or is other data, or has no such column of numbers
 */
export async function readMatching(
  root: string,
  { column, within, data, console }: MatchingOptions,
): Promise<Matching> {
  if (!(within >= 0))
    throw new UsageError(`--within is ${within}, expected 0 or more, in units of ${column}`);
  const { config, evaluation } = firstJudged(root);
  const dataset = await openJudgedData(data, config, console);
  const { name, samples } = dataset;
  const cache = await openImages(dataset, config, undefined, console);
  if (published(cache.dataHash) !== evaluation.result.data.dataHash) {
    throw new UsageError(
      `${name} is not the data that ${root} was judged on; give the same with --data, and with --drop, --column, --positive and --classes as when it was pretrained`,
    );
  }
  const { classes } = evaluation.result.data;
  if (data.positive !== undefined && data.positive !== classes[1]) {
    throw new UsageError(
      `--positive is ${data.positive}, but ${root} was judged with ${classes[1]} as the positive class; leave it out, or run the experiment with it`,
    );
  }
  if (classes.length > 2) {
    throw new UsageError(
      `--matched: the AUC among matched samples is of two classes, and ${name} has ${classes.join(', ')}`,
    );
  }
  const read = columnReader(column, samples, name);
  const values = samples.flatMap((sample) => {
    const value = read(sample);
    return Number.isFinite(value) ? [[pseudonym('sample', sample.id, cache.dataHash), value] as const] : [];
  });
  if (values.length === 0) {
    throw new UsageError(`--matched ${column}: no sample of ${name} has a number there; name another column`);
  }
  return { column, within, values: new Map(values) };
}

/** A measurement with its matched AUC; without predictions it has none. */
export function matchedMeasurement(measurement: Measurement, matching: Matching): Measurement {
  const { predicted, metrics } = measurement;
  const value = predicted === undefined ? Number.NaN : resampledMatched(predicted, matching)();
  return {
    ...measurement,
    metrics: { ...metrics, [MATCHED_AUC]: Number.isFinite(value) ? value : null },
    // The stored ones are the AUC’s.
    interval: undefined,
    foldMean: undefined,
  };
}

export function resampledMatched(
  predicted: Predicted,
  matching: Matching,
): ReturnType<typeof weightedMatchedAuc> {
  const { probabilities, labels } = predicted.judged;
  return weightedMatchedAuc(positiveColumn(probabilities, labels.length), labels, alike(predicted, matching));
}

/**
 * Counts the samples that are compared. All rows are judged on the same samples in the same folds, so they share it.
 */
export function countsOf(predicted: Predicted, matching: Matching): MatchedCounts {
  return matchedCounts(predicted.judged.labels, alike(predicted, matching));
}

type Predicted = Pick<NonNullable<Measurement['predicted']>, 'ids' | 'judged'>;

function alike({ ids, judged }: Predicted, { values, within }: Matching): CovariateMatching {
  const covariate = ids.map((id) => values.get(id) ?? Number.NaN);
  return { covariate, within, groups: judged.subjects, strata: judged.folds };
}

/** Measures how well the column alone tells the label, in the folds that all rows are judged in. */
export interface CovariateAlone {
  readonly auc: BootstrapInterval;
  readonly matched: BootstrapInterval;
}

/** A C so large that there is no penalty: three columns and hundreds of samples need none. */
const UNPENALISED = 1e4;

/** A logistic regression on the column, its square and its cube, of the samples that have a value there. */
export function covariateAlone(
  { ids, judged }: Predicted,
  matching: Matching,
  bootstrap: BootstrapOptions,
): CovariateAlone {
  const known = [...ids.keys()].filter((i) => matching.values.has(ids[i]!));
  const of = <T>(values: readonly T[]) => known.map((i) => values[i]!);
  const [labels, folds, subjects] = [of(judged.labels), of(judged.folds), of(judged.subjects)];
  const powers = of(ids).flatMap((id) => [1, 2, 3].map((power) => matching.values.get(id)! ** power));
  const features = featureRows(Float64Array.from(powers), known.length, 3);
  const probabilities = new Float64Array(2 * known.length);
  for (const fold of new Set(folds)) {
    const inside = [...folds.keys()].filter((i) => folds[i] === fold);
    const outside = [...folds.keys()].filter((i) => folds[i] !== fold);
    const learned = outside.map((i) => labels[i]!);
    const [train, test] = [takeRows(features, outside), takeRows(features, inside)];
    const found = logisticProbe(train, learned, test, UNPENALISED).probabilities;
    for (const [row, i] of inside.entries()) {
      probabilities.set(found.subarray(2 * row, 2 * row + 2), 2 * i);
    }
  }
  const alone = { ...judged, probabilities, labels, folds, subjects };
  const predicted = { ids: of(ids), judged: alone };
  const [ofAuc, ofMatched] = [resampledAuc(alone), resampledMatched(predicted, matching)];
  const [auc, matched] = bootstrapIntervals(
    (weights) => [ofAuc(weights), ofMatched(weights)],
    subjects,
    bootstrap,
  );
  return { auc: auc!, matched: matched! };
}

/** An evaluation that is there, and the config of its pretraining with the places that this machine knows. */
function firstJudged(root: string): { config: Config; evaluation: FinishedEvaluation } {
  const { rows, seeds, protocols } = readDescription(root);
  for (const { folder } of rows.flatMap(({ candidates }) => candidates)) {
    for (const seed of seeds) {
      for (const { slug, draws } of protocols) {
        const draw = draws > 1 ? 0 : undefined;
        const cell = readCell(root, evaluationId(folder, seed, { protocol: slug, draw }));
        if (cell?.kind !== 'evaluate') continue;
        const ids = [pretrainingId(folder, seed), pretrainingId(folder, seed, 0)];
        const file = ids.map(experimentPaths(root).config).find(existsSync);
        return { config: file === undefined ? elsewhere(cell) : readConfig(file), evaluation: cell };
      }
    }
  }
  throw new UsageError(`${root}: nothing has been judged yet; run the experiment first`);
}

/** A cell that came from another machine does not say where its data lie. */
function elsewhere({ settings }: FinishedEvaluation): Config {
  const config = settings.pretraining as Config;
  const path = config.data.path?.startsWith(PHANTOM_PREFIX) ? config.data.path : null;
  const { folders: _, imageRoot: __, ...data } = config.data;
  return { ...config, data: { ...data, path, pathB: null, drop: null } };
}

/** @throws UsageError when a column is not there */
function columnReader(column: string, samples: readonly Sample[], data: string): (sample: Sample) => number {
  const known = [...new Set(samples.flatMap(({ extra }) => Object.keys(extra ?? {})))];
  const parts = known.includes(column) ? [column] : column.split('/');
  if (parts.length > 2) {
    throw new UsageError(
      `--matched ${column}: expected a column, or a quotient of two such as slice/n_slices`,
    );
  }
  for (const part of parts) {
    if (known.includes(part)) continue;
    const meant = nearest(part, known);
    throw new UsageError(
      `--matched ${column}: ${data} has no further column ${part}, ${known.length === 0 ? 'and no other' : `expected one of ${known.join(', ')}`}` +
        (meant === undefined ? '' : `; did you mean ${meant}?`),
    );
  }
  // An empty cell is no zero.
  const numberIn = ({ extra }: Sample, name: string) => {
    const text = extra?.[name]?.trim() ?? '';
    return text === '' ? Number.NaN : Number(text);
  };
  return (sample) => parts.map((part) => numberIn(sample, part)).reduce((above, below) => above / below);
}
