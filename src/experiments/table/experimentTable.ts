/**
 * The room `experiments/table` computes an experiment's table from its finished cells: values, intervals, comparisons
 * and notes. This file makes the whole table.
 */

import { configDifferences, type Tree } from '../../config/index.js';
import { UsageError } from '../../errors.js';
import { labelProtocolNamed } from '../../evaluation/protocols/registry.js';
import type { BootstrapOptions } from '../../metrics/bootstrap.js';
import type { ComparisonFamily } from '../file/fileSchema.js';
import { type PaperGroup, paperBlock, pretrainedOn } from '../file/paperNumbers.js';
import {
  type ExperimentProtocol,
  familyProtocol,
  judgesLabels,
  kindsOf,
  seedsOf,
} from '../file/protocols.js';
import { type ConfirmationRecord, readConfirmation } from '../stored/confirmation.js';
import type { DescribedSet, ExperimentDescription } from '../stored/description.js';
import { placeless, pretrainingId, readCell, readDescription } from '../stored/folder.js';
import type { ResampledOf } from './entries.js';
import { factsOf, notesOf, type RowFound } from './facts.js';
import { type FamilyPart, familyOf } from './family.js';
import { countsOf, covariateAlone, MATCHED_AUC, type Matching, resampledMatched } from './matching.js';
import type { ExperimentTable, TablePart } from './model.js';
import { pairsOf } from './pairs.js';
import { Part } from './part.js';
import { Results } from './results.js';

export interface TableOptions {
  /** Whether the table is of the samples that are set aside, and of nothing else. */
  readonly confirm?: boolean;
  /**
   * Puts the AUC among samples that are alike in a column in place of the AUC, for the data that the encoders were
   * pretrained on.
   */
  readonly matching?: Matching;
}

/** @throws UsageError where there is no experiment, DataError when a cell is damaged */
export function experimentTable(
  root: string,
  { confirm = false, matching }: TableOptions = {},
): ExperimentTable {
  const told = readDescription(root);
  if (confirm) return setAsideTable(root, told, matching);
  if (matching === undefined) return tableOf(root, told, told.compare, false);
  const table = tableOf(root, { ...told, judge: [] }, told.compare, false, matching);
  if (told.judge.length === 0) return table;
  const others = told.judge.map(({ name }) => name).join(', ');
  const note = `Not matched, and so not shown here: ${others}. --matched is of ${told.data.name} alone, which is pretrained on; see the table without it.`;
  return { ...table, notes: [...table.notes, note] };
}

/**
 * The table of the samples that are set aside. It has only the rows that are compared on them, judged by one
 * protocol.
 */
function setAsideTable(root: string, told: ExperimentDescription, matching?: Matching): ExperimentTable {
  const { setAside: family } = told;
  const confirmation = readConfirmation(root);
  if (family === undefined) {
    throw new UsageError(
      `${root}: the experiment file says nothing of setAside, so there is nothing to confirm`,
    );
  }
  if (confirmation === undefined) {
    throw new UsageError(
      `${root}: what is set aside has not been judged; anatomy experiment run … --confirm judges it, once`,
    );
  }
  const { against } = confirmation.looks.at(-1)!;
  const rows = told.rows.filter(({ name }) => [family.reference, ...against].includes(name));
  const protocols = [familyProtocol(told, family)];
  const table = tableOf(
    root,
    { ...told, rows, protocols, judge: [] },
    { ...family, against: [...against] },
    true,
    matching,
  );
  return { ...table, confirmation: { ...confirmation, outdated: outdated(root, confirmation) } };
}

/**
 * Encoders that were pretrained anew with other settings after the last look, so that its values are not of the
 * encoders here now.
 */
function outdated(root: string, { looks }: ConfirmationRecord): string[] {
  return Object.entries(looks.at(-1)!.settings).flatMap(([id, { pretraining }]) => {
    const own = id.slice(0, id.lastIndexOf('/'));
    const now = readCell(root, `${own}/pretrain`);
    if (now === undefined || pretraining === undefined) return [];
    const differences = configDifferences(placeless(pretraining as Tree), placeless(now.settings));
    return differences.map((difference) => `${own}: ${difference}`);
  });
}

