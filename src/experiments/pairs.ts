/** What `anatomy evaluate pairs` found of the rows, from the finished cells. */
import { type NamedPairs, pairsRecord } from '../report/pairsRecord.js';
import type { ExperimentDescription } from './description.js';
import { evaluationId, experimentPaths, readCell } from './folder.js';
import { judgesLabels, seedsOf } from './protocols.js';
import type { ExperimentTable, PairsFound } from './tableTypes.js';

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
      for (const row of told.rows.flatMap(({ candidates }) => candidates)) {
        for (const seed of seedsOf(protocol, told.seeds)) {
          const id = evaluationId(row.folder, seed, { set: set?.slug, protocol: slug });
          const cell = readCell(root, id);
          if (cell?.kind === 'pairs') {
            const record = pairsRecord(JSON.stringify(cell.result), experimentPaths(root).cell(id));
            found.push({ row: row.name, seed, set: set?.name, record });
          } else
            missing.push(`${row.name}, seed ${seed}: ${set === undefined ? '' : `${set.name}, `}${name}`);
        }
      }
    }
  }
  return { found, missing };
}

/** By data, each under the name of its row, with its seed where there are several. */
export function namedPairs({ pairs, seeds }: Pick<ExperimentTable, 'pairs' | 'seeds'>) {
  const bySet = new Map<string | undefined, NamedPairs[]>();
  for (const { row, seed, set, record } of pairs) {
    const name = seeds.length > 1 ? `${row}, seed ${seed}` : row;
    bySet.set(set, [...(bySet.get(set) ?? []), { name, record }]);
  }
  return [...bySet].map(([set, results]) => ({ set, results }));
}
