/** The sentences around a table: what was run, how to read the numbers, and what is missing. */
import { fewWarning, intervalName } from '../../evaluation/results/fewSubjects.js';
import { exposureName, featuresName, imagesName, protocolName } from '../../evaluation/results/names.js';
import type { BootstrapInterval } from '../../metrics/bootstrap.js';
import { counted, fixed, numbered } from '../../text/numbers.js';
import { cellWords } from '../../text/table/cellWords.js';
import { MISSING } from '../../text/table/model.js';
import type { ExperimentTable, Fact, TablePart, TableRow } from '../table/model.js';
import { paperTable, seedsName } from './tables.js';

const DETECTABLE =
  'Detectable: a true difference of that size is found four times of five by one test without correction; a smaller one may be found, or not.';

/** How a format writes the marks of the best and second best values. */
export interface MarkNames {
  readonly best: string;
  readonly second: string;
}

/** Sentences before the tables: what was run, and how to read the numbers. */
export function aboutLines(table: ExperimentTable, marks: MarkNames): string[] {
  const shown = table.parts.some((part) => detectable(part) !== '');
  return [
    ...smokeLines(table),
    ...familyWarning(table),
    ...confirmationLines(table),
    ...ranLines(table),
    ...matchedLines(table),
    [bracketLine(table), markLine(table, marks), ...(shown ? [DETECTABLE] : [])]
      .filter((line) => line !== '')
      .join(' '),
  ];
}

export function smokeLines({ smoke }: ExperimentTable): string[] {
  return smoke ? ['**A smoke run: far too small to mean anything.**'] : [];
}

/** Warns where the planned comparisons are of too few subjects. */
export function familyWarning({ family }: ExperimentTable): string[] {
  return family?.few === undefined ? [] : [fewWarning(family.few)];
}

/** Explains the matched AUC where the table has it. */
export function matchedLines({ matching, data }: ExperimentTable): string[] {
  if (matching === undefined) return [];
  const { column, within, samples, alone } = matching;
  const known =
    samples === data.pairs ? '' : ` ${counted(samples)} of ${counted(data.pairs)} have a value there.`;
  const shown = ({ value, low, high }: BootstrapInterval) =>
    `${fixed(value)} [${fixed(low)}, ${fixed(high)}]`;
  const told =
    alone === undefined
      ? ''
      : ` That column alone, by a logistic regression on its first three powers in the same folds: AUC ${shown(alone.auc)}, matched ${shown(alone.matched)}.`;
  return [
    `Matched AUC: a positive is compared only with negatives of its test fold whose ${column} is at most ${within} away, so that what ${column} alone tells of the label hardly counts: who knows nothing else has about ½, the nearer the smaller that width.${known}${told}${comparedWords(matching)}`,
  ];
}

function comparedWords({ column, within, compared }: NonNullable<ExperimentTable['matching']>): string {
  if (compared === undefined) return '';
  const { positives, matched, pairs } = compared;
  if (pairs === 0) {
    return ` No positive has a negative within ${within} of ${column} in its test fold, so there is nothing to compare: give a larger --within.`;
  }
  return ` Of ${counted(positives)} positives ${counted(matched)} have such a negative; ${counted(pairs)} pairs are compared.`;
}

/** What was run, for a page whose tables have captions of their own. */
export function studyLines(table: ExperimentTable): string[] {
  return [...confirmationLines(table), ...ranLines(table), ...paperLines(table, table.parts)];
}

function ranLines({ data, facts, seeds, folds, judge, confirmation }: ExperimentTable): string[] {
  const ran = [
    pairsLine(data),
    ...(folds === undefined || confirmation !== undefined ? [] : [`${folds} folds by subject`]),
    ...named(facts.steps, (value) => `${value} ${value === '1' ? 'step' : 'steps'}`),
    ...named(facts.batchSize, (value) => `batches of ${value}`),
    ...named(facts.size, (value) => `${value}²`),
    ...named(facts.width, (value) => `width ${value}`),
    ...named(facts.precision, (value) => value),
    seedsName(seeds),
  ];
  // The facts are of the samples that are not set aside.
  const rest = data.setAside === undefined ? '' : ', but for what is set aside';
  const of =
    confirmation !== undefined || (judge.length === 0 && rest === '') ? '' : ` of ${data.name}${rest}`;
  return [`${ran.join('; ')}.`, ...seenLines(facts.exposure, of)];
}

function seenLines(exposures: readonly Fact[], of = ''): string[] {
  if (exposures.length === 0) return [];
  const each = exposures.map(({ value, rows }, i) => {
    const who =
      i > 0 ? rows.join(', ') : exposures.length === 1 ? 'all rows' : 'all rows but those that follow';
    return `*${value}* (${exposureName(value)}): ${who}`;
  });
  return [`What the encoders had seen${of}: ${each.join('; ')}.`];
}

