/** Names and writes the files of an evaluation: its result and its test predictions. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pseudonym } from '../data/pseudonym.js';
import { PRIVATE, writeFileAtomic } from '../files.js';
import { csv } from '../text/csv.js';
import { judgedKinds, labelProtocolNamed, usualImages } from './protocols/registry.js';
import type { Evaluation, EvaluationResult, EvaluationRow, Predictions } from './results/evaluationResult.js';
import { modalityKey } from './results/modalitySets.js';

/** Formats the result as JSON, without the predictions. An undefined value is null. */
export function evaluationJson({ predictions: _, ...summary }: Evaluation): string {
  return JSON.stringify(summary, null, 2);
}

export interface SaveOptions {
  /** Write the ids and subjects of the data instead of pseudonyms. */
  readonly keepIds?: boolean;
}

/** The parts of a result that its file name is made of. */
export interface NamedResult extends Pick<EvaluationResult, 'protocol' | 'preset' | 'setAside'> {
  readonly labels: Pick<EvaluationResult['labels'], 'fraction'>;
  readonly data: Pick<EvaluationResult['data'], 'name' | 'modalities' | 'label' | 'positive' | 'images'>;
  readonly exposure: Pick<EvaluationResult['exposure'], 'kind'>;
  readonly rows: readonly Pick<EvaluationRow, 'source' | 'features' | 'modalities'>[];
  readonly leftOut?: EvaluationResult['leftOut'];
}

/**
 * Makes the name of an evaluation's files. It is the protocol, its preset where that is not the default one, and all
 * that is unlike the plain judgement: `logreg`, `finetune-hu`, `logreg-labels-0.1`, `linear-moco-set-aside`,
 * `logreg-on-busi` for other data than the run's, `logreg-label-grade` for another column of labels,
 * `logreg-positive-low` for another positive class, `logreg-a-pooled` for some images or features only,
 * `logreg-pooled-head-maps` for more features,
 * `finetune-hu-alone` without the untrained encoder.
 */
export function evaluationName(result: NamedResult): string {
  const { protocol, preset, labels, setAside, data, exposure, rows } = result;
  const { namesPreset = false, settings } = labelProtocolNamed(protocol)!;
  const byDefault = preset === undefined || (!namesPreset && preset === settings.preset?.byDefault);
  const others = exposure.kind === 'transfer' || exposure.kind === 'unknown';
  const parts = [
    protocol,
    ...(byDefault ? [] : [preset]),
    ...(labels.fraction < 1 ? [`labels-${labels.fraction}`] : []),
    ...(others ? [`on-${slug(data.name)}`] : []),
    ...(data.label === undefined ? [] : [`label-${slug(data.label)}`]),
    ...(data.positive === undefined ? [] : [`positive-${slug(data.positive)}`]),
    ...chosenParts(result),
    ...(setAside ? ['set-aside'] : []),
    ...(rows.some(({ source }) => source === 'untrained') ? [] : ['alone']),
  ];
  return parts.join('-');
}

/** Two names may become one here, so `refuseOtherQuestion` compares what was asked before a file is replaced. */
function slug(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** The images and features in the name, where they are not those that the protocol judges by default. */
function chosenParts({ protocol: name, preset, data, rows, leftOut = [] }: NamedResult): string[] {
  const protocol = labelProtocolNamed(name)!;
  const usual = usualImages(protocol, data.modalities, data.images !== undefined);
  const own = rows.filter(({ source }) => source === 'run');
  const unless = (found: readonly string[], usual: readonly string[]) =>
    found.length === usual.length && usual.every((one) => found.includes(one)) ? [] : found;
  return [
    ...unless(
      [...new Set(own.map((row) => modalityKey(row.modalities)))],
      usual.filter((key) => leftOut.every(({ images }) => images !== key)),
    ),
    ...unless([...new Set(own.map((row) => row.features))], judgedKinds(protocol, { preset })),
  ];
}

/** The paths of an evaluation's files in a folder. */
export function evaluationPaths(folder: string, result: NamedResult): { json: string; predictions: string } {
  const name = evaluationName(result);
  return { json: join(folder, `${name}.json`), predictions: join(folder, `${name}-predictions.csv`) };
}

/**
 * Writes `NAME-predictions.csv`, then `NAME.json`, over those of an earlier evaluation of the same name. Let
 * `refuseOtherQuestion` look first whether that one answers the same question. An interrupted
 * write leaves no half file.
 *
 * @returns the paths of both
 */
export function saveEvaluation(
  folder: string,
  result: Evaluation,
  { keepIds = false }: SaveOptions = {},
): { json: string; predictions: string } {
  mkdirSync(folder, { recursive: true });
  const { json, predictions } = evaluationPaths(folder, result);
  const text = predictionsCsv(result.predictions, result.data.classes, keepIds);
  writeFileAtomic(predictions, text, keepIds ? { mode: PRIVATE } : {});
  writeFileAtomic(json, `${evaluationJson(result)}\n`);
  return { json, predictions };
}

/**
 * Formats the predictions as CSV: `id,subject,fold,label`, then one column for each row of the tables, named by its
 * key, with the probability of the positive class. With more classes there is one column for each, `key:class`. The
 * cell of a sample that lacks an image of the row is empty.
 */
function predictionsCsv(
  { dataHash, ids, subjects, folds, labels, probabilities, judged }: Predictions,
  classes: readonly string[],
  keepIds: boolean,
): string {
  const shown = (kind: 'sample' | 'subject', name: string) =>
    keepIds ? name : pseudonym(kind, name, dataHash);
  const columns = Object.entries(probabilities).flatMap(([key, values]) =>
    classes.flatMap((name, c) => {
      if (classes.length === 2 && c === 0) return [];
      const title = classes.length === 2 ? key : `${key}:${name}`;
      const of = (i: number) => (judged[key]?.[i] === false ? '' : String(values[i * classes.length + c]!));
      return [{ title, of }];
    }),
  );
  const lines = ids.map((id, i) => [
    shown('sample', id),
    shown('subject', subjects[i]!),
    String(folds[i]),
    classes[labels[i]!]!,
    ...columns.map(({ of }) => of(i)),
  ]);
  const header = ['id', 'subject', 'fold', 'label', ...columns.map(({ title }) => title)];
  return csv([header, ...lines]);
}