/**
 * The row with the highest value in the development table, the reference left out.
 *
 * @param names the rows to choose from
 * @throws UsageError when there is none
 */
export function bestRow(root: string, family: ComparisonFamily, names: readonly string[]): string {
  const all = readDescription(root);
  const told = { ...all, rows: all.rows.filter(({ name }) => names.includes(name)) };
  const against = ['best'];
  const found = tableOf(root, told, { ...family, against }, false).family?.comparisons[0];
  if (found !== undefined) return found.against;
  throw new UsageError(`${root}: no row but ${family.reference} has a value, so none of them is the best`);
}

function tableOf(
  root: string,
  told: ExperimentDescription,
  family: ComparisonFamily | undefined,
  setAside: boolean,
  matching?: Matching,
): ExperimentTable {
  const { rows, folds: _, compare: __, setAside: ___, ...description } = told;
  const all = [undefined, ...told.judge].flatMap((set) => {
    const own = (set ?? told).protocols
      .filter(judgesLabels)
      .map((protocol) => new Results({ root, description: told, set, protocol, setAside, matching }));
    // Data that are absent here have no missing evaluations, but may have been judged on another machine.
    const judged = own.some((results) => rows.some((row) => results.found(row).length > 0));
    return set?.absent === undefined || judged ? own : [];
  });
  const found = rows.map((row): RowFound => {
    const judged = all.filter(({ set }) => set === undefined).flatMap((results) => results.found(row));
    return {
      row,
      judged,
      all: all.flatMap((results) => results.found(row)),
      steps: stepsOf(root, told, row),
    };
  });
  const first = found.flatMap(({ judged }) => judged)[0]?.result;
  const bootstrap = first?.bootstrap;
  const metric = matching === undefined ? (first?.metrics[0] ?? 'auc') : MATCHED_AUC;
  const resampled: ResampledOf | undefined =
    matching && ((predicted) => resampledMatched(predicted, matching));
  const parts = all.flatMap((results) =>
    featuresOf(told, results.protocol, family).map((features) => {
      const stored = rows.flatMap((row) => results.found(row))[0]?.result.metrics[0];
      const part = new Part({
        ...{ rows, results, features, bootstrap: { ...bootstrap }, resampled },
        metric: matching === undefined ? (stored ?? metric) : metric,
        // The paper has no matched AUC.
        paper: matching === undefined ? paperOf(told, results.set, results.protocol) : undefined,
      });
      return { results, features, part };
    }),
  );
  const tables = parts.map(({ part }) => part.table());
  const compared =
    family &&
    familyOf(
      family,
      familyProtocol(told, family).name,
      rows,
      parts.filter(({ results }) => results.set === undefined),
    );
  const pairs = pairsOf(root, told);
  const missing = [
    ...all.flatMap((results) => rows.flatMap((row) => results.missing(row))),
    ...(setAside ? [] : pairs.missing),
  ];
  return {
    ...description,
    metric: first && metric,
    matching: matching && matchingOf(matching, parts, rows, bootstrap),
    bootstrap,
    folds: first?.folds.k,
    facts: factsOf(found),
    parts: tables,
    family: compared,
    pairs: setAside ? [] : pairs.found,
    missing,
    expected:
      all.reduce((sum, results) => sum + rows.reduce((of, row) => of + results.expected(row), 0), 0) +
      (setAside ? 0 : pairs.found.length + pairs.missing.length),
    notes: [...fewerSeeds(told), ...unchosenNotes(all), ...notesOf(found, tables)],
    paperNotes: paperNotesOf(told, all, tables),
  };
}

/**
 * What the samples were matched by, and the AUC of that alone, in the folds of the first row whose predictions are
 * here.
 */
