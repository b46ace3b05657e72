/** The cells of an experiment: each pretraining and each evaluation, the unit that is run, resumed and kept. */
import { basename, join } from 'node:path';
import type { Config, Tree } from '../../config/index.js';
import type { DatasetSpec } from '../../data/openDataset.js';
import { storable } from '../../training/runFolder.js';
import type { EvaluationSettings, JudgedSet } from '../file/data.js';
import {
  type ExperimentProtocol,
  flagsOf,
  judgesLabels,
  seedsOf,
  storedProtocol,
} from '../file/protocols.js';
import type { Experiment } from '../file/readExperiment.js';
import type { Candidate, ExperimentRow } from '../file/rows.js';
import { type EvaluationName, evaluationId, experimentPaths, pretrainingId } from '../stored/folder.js';

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
  readonly kind: 'evaluate' | 'pairs';
  readonly protocol: ExperimentProtocol;
  readonly set?: string;
  readonly data: DatasetSpec;
  /** Chosen between by what its inner folds say. */
  readonly tuned: boolean;
  /** Where its files go, seen from the experiment’s folder. */
  readonly results: string;
  /** Flags of the command that stand in no file. */
  readonly flags: readonly string[];
}

export type Cell = PretrainingCell | EvaluationCell;

export interface CellOptions {
  /** Number of folds. */
  readonly k: number;
  /** Whether samples are set aside, which no pretraining may see. */
  readonly setAside: boolean;
}

/**
 * Seed by seed, so that a table of all rows is there early; in each row by row, candidate by candidate: the pretraining, one or one
 * a fold, then the evaluations of it.
 */
export function cellsOf(experiment: Experiment, root: string, options: CellOptions): Cell[] {
  return experiment.seeds.flatMap((seed, i) =>
    rowsOf(experiment, seed).flatMap((row) =>
      row.candidates.flatMap((candidate) => {
        const one: Pretraining = { row, candidate, seed, config: candidate.configs[i]!, root, ...options };
        const pretrainings = pretrainingsOf(one);
        const needs = pretrainings.map(({ id }) => id);
        return [...pretrainings, ...judgedIn(experiment).flatMap((set) => evaluationsOf(one, set, needs))];
      }),
    ),
  );
}

/** The cells that judge the samples set aside, of the rows by these names. */
export function setAsideCells(
  experiment: Experiment,
  root: string,
  options: CellOptions,
  { rows, protocols }: { rows: readonly string[]; protocols: readonly ExperimentProtocol[] },
): EvaluationCell[] {
  const own = { ...judgedIn(experiment)[0]!, protocols };
  return experiment.seeds.flatMap((seed, i) =>
    rowsOf(experiment, seed)
      .filter(({ name }) => rows.includes(name))
      .flatMap((row) =>
        row.candidates.flatMap((candidate) => {
          const one: Pretraining = { row, candidate, seed, config: candidate.configs[i]!, root, ...options };
          const needs = pretrainingsOf(one).map(({ id }) => id);
          return evaluationsOf(one, own, needs, true);
        }),
      ),
  );
}

/** Those that are pretrained with a seed. */
function rowsOf({ rows }: Experiment, seed: number): ExperimentRow[] {
  return rows.filter((row) => seedsOf(row, [seed]).length > 0);
}

interface Pretraining extends CellOptions {
  readonly row: ExperimentRow;
  readonly candidate: Candidate;
  readonly seed: number;
  readonly config: Config;
  readonly root: string;
}

type PresentSet = JudgedSet & { readonly data: DatasetSpec };

/** The data of pretraining, then further data that is there. */
function judgedIn({ name, data, masks, protocols, evaluation, judge }: Experiment): PresentSet[] {
  const present = judge.filter((set): set is PresentSet => set.data !== undefined);
  return [{ name, data, masks, protocols, evaluation }, ...present];
}

