/** Reads the results of `anatomy evaluate pairs` for all rows from the finished cells. */
import type { NamedPairs } from '../../evaluation/results/pairsResult.js';
import { judgesLabels, seedsOf } from '../file/protocols.js';
import type { ExperimentDescription } from '../stored/description.js';
import { evaluationId, readCell } from '../stored/folder.js';
import type { ExperimentTable, PairsFound } from './model.js';

export interface FoundPairs {
  readonly found: readonly PairsFound[];
  readonly missing: readonly string[];
}

/** @throws DataError when a cell is damaged */
export function pairsOf(root: string, told: ExperimentDescription): FoundPairs {
  const found: PairsFound[] = [];
  const missing: string[] = [];
  for (const set of [undefined, ...told.judge.filter(({ absent }) => absent === undefined)]) {
    for (const protocol of (set ?? told).protocols) {
      if (judgesLabels(protocol)) continue;
      const { slug, name } = protocol;
      for (const [of, row] of told.rows.flatMap((own) =>
        own.candidates.map((candidate) => [own, candidate] as const),
      )) {
        for (const seed of seedsOf(of, seedsOf(protocol, told.seeds))) {
          const id = evaluationId(row.folder, seed, { set: set?.slug, protocol: slug });
          const cell = readCell(root, id);
          if (cell?.kind === 'pairs') {
            found.push({ row: row.name, of: of.name, seed, set: set?.name, record: cell.result });
          } else
            missing.push(`${row.name}, seed ${seed}: ${set === undefined ? '' : `${set.name}, `}${name}`);
        }
      }
    }
  }
  return { found, missing };
}

/**
 * Groups the results by data set, each under the name of its row, and its seed where there are several. A tuned row is
 * shown by the candidate that most folds chose, or by all while nothing is chosen.
 */
export function namedPairs({ pairs, parts }: Pick<ExperimentTable, 'pairs' | 'parts'>) {
  const chosen = mostChosen(parts);
  const shown = pairs.filter(({ row, of }) => (chosen.get(of) ?? row) === row);
  const several = new Set(shown.map(({ seed }) => seed)).size > 1;
  const bySet = new Map<string | undefined, NamedPairs[]>();
  for (const { row, seed, set, record } of shown) {
    const name = several ? `${row}, seed ${seed}` : row;
    bySet.set(set, [...(bySet.get(set) ?? []), { name, record }]);
  }
  return [...bySet].map(([set, results]) => ({ set, results }));
}

/**
 * Finds the candidate that was chosen most often, for each tuned row: over all seeds of the first protocol, on all
 * modalities.
 */
function mostChosen(parts: ExperimentTable['parts']): Map<string, string> {
  const part = parts.find(({ set, features }) => set === undefined && features === 'chosen');
  const images = part?.images.at(-1);
  const named = (part?.rows ?? []).flatMap(({ name, choices }) => {
    const counts = new Map<string, number>();
    for (const { candidate } of Object.values(choices?.[images ?? ''] ?? {}).flat()) {
      counts.set(candidate, (counts.get(candidate) ?? 0) + 1);
    }
    const [most] = [...counts].sort(([, one], [, other]) => other - one);
    return most === undefined ? [] : [[name, most[0]] as const];
  });
  return new Map(named);
}
