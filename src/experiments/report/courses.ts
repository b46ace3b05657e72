/** The loss curves of an experiment's pretrainings. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonLines } from '../../log/jsonLines.js';
import type { Course } from '../../report/study/figures.js';
import { runPaths } from '../../training/runFolder.js';
import type { ExperimentDescription } from '../stored/description.js';
import { experimentPaths, pretrainingId, readCell } from '../stored/folder.js';

/**
 * Reads one pretraining of each row: its first seed, the first candidate of a tuned row, the first of several folds.
 * Rows without any are left out.
 */
export function runCourses(root: string, { rows, seeds }: ExperimentDescription): Course[] {
  return rows.flatMap(({ name, candidates }) => {
    const folder = candidates[0]?.folder;
    if (folder === undefined) return [];
    const ids = seeds.flatMap((seed) => [pretrainingId(folder, seed), pretrainingId(folder, seed, 0)]);
    for (const id of ids) {
      const cell = readCell(root, id);
      if (cell?.kind !== 'pretrain') continue;
      const file = [experimentPaths(root).curves(id), runPaths(join(root, cell.run)).metrics].find(
        existsSync,
      );
      if (file !== undefined) return [{ name, lines: readJsonLines(file) }];
    }
    return [];
  });
}
