/** The finished evaluations of one protocol on one data set, and the numbers that rows get from them. */

import { labelProtocolNamed } from '../../evaluation/protocols/registry.js';
import type { EvaluationRow, FeatureKind } from '../../evaluation/results/evaluationResult.js';
import { modalityKey } from '../../evaluation/results/modalitySets.js';
import { readPredictions, rowOf, type StoredPredictions } from '../../evaluation/results/predictions.js';
import { methodNamed } from '../../methods/index.js';
import { choosingProtocol, type ExperimentProtocol, seedsOf } from '../file/protocols.js';
import type { FinishedEvaluation } from '../stored/cell.js';
import type { DescribedRow, DescribedSet, ExperimentDescription } from '../stored/description.js';
import { evaluationId, experimentPaths, readCell } from '../stored/folder.js';
import { type Alternative, compose } from './compose.js';
import { type Measurement, meanFoldAuc, pooledMetrics } from './entries.js';
import { type Matching, matchedMeasurement } from './matching.js';

export type TableFeatures = 'chosen' | FeatureKind;

export interface ResultsOf {
  readonly root: string;
  readonly description: ExperimentDescription;
  /** The further data that are judged; undefined for the data that the encoders were pretrained on. */
  readonly set?: DescribedSet;
  readonly protocol: ExperimentProtocol;
  /** Whether the evaluations are those of the samples that were set aside. */
  readonly setAside: boolean;
  /** Adds the AUC among samples that are alike in a column. */
  readonly matching?: Matching;
}

/** A seed, and a draw of the labels where a protocol draws them several times. */
interface Repeat {
  readonly seed: number;
  readonly draw?: number;
}

interface FoundCell {
  readonly id: string;
  readonly cell: FinishedEvaluation;
}

/** Whether finetuning ran off to infinity, so that a trained row has no value in any metric. */
function diverged({ source, metrics }: EvaluationRow, { result }: FinishedEvaluation): boolean {
  return (
    source !== 'thumbnail' &&
    (labelProtocolNamed(result.protocol)?.mayDiverge ?? false) &&
    Object.values(metrics).every(({ pooled }) => pooled === null)
  );
}

/** Reads cells and their predictions when they are asked for, each once. */
export class Results {
  readonly #of: ResultsOf;
  readonly #repeats: readonly Repeat[];
  readonly #cells = new Map<string, FinishedEvaluation | undefined>();
  readonly #predictions = new Map<string, StoredPredictions | undefined>();
  /** Names of rows whose features or candidates cannot be chosen, as a validation is missing. */
  readonly unchosen = new Set<string>();

