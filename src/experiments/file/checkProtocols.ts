/** Checks that every protocol can judge the data, before anything is pretrained. */
import type { Dataset } from '../../data/sample.js';
import type { Splits } from '../../data/splits/splits.js';
import { DataError, UsageError } from '../../errors.js';
import { trainingSets } from '../../evaluation/folds/outerFolds.js';
import { labelledTask } from '../../evaluation/folds/task.js';
import { labelProtocolNamed } from '../../evaluation/protocols/registry.js';
import type { JudgedSet } from './data.js';
import { type ExperimentProtocol, judgesLabels } from './protocols.js';
import type { Experiment } from './readExperiment.js';

/** Data that is judged on, with its folds, and its name when it is not the data of pretraining. */
export interface FoldedData {
  readonly dataset: Dataset;
  readonly splits: Pick<Splits, 'k' | 'folds'>;
  readonly set?: Pick<JudgedSet, 'name' | 'protocols' | 'evaluation'>;
}

/** @throws UsageError or DataError naming the protocol, what it asks for and what the data have */
export function checkProtocols(
  { name, protocols, evaluation }: Pick<Experiment, 'name' | 'protocols' | 'evaluation'>,
  all: readonly FoldedData[],
): void {
  for (const { dataset, splits, set } of all) {
    const { seed } = (set ?? { evaluation }).evaluation;
    for (const protocol of (set?.protocols ?? protocols).filter(judgesLabels)) {
      const where = `${name}: protocol ${protocol.name}${set === undefined ? '' : ` on ${set.name}`}`;
      const fewest = fewestTrained(protocol, where, dataset, splits, seed);
      const misfit = labelProtocolNamed(protocol.protocol)?.misfit?.(protocol.settings, fewest);
      if (misfit === undefined) continue;
      const { setting, value, expected } = misfit;
      throw new UsageError(
        `${where}: ${setting} is ${value}, expected ${expected}, as so many labelled samples are left to train on in a fold of ${dataset.name}; give a smaller ${setting}, or leave the protocol out`,
      );
    }
  }
}

/** The number of labelled samples in the smallest training set of the cross-validation. */
function fewestTrained(
  { settings: { labelFraction = 1 } }: ExperimentProtocol,
  where: string,
  dataset: Dataset,
  splits: FoldedData['splits'],
  seed: number,
): number {
  try {
    const sets = trainingSets(labelledTask(dataset), splits, { seed, labelFraction });
    return Math.min(...sets.map(({ length }) => length));
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const share = labelFraction === 1 ? '' : ` (labelFraction ${labelFraction})`;
    throw new DataError(
      `${where}${share}: ${error.message} Of all protocols pairs alone does without labels.`,
    );
  }
}