/** `647 samples of 500 subjects, 5 folds by subject.` */
export function judgedLine({ confirmation }: ExperimentTable, { judged }: TablePart): string {
  if (judged === undefined) return '';
  const { samples, subjects, folds } = judged;
  const how = confirmation === undefined ? `${folds} folds by subject` : 'set aside';
  return `${numbered(samples, 'sample')} of ${numbered(subjects, 'subject')}, ${how}.`;
}

/** Warns where a part has too few subjects; empty where it has enough. */
export function fewLine({ judged }: TablePart): string {
  return judged?.few === undefined ? '' : fewWarning(judged.few);
}

/**
 * The caption of a part on further data; the sentences before all tables are about the data that the encoders were
 * pretrained on.
 */
export function setLine(table: ExperimentTable, part: TablePart): string {
  if (part.set === undefined) return '';
  return [judgedLine(table, part), ...seenLines(part.judged?.exposure ?? [])]
    .filter((line) => line !== '')
    .join(' ');
}

/** `1,866 pairs of 80 subjects, of which 466 pairs of 20 subjects are set aside` */
function pairsLine({ pairs, subjects, setAside }: ExperimentTable['data']): string {
  const all = `${numbered(pairs, 'pair')} of ${numbered(subjects, 'subject')}`;
  if (setAside === undefined) return all;
  return `${all}, of which ${numbered(setAside.pairs, 'pair')} of ${numbered(setAside.subjects, 'subject')} ${setAside.pairs === 1 ? 'is' : 'are'} set aside`;
}

/** Says which data the paper’s numbers and ours are of, where any part has both. */
export function paperLines({ data }: ExperimentTable, parts: readonly TablePart[]): string[] {
  const beside = parts.filter((part) => paperTable(part) !== undefined);
  const papers = beside.flatMap(({ rows }) => rows.flatMap(({ paper }) => paper ?? []));
  if (papers.length === 0) return [];
  const distinct = (values: string[]) => [...new Set(values)].join(' and ');
  const theirs = distinct(papers.map((paper) => paper.data));
  const protocol = distinct(papers.map((paper) => paper.protocol));
  const ours = distinct(beside.map(({ set }) => set ?? data.name));
  return [
    `The paper’s numbers are on ${theirs}, by its ${protocol}, at 200 epochs (2,000 on Fundus-FFA); ours are on ${ours}.`,
  ];
}

export function confirmationLines({ confirmation }: ExperimentTable): string[] {
  if (confirmation === undefined) return [];
  const { looks, outdated } = confirmation;
  const [first, ...later] = looks;
  return [
    `**Confirmatory: the samples that were set aside**, judged by what was learned from all others. First judged ${moment(first.at)} (settings ${first.digest.slice(0, 12)}).`,
    ...later.map(
      ({ at, digest, changes }) =>
        `**Judged again ${moment(at)} with other settings** (${digest.slice(0, 12)}), so that it confirms less: ${firstOf(changes)}.`,
    ),
    ...(outdated.length === 0
      ? []
      : [
          `**Not of the encoders that the other tables are of**: these were pretrained anew since, with other settings (${firstOf(outdated)}). --confirm judges them, as another look.`,
        ]),
  ];
}

function firstOf(changes: readonly string[]): string {
  return `${changes.slice(0, 6).join('; ')}${changes.length > 6 ? '; …' : ''}`;
}