  constructor(of: ResultsOf) {
    this.#of = of;
    const { draws } = of.protocol;
    this.#repeats = seedsOf(of.protocol, of.description.seeds).flatMap((seed): Repeat[] =>
      draws === 1 ? [{ seed }] : Array.from({ length: draws }, (_, draw) => ({ seed, draw })),
    );
  }

  get protocol(): ExperimentProtocol {
    return this.#of.protocol;
  }

  get set(): DescribedSet | undefined {
    return this.#of.set;
  }

  /** The number of evaluations that a row has when all are finished. */
  expected(row: DescribedRow): number {
    return row.candidates.length * this.#repeatsOf(row).length;
  }

  /** Whether a row takes part in the ranking: it is judged with every seed and was pretrained without labels. */
  ranks(row: DescribedRow): boolean {
    const [first] = this.found(row);
    const learned = first && methodNamed(first.result.run.method)?.usesLabels;
    return this.#repeatsOf(row).length === this.#repeats.length && learned !== true;
  }

  /** Titles of the row’s evaluations that are not finished. */
  missing(row: DescribedRow): string[] {
    const { set, protocol, setAside } = this.#of;
    return row.candidates.flatMap(({ name, folder }) =>
      this.#repeatsOf(row).flatMap((repeat) => {
        if (this.#find(folder, repeat) !== undefined) return [];
        const what = [
          `${name}, seed ${repeat.seed}: ${set === undefined ? '' : `${set.name}, `}${protocol.name}`,
          ...(repeat.draw === undefined ? [] : [`draw ${repeat.draw}`]),
          ...(setAside ? ['set aside'] : []),
        ];
        return [what.join(', ')];
      }),
    );
  }

  /** The row’s finished evaluations. */
  found(row: DescribedRow): FinishedEvaluation[] {
    return row.candidates.flatMap(({ folder }) =>
      this.#repeatsOf(row).flatMap((repeat) => this.#find(folder, repeat)?.cell ?? []),
    );
  }

  /** The row’s measurements, one for each seed and draw that is finished. */
  measure(
    row: DescribedRow,
    source: EvaluationRow['source'],
    features: TableFeatures,
    images: string,
  ): Measurement[] {
    const { matching } = this.#of;
    const measured = this.#measured(row, source, features, images);
    return matching === undefined ? measured : measured.map((one) => matchedMeasurement(one, matching));
  }

  #measured(
    row: DescribedRow,
    source: EvaluationRow['source'],
    features: TableFeatures,
    images: string,
  ): Measurement[] {
    // Baselines of different candidates differ in nothing but their heads.
    const candidates = source === 'run' ? row.candidates : row.candidates.slice(0, 1);
    return this.#repeatsOf(row).flatMap((repeat) => {
      const cells = candidates.flatMap(({ name, folder }) => {
        const found = this.#find(folder, repeat);
        return found === undefined ? [] : [{ name, folder, ...found }];
      });
      // A choice needs all candidates.
      if (cells.length < candidates.length) return [];
      const alternatives = cells.flatMap((found) =>
        found.cell.result.rows
          .filter((one) => one.source === source && modalityKey(one.modalities) === images)
          .filter((one) => features === 'chosen' || one.features === features)
          .map((one) => ({ ...found, row: one })),
      );
      // A candidate that diverged is never chosen. That it diverged is known without test labels.
      const [valued, ...others] = alternatives.filter(({ row: one, cell }) => !diverged(one, cell));
      const [first] = alternatives;
      if (first === undefined) return [];
      if (alternatives.length === 1 || valued === undefined) return [this.#stored(first, first.row, repeat)];
      const chosen = this.#chosen([valued, ...others], repeat);
      if (chosen === undefined) this.unchosen.add(row.name);
      return chosen ?? [];
    });
  }

  #repeatsOf({ seeds: own }: DescribedRow): Repeat[] {
    return this.#repeats.filter(({ seed }) => own === undefined || own.includes(seed));
  }

  /** The measurement that the evaluation itself stored. */
  #stored({ id, cell }: FoundCell, row: EvaluationRow, { seed, draw }: Repeat): Measurement {
    const { metrics } = row;
    const predictions = this.#predicted(id, cell);
    const predicted = diverged(row, cell) ? undefined : predictions && rowOf(predictions, row.key);
    const first = metrics[cell.result.metrics[0]!]!;
    return {
      seed,
      draw,
      metrics: Object.fromEntries(Object.entries(metrics).map(([name, { pooled }]) => [name, pooled])),
      interval: { low: first.low, high: first.high },
      foldMean: first.skipped > 0 ? null : first.mean,
      predicted: predicted && {
        ids: predicted.ids,
        classes: predicted.classes,
        judged: {
          probabilities: predicted.probabilities,
          labels: predicted.labels,
          subjects: predicted.subjects,
          folds: predicted.folds,
          classes: predicted.classes.length,
          probabilistic: row.source !== 'thumbnail',
        },
      },
    };
  }

  /**
   * The measurement composed of each fold’s best alternative; undefined where a validation or predictions are
   * missing.
   */
  #chosen(found: readonly [Found, ...Found[]], repeat: Repeat): [Measurement] | undefined {
    const alternatives = found.flatMap((one): Alternative[] => {
      const validation = this.#validation(one, repeat);
      const predictions = this.#predicted(one.id, one.cell);
      if (validation === undefined || predictions === undefined) return [];
      const predicted = rowOf(predictions, one.row.key);
      return [{ candidate: one.name, features: one.row.features, validation, predictions: predicted }];
    });
    if (alternatives.length < found.length) return undefined;
    const { judged: folds } = found[0].cell.result.folds;
    const { choices, ...predicted } = compose(alternatives as [Alternative, ...Alternative[]], folds);
    const metrics = pooledMetrics(predicted.judged);
    return [{ ...repeat, metrics, foldMean: meanFoldAuc(predicted.judged), predicted, choices }];
  }

  /**
   * The inner validation of this evaluation, or else of the same encoder’s logistic regression on the same data and
   * labels.
   */
  #validation({ folder, row }: Found, { seed, draw }: Repeat): readonly (number | null)[] | undefined {
    if (row.validation !== undefined) return row.validation;
    const { root, description, set, protocol, setAside } = this.#of;
    const chooser = choosingProtocol((set ?? description).protocols, protocol);
    if (chooser === undefined) return undefined;
    const own = chooser.draws === 1 ? undefined : (draw ?? 0);
    const id = evaluationId(folder, seed, { set: set?.slug, protocol: chooser.slug, draw: own, setAside });
    const rows = this.#read(root, id)?.result.rows ?? [];
    return rows.find(({ key }) => key === row.key)?.validation;
  }

  #find(folder: string, { seed, draw }: Repeat): FoundCell | undefined {
    const { root, set, protocol, setAside } = this.#of;
    const id = evaluationId(folder, seed, { set: set?.slug, protocol: protocol.slug, draw, setAside });
    const cell = this.#read(root, id);
    return cell && { id, cell };
  }

  #read(root: string, id: string): FinishedEvaluation | undefined {
    if (!this.#cells.has(id)) {
      const cell = readCell(root, id);
      this.#cells.set(id, cell?.kind === 'evaluate' ? cell : undefined);
    }
    return this.#cells.get(id);
  }

  #predicted(id: string, { result }: FinishedEvaluation): StoredPredictions | undefined {
    if (!this.#predictions.has(id)) {
      const { root } = this.#of;
      const { cell, predictions } = experimentPaths(root);
      const remedy = `delete ${cell(id)} and the cell is run again`;
      this.#predictions.set(id, readPredictions(predictions(id), result, remedy));
    }
    return this.#predictions.get(id);
  }
}

interface Found extends FoundCell {
  readonly name: string;
  readonly folder: string;
  readonly row: EvaluationRow;
}
