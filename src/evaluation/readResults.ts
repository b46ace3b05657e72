/** Reads the results that evaluations left in a run. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { labelProtocols } from './protocols/registry.js';
import { type EvaluationResult, parseEvaluation } from './results/evaluationResult.js';
import { isPairsFile, type PairsResult, parsePairs } from './results/pairsResult.js';
import { readPredictions, type StoredPredictions } from './results/predictions.js';

/** An evaluation that is stored in a folder. */
export interface StoredEvaluation {
  readonly record: EvaluationResult;
  /** The name of its file without `.json`: `logreg`, `linear-moco`. */
  readonly name: string;
  /** The test predictions; undefined when their file is not there. */
  readonly predictions?: StoredPredictions;
}

/** Reads all evaluations of a run that judge by labels. @throws DataError naming the file that is not one */
export function readEvaluations(root: string): StoredEvaluation[] {
  const folder = join(root, 'evaluation');
  if (!existsSync(folder)) return [];
  // The order is that of the registry, the primary probe first.
  const rank = ({ record }: StoredEvaluation) => {
    const known = labelProtocols.findIndex(({ name }) => name === record.protocol);
    return known < 0 ? labelProtocols.length : known;
  };
  return (
    readdirSync(folder)
      .filter((name) => name.endsWith('.json') && !isPairsFile(name))
      .map((file) => basename(file, '.json'))
      // `logreg` comes before `logreg-a`, which is of some images only.
      .sort()
      .map((name) => {
        const path = join(folder, `${name}.json`);
        const record = parseEvaluation(readFileSync(path, 'utf8'), path);
        const predictions = readPredictions(join(folder, `${name}-predictions.csv`), record);
        return { record, name, predictions };
      })
      .sort((a, b) => rank(a) - rank(b))
  );
}

/**
 * Reads the results on pairs of a run, a result for each two modalities: of the pairs that may be looked at, or of those
 * set aside. Those of the first two modalities come first.
 * @throws DataError when a file is damaged
 */
export function readPairs(root: string, which: 'open' | 'set-aside' = 'open'): PairsResult[] {
  const folder = join(root, 'evaluation');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(isPairsFile)
    .sort((one, other) => one.length - other.length || (one < other ? -1 : 1))
    .map((name) => join(folder, name))
    .map((file) => parsePairs(readFileSync(file, 'utf8'), file))
    .filter(({ data }) => (data.chosen === 'set-aside') === (which === 'set-aside'));
}