/** `2026-03-01 09:30 UTC` */
function moment(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

function bracketLine({ bootstrap, seeds, protocols, judge, parts }: ExperimentTable): string {
  if (bootstrap === undefined) return '';
  const { confidence, replicates } = bootstrap;
  const few = parts.every(({ judged }) => judged?.few !== undefined) ? parts[0]?.judged?.few : undefined;
  const interval = `In brackets the ${intervalName(few, 100 * confidence)} over subjects (${counted(replicates)} bootstraps)`;
  const drawn = [...protocols, ...judge.flatMap((set) => set.protocols)].some(({ draws }) => draws > 1);
  const trained = 'What another pretraining of the same method would change is not in it';
  if (seeds.length === 1 && !drawn)
    return `${interval}, of one seed. ${trained}: such tests compare encoders, not methods.`;
  const over = [
    ...(seeds.length > 1 ? ['the seeds'] : []),
    ...(drawn ? ['the draws of few labels, where there are several'] : []),
  ].join(' and ');
  return `Mean ± standard deviation over ${over}. ${interval}, of that mean: each bootstrap is the same for all rows and seeds. ${trained}; the deviation over the seeds tells of that.`;
}

function markLine({ parts }: ExperimentTable, { best, second }: MarkNames): string {
  if (parts.every(({ judged }) => judged?.few !== undefined)) return '';
  const tested = parts.every((part) => part.tested);
  const rule = `Of the rows above the baselines ${best} is the highest value of a column`;
  return tested
    ? `${rule} and all that are not significantly below it (paired over subjects, two-sided 5 %, Holm over the rows compared with it), ${second} the same among the others: a help for the eye, in which rows with fewer seeds, or pretrained with labels, take no part.`
    : `${rule}, ${second} the next, whether or not they can be told apart: not all predictions are here to test it.`;
}

/** The value of most rows, followed by the exceptions with their rows. */
function named([most, ...others]: readonly Fact[], text: (value: string) => string): string[] {
  if (most === undefined) return [];
  const exceptions = others.map(({ value, rows }) => `${rows.join(', ')}: ${value}`);
  return [text(most.value) + (exceptions.length === 0 ? '' : ` (${exceptions.join('; ')})`)];
}

/** Notes below all tables: what is missing, and what a reader must know. */
export function closingLines(table: ExperimentTable): string[] {
  const { missing, notes, judge, paperNotes, family, matching, parts } = table;
  const listed = missing.slice(0, 6).join('; ') + (missing.length > 6 ? '; …' : '');
  return [
    ...(missing.length === 0 ? [] : [`${missingOf(table)} (${cellWords(MISSING).value}): ${listed}.`]),
    ...judge.flatMap(({ name, absent }) =>
      absent === undefined ? [] : [`${name} is not judged here: ${absent}`],
    ),
    ...(family === undefined || family.missing.length === 0
      ? []
      : [
          `${family.reference} could not be compared with ${family.missing.join(', ')}: ${matching?.compared?.pairs === 0 ? 'no positive has a negative to be compared with' : 'an evaluation, or its predictions, are not here, or it has no value'}. Holm’s correction counts them all the same.`,
        ]),
    ...notes,
    ...(parts.some((part) => paperTable(part) !== undefined)
      ? paperNotes.map((note) => `About the paper’s numbers: ${note}`)
      : []),
  ];
}

/** `1 of 3 evaluations is missing` */
export function missingOf({ missing, expected }: Pick<ExperimentTable, 'missing' | 'expected'>): string {
  return `${missing.length} of ${numbered(expected, 'evaluation')} ${missing.length === 1 ? 'is' : 'are'} missing`;
}

export function detectable({ rows, images }: TablePart): string {
  const widest = images.at(-1);
  const found = rows.flatMap(({ against }) => against.untrained[widest ?? '']?.minimumDetectable ?? []);
  if (widest === undefined || found.length === 0) return '';
  const [low, high] = [fixed(Math.min(...found)), fixed(Math.max(...found))];
  return (
    `Minimum detectable difference to the untrained encoder, ${imagesName(widest)}: ${low === high ? low : `${low} to ${high}`} ` +
    '(two-sided 5 %, power 80 %, paired over subjects).'
  );
}

/** The choices of tuned rows on the widest images, a sentence for each seed: each choice with its folds. */
export function choiceLines({ rows, images }: TablePart): string[] {
  const widest = images.at(-1) ?? '';
  return rows.flatMap((row) =>
    Object.entries(row.choices?.[widest] ?? {}).map(([seed, choices]) => {
      const folds = new Map<string, number[]>();
      for (const { fold, candidate, features } of choices) {
        const choice = `${shortened(candidate, row)}${features}`;
        folds.set(choice, [...(folds.get(choice) ?? []), fold]);
      }
      const each = [...folds].map(([choice, own]) =>
        own.length === choices.length
          ? `${choice}${choices.length === 1 ? '' : ' in all folds'}`
          : `${choice} in fold${own.length === 1 ? '' : 's'} ${own.join(', ')}`,
      );
      return `Chosen for ${row.name}, ${imagesName(widest)}, seed ${seed}: ${each.join('; ')}.`;
    }),
  );
}

function shortened(candidate: string, { name }: TableRow): string {
  return candidate.startsWith(`${name} `) ? `${candidate.slice(name.length + 1)}, ` : '';
}

export function familyTitle({ family, confirmation, matching }: ExperimentTable): string {
  if (family === undefined) return '';
  const { reference, protocol, features, images } = family;
  // Comparisons are planned for the AUC, so those of the matched AUC are not primary.
  const kind = matching !== undefined ? 'Matched' : confirmation === undefined ? 'Primary' : 'Confirmatory';
  const title = `${kind} comparisons of ${reference}: ${protocolName(protocol)}, ${featuresName(features)}, ${imagesName(images)}`;
  return family.few === undefined ? title : `${title} (only ${family.few}: not tested)`;
}
