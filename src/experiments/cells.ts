/** The cells of an experiment: each pretraining and each evaluation, the unit that is run, resumed and kept. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, configDifferences, readConfig, type Tree } from '../config/index.js';
import type { DatasetSpec } from '../data/dataset.js';
import { runPaths, storable } from '../training/runFolder.js';
import type { Experiment, ExperimentProtocol, ExperimentRow } from './experimentFile.js';
import { evaluationId, experimentPaths, pretrainingId, readCell } from './folder.js';

interface CellBase {
  /** Names its files: `cells/ID.json`, `logs/ID.log`. */
  readonly id: string;
  /** For people: `SimCLR, seed 0: logreg`. */
  readonly title: string;
  /** Cells that must be finished first, by id. */
  readonly needs: readonly string[];
  /** Folder of the run, seen from the experiment’s. */
  readonly run: string;
  readonly settings: Tree;
}

export interface PretrainingCell extends CellBase {
  readonly kind: 'pretrain';
  readonly config: Config;
}

export interface EvaluationCell extends CellBase {
  readonly kind: 'evaluate';
  readonly protocol: ExperimentProtocol;
  readonly data: DatasetSpec;
  readonly seed: number;
  readonly replicates: number;
}

export type Cell = PretrainingCell | EvaluationCell;

/**
 * Row by row, seed by seed: the pretraining, one or one a fold, then the probes of it.
 * @param k number of folds
 */
export function cellsOf(experiment: Experiment, root: string, k: number): Cell[] {
  return experiment.rows.flatMap((row) =>
    experiment.seeds.flatMap((seed, i) => {
      const pretrainings = pretrainingsOf(row, seed, row.configs[i]!, root, k);
      const needs = pretrainings.map(({ id }) => id);
      const run = runOf(row, seed);
      const { protocols, evaluation, data } = experiment;
      const pretraining = storable(inFold(row.configs[i]!, row.fold, root), join(root, run));
      const evaluations = protocols.map(
        (protocol): EvaluationCell => ({
          kind: 'evaluate',
          id: evaluationId(row.folder, seed, protocol),
          title: `${row.name}, seed ${seed}: ${protocol}`,
          needs,
          run,
          settings: { pretraining, evaluation: { protocol, ...evaluation } },
          protocol,
          data,
          seed: evaluation.seed,
          replicates: evaluation.replicates,
        }),
      );
      return [...pretrainings, ...evaluations];
    }),
  );
}

function pretrainingsOf(
  row: ExperimentRow,
  seed: number,
  config: Config,
  root: string,
  k: number,
): PretrainingCell[] {
  const make = (fold: number | 'none'): PretrainingCell => {
    const number = fold === 'none' ? undefined : fold;
    const run = number === undefined ? runOf(row, seed) : `${runOf(row, seed)}/fold-${number}`;
    const own = inFold(config, fold, root);
    return {
      kind: 'pretrain',
      id: pretrainingId(row.folder, seed, number),
      title: `${row.name}, seed ${seed}: pretrain${number === undefined ? '' : ` fold ${number}`}`,
      needs: [],
      run,
      settings: storable(own, join(root, run)),
      config: own,
    };
  };
  return row.fold === 'none' ? [make('none')] : Array.from({ length: k }, (_, fold) => make(fold));
}

function runOf({ folder, fold }: ExperimentRow, seed: number): string {
  return `runs/${folder}/seed-${seed}${fold === 'all' ? '-folds' : ''}`;
}

function inFold(config: Config, fold: Config['data']['fold'], root: string): Config {
  const splits = fold === 'none' ? null : experimentPaths(root).splits;
  return { ...config, data: { ...config.data, fold, splits } };
}

export interface CellState {
  /** `changed`: there are results of other settings. */
  readonly state: 'done' | 'unfinished' | 'to do' | 'changed';
  /** Of a changed cell, as `key: before → after`. */
  readonly differences: readonly string[];
}

/** Where a cell stands, by what is in the folder. */
export function stateOf(cell: Cell, root: string): CellState {
  const stored = readCell(root, cell.id);
  if (stored !== undefined) return compared(stored.settings, cell.settings, 'done');
  const { config } = runPaths(join(root, cell.run));
  if (cell.kind === 'evaluate' || !existsSync(config)) return { state: 'to do', differences: [] };
  return compared(readConfig(config), cell.settings, 'unfinished');
}

function compared(before: Tree, now: Tree, state: 'done' | 'unfinished'): CellState {
  const differences = configDifferences(before, now);
  return { state: differences.length === 0 ? state : 'changed', differences };
}

/** What the program is told to do for a cell. */
export function commandOf(cell: Cell, root: string, overwrite: boolean): string[] {
  const paths = experimentPaths(root);
  const run = join(root, cell.run);
  if (cell.kind === 'pretrain') {
    const words = ['pretrain', '--config', paths.config(cell.id), '--out', run, '--json'];
    return overwrite ? [...words, '--overwrite'] : words;
  }
  return [
    ...['evaluate', cell.protocol, '--run', run, '--data-config', paths.config(cell.id)],
    ...['--splits', paths.splits, '--seed', `${cell.seed}`, '--replicates', `${cell.replicates}`, '--json'],
  ];
}

/** The settings that a cell's command reads from a file. */
export function settingsOf(cell: Cell): Tree {
  return cell.kind === 'pretrain' ? cell.config : { data: cell.data };
}