function pretrainingsOf({ row, candidate, seed, config, root, k, setAside }: Pretraining): PretrainingCell[] {
  const own = runOf(row, candidate, seed);
  const make = (fold: number | 'none'): PretrainingCell => {
    const number = fold === 'none' ? undefined : fold;
    const run = number === undefined ? own : `${own}/fold-${number}`;
    const inside = inFold(config, fold, root, setAside);
    return {
      kind: 'pretrain',
      id: pretrainingId(candidate.folder, seed, number),
      title: `${candidate.name}, seed ${seed}: pretrain${number === undefined ? '' : ` fold ${number}`}`,
      needs: [],
      run,
      settings: storable(inside, join(root, run)),
      config: inside,
    };
  };
  return row.fold === 'none' ? [make('none')] : Array.from({ length: k }, (_, fold) => make(fold));
}

function evaluationsOf(
  { row, candidate, seed, config, root, setAside: withSplits }: Pretraining,
  { name, slug: set, data, masks, protocols, evaluation }: PresentSet,
  needs: readonly string[],
  setAside = false,
): EvaluationCell[] {
  const run = runOf(row, candidate, seed);
  const pretraining = storable(inFold(config, row.fold, root, withSplits), join(root, run));
  const judging = protocols.filter((protocol) => seedsOf(protocol, [seed]).length > 0);
  return judging.flatMap((protocol) =>
    Array.from({ length: protocol.draws }, (_, i): EvaluationCell => {
      const draw = protocol.draws > 1 ? i : undefined;
      const called: EvaluationName = { set, protocol: protocol.slug, draw, setAside };
      const id = evaluationId(candidate.folder, seed, called);
      const lesions = judgesLabels(protocol) ? undefined : masks;
      const own: EvaluationSettings = { ...evaluation, seed: evaluation.seed + i };
      const what = id.slice(id.lastIndexOf('/') + 1);
      // A plain protocol's files lie where `anatomy evaluate` puts them.
      const plain = what === protocol.protocol && set === undefined;
      return {
        kind: protocol.protocol === 'pairs' ? 'pairs' : 'evaluate',
        id,
        title: [
          `${candidate.name}, seed ${seed}: ${set === undefined ? '' : `${name}, `}${protocol.name}`,
          ...(draw === undefined ? [] : [`draw ${draw}`]),
          ...(setAside ? ['set aside'] : []),
        ].join(', '),
        needs,
        run,
        settings: {
          pretraining,
          evaluation: {
            ...storedProtocol(protocol),
            ...own,
            ...(set === undefined ? {} : { data }),
            ...(setAside ? { setAside } : {}),
            // Whose lesions, not where they lie: cells travel.
            ...(lesions === undefined ? {} : { masks: basename(lesions) }),
          },
        },
        protocol,
        set,
        data,
        tuned: row.candidates.length > 1,
        results: `${run}/evaluation${plain ? '' : `/${set === undefined ? '' : `${set}-`}${what}`}`,
        flags: [
          ...flagsOf(protocol),
          ...['--seed', `${own.seed}`, '--replicates', `${own.replicates}`],
          ...(setAside ? ['--set-aside'] : []),
          ...(lesions === undefined ? [] : ['--masks', lesions]),
        ],
      };
    }),
  );
}

function runOf({ fold }: ExperimentRow, { folder }: Candidate, seed: number): string {
  return `runs/${folder}/seed-${seed}${fold === 'all' ? '-folds' : ''}`;
}

function inFold(config: Config, fold: Config['data']['fold'], root: string, setAside: boolean): Config {
  const splits = fold === 'none' && !setAside ? null : experimentPaths(root).splits();
  return { ...config, data: { ...config.data, fold, splits } };
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
    ...['evaluate', cell.protocol.protocol, '--run', run, '--data-config', paths.config(cell.id)],
    ...['--splits', paths.splits(cell.set), ...cell.flags, '--out', join(root, cell.results), '--json'],
  ];
}

/** The settings that a cell's command reads from a file. */
export function settingsOf(cell: Cell): Tree {
  return cell.kind === 'pretrain' ? cell.config : { data: cell.data };
}
