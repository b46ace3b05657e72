/** Tells how far each cell of an experiment is, from the files in its folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { configDifferences, readConfig, type Tree } from '../../config/index.js';
import { runPaths } from '../../training/runFolder.js';
import { validates } from '../file/protocols.js';
import type { FinishedEvaluation } from '../stored/cell.js';
import { placeless, readCell } from '../stored/folder.js';
import type { Cell, EvaluationCell, PretrainingCell } from './cells.js';

export interface CellState {
  /**
   * `unfinished` is a pretraining with a run to resume. `changed` means that the folder has results of other settings.
   */
  readonly state: 'done' | 'unfinished' | 'to do' | 'changed';
  /** The settings in which a changed cell differs, each as `key: before → after`. */
  readonly differences: readonly string[];
  /** The reason why a cell that has finished once must be run again. */
  readonly again?: string;
}

/**
 * Finds the state of each cell, by id. A finished pretraining whose run did not travel with its cell is done again only
 * when an unfinished evaluation needs its encoder.
 */
export function statesOf(cells: readonly Cell[], root: string): ReadonlyMap<string, CellState> {
  const alone = new Map(cells.map((cell) => [cell.id, stateOf(cell, root)]));
  const wanted = cells.filter(({ kind, id }) => kind !== 'pretrain' && alone.get(id)!.state !== 'done');
  return new Map(
    cells.map((cell) => {
      const own = alone.get(cell.id)!;
      if (cell.kind !== 'pretrain' || own.state !== 'done' || hasEncoder(cell, root)) return [cell.id, own];
      const waiting = wanted.filter(({ needs }) => needs.includes(cell.id)).length;
      if (waiting === 0) return [cell.id, own];
      const again = `its encoder is not here (${cell.run}), and ${waiting} evaluation${waiting === 1 ? ' needs' : 's need'} it`;
      return [cell.id, { state: 'to do', differences: [], again }];
    }),
  );
}

/** Whether another process has finished a cell that was unfinished before: its result is there, and its encoder. */
export function isDoneMeanwhile(cell: Cell, root: string): boolean {
  return stateOf(cell, root).state === 'done' && (cell.kind !== 'pretrain' || hasEncoder(cell, root));
}

function hasEncoder({ run }: PretrainingCell, root: string): boolean {
  return existsSync(runPaths(join(root, run)).encoder);
}

function stateOf(cell: Cell, root: string): CellState {
  const stored = readCell(root, cell.id);
  if (stored !== undefined) {
    const state = compared(stored.settings, cell.settings, 'done');
    if (state.state === 'done' && cell.kind === 'evaluate' && lacksValidation(cell, stored)) {
      const again = 'a tuned row is chosen by the inner folds, of which an older version kept nothing';
      return { state: 'to do', differences: [], again };
    }
    return state;
  }
  const { config } = runPaths(join(root, cell.run));
  if (cell.kind !== 'pretrain' || !existsSync(config)) return { state: 'to do', differences: [] };
  return compared(readConfig(config), cell.settings, 'unfinished');
}

/**
 * True when candidates are chosen by inner folds, but the stored result has no values from them: an older version did
 * not keep how well each strength of `logreg` did inside the training patients.
 */
function lacksValidation({ tuned, protocol }: EvaluationCell, stored: object): boolean {
  if (!tuned || !validates(protocol)) return false;
  return !(stored as FinishedEvaluation).result.rows.some(({ validation }) => validation !== undefined);
}

function compared(before: Tree, now: Tree, state: 'done' | 'unfinished'): CellState {
  const differences = configDifferences(placeless(before), placeless(now));
  return { state: differences.length === 0 ? state : 'changed', differences };
}