function matchingOf(
  matching: Matching,
  parts: readonly FamilyPart[],
  rows: ExperimentDescription['rows'],
  bootstrap: BootstrapOptions = {},
): ExperimentTable['matching'] {
  const { column, within, values } = matching;
  const measured = parts.flatMap(({ part }) =>
    rows.flatMap((row) => part.images.flatMap((images) => part.entry(row, 'run', images).measurements)),
  );
  const predicted = measured.find((one) => one.predicted !== undefined)?.predicted;
  const alone = predicted && covariateAlone(predicted, matching, bootstrap);
  const compared = predicted && countsOf(predicted, matching);
  return { column, within, samples: values.size, alone, compared };
}

function stepsOf(root: string, { seeds }: ExperimentDescription, row: RowFound['row']): number[] {
  return row.candidates.flatMap(({ folder }) =>
    seeds.flatMap((seed) => {
      // All folds are trained with as many steps, so the first one stands for them.
      const cell =
        readCell(root, pretrainingId(folder, seed)) ?? readCell(root, pretrainingId(folder, seed, 0));
      return cell?.kind === 'pretrain' ? [cell.steps] : [];
    }),
  );
}

/** The kinds of features of a protocol’s parts; the chosen ones come first where rows are tuned. */
function featuresOf(
  { rows, compare, setAside }: ExperimentDescription,
  protocol: ExperimentProtocol,
  family: ComparisonFamily | undefined,
): TablePart['features'][] {
  const kinds = kindsOf(protocol);
  if (kinds.length === 1) return [...kinds];
  const chosen =
    rows.some(({ candidates }) => candidates.length > 1) ||
    [compare, setAside, family].some((one) => one?.features === 'chosen');
  return chosen ? ['chosen', ...kinds] : [...kinds];
}

/** The group of the paper’s numbers that a part stands beside; undefined where the paper has none. */
function paperOf(
  { data }: ExperimentDescription,
  set: DescribedSet | undefined,
  { protocol, settings: { labelFraction = 1 } }: ExperimentProtocol,
): Omit<PaperGroup, 'table'> | undefined {
  const kind = labelProtocolNamed(protocol)?.paper;
  // The paper has no numbers for few labels.
  if (kind === undefined || labelFraction < 1 || (set !== undefined && set.paper === undefined))
    return undefined;
  // The paper transfers breast encoders to BUSI, and fundus encoders to iChallenge-PM.
  const pretrained =
    set?.paper === undefined ? pretrainedOn(data.name) : set.paper === 'BUSI' ? 'US-SWE' : 'Fundus-FFA';
  return { pretrained, transfer: set?.paper, protocol: kind };
}

function paperNotesOf(
  told: ExperimentDescription,
  all: readonly Results[],
  tables: readonly TablePart[],
): string[] {
  const shown = new Set(tables.flatMap(({ rows }) => rows.flatMap(({ paper }) => paper?.table ?? [])));
  const notes = all.flatMap(({ set, protocol }) => {
    const group = paperOf(told, set, protocol);
    if (group === undefined) return [];
    return [...shown].flatMap((table) => paperBlock({ ...group, table })?.notes ?? []);
  });
  return [...new Set(notes)];
}

function fewerSeeds({ rows, seeds }: ExperimentDescription): string[] {
  const fewer = new Map<string, string[]>();
  for (const row of rows) {
    const own = seedsOf(row, seeds);
    if (own.length === seeds.length) continue;
    const key = `${own.length === 1 ? 'seed' : 'seeds'} ${own.join(', ')}`;
    fewer.set(key, [...(fewer.get(key) ?? []), row.name]);
  }
  return [...fewer].map(([key, names]) => `Of ${key} only: ${names.join(', ')}.`);
}

function unchosenNotes(all: readonly Results[]): string[] {
  return all.flatMap(({ unchosen, protocol, set }) => {
    if (unchosen.size === 0) return [];
    const where = set === undefined ? protocol.name : `${set.name}, ${protocol.name}`;
    return [
      `${where}: nothing could be chosen for ${[...unchosen].join(', ')}, as the inner cross-validation of logreg on the same data, or predictions, are not here (older versions kept none); anatomy experiment run makes them anew where the encoders are.`,
    ];
  });
}
