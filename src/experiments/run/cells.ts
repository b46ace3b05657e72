/**
 * Lists the cells of an experiment. A cell is one pretraining or one evaluation: the unit that is run, resumed and
 * stored.
 */
import { basename, join } from 'node:path';
import type { Config, Tree } from '../../config/index.js';
import type { DatasetSpec } from '../../data/openDataset.js';
import { storable } from '../../training/runPlaces.js';
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
  /** The id names the cell's files: `cells/ID.json`, `logs/ID.log`. */
  readonly id: string;
  /** A title for people, such as `SimCLR, seed 0: logreg`. */
  readonly title: string;
  /** The ids of the cells that must finish first. */
  readonly needs: readonly string[];
  /** The folder of the run, relative to the experiment’s folder. */
  readonly run: string;
  /** All settings that decide the cell's result. */
  readonly settings: Tree;
}

export interface PretrainingCell extends CellBase {
  readonly kind: 'pretrain';
  readonly config: Config;
}

export interface EvaluationCell extends CellBase {
  readonly kind: 'evaluate' | 'pairs';
  readonly protocol: ExperimentProtocol;
  /** The slug of the further data; undefined for the data of pretraining. */
  readonly set?: string;
  readonly data: DatasetSpec;
  /** True when the row has several candidates, which inner folds choose between. */
  readonly tuned: boolean;
  /** The folder of the evaluation's files, relative to the experiment’s folder. */
  readonly results: string;
  /** The flags of the command, which stand in no file. */
  readonly flags: readonly string[];
}

export type Cell = PretrainingCell | EvaluationCell;

export interface CellOptions {
  /** The number of folds. */
  readonly k: number;
  /** True when samples are set aside, which no pretraining may see. */
  readonly setAside: boolean;
}

/**
 * Lists all cells. The order is seed by seed, so that a table of all rows exists early; within a seed row by row, and
 * within a row candidate by candidate: first its pretraining, or one for each fold, then its evaluations.
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

/** Lists the cells that judge the samples set aside, for the named rows. */
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

/** The rows that are pretrained with the seed. */
function rowsOf({ rows }: Experiment, seed: number): ExperimentRow[] {
  return rows.filter((row) => seedsOf(row, [seed]).length > 0);
}

/** All that is needed to make the cells of one pretraining. */
interface Pretraining extends CellOptions {
  readonly row: ExperimentRow;
  readonly candidate: Candidate;
  readonly seed: number;
  readonly config: Config;
  readonly root: string;
}

type PresentSet = JudgedSet & { readonly data: DatasetSpec };

/** The data of pretraining first, then all further data that is there. */
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
      // The files of a plain protocol lie where `anatomy evaluate` puts them.
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
            // The settings name whose lesions these are, not where the masks lie, since cells travel.
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

/** The arguments that this program is called with for a cell. */
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
    // The cells decide what is judged again, so an older result of the cell may be replaced.
    '--overwrite',
  ];
}

/** The settings that the cell's command reads from a file. */
export function settingsOf(cell: Cell): Tree {
  return cell.kind === 'pretrain' ? cell.config : { data: cell.data };
}
