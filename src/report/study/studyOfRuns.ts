/** The study of several runs that belong to no experiment. */
import { resolve } from 'node:path';
import { UsageError } from '../../errors.js';
import { readEvaluations, readPairs, type StoredEvaluation } from '../../evaluation/readResults.js';
import {
  baselinesOf,
  type EvaluationResult,
  type EvaluationRow,
} from '../../evaluation/results/evaluationResult.js';
import { countsOf, fewWarning, intervalName, tooFew } from '../../evaluation/results/fewSubjects.js';
import { modalityKey, widthOf } from '../../evaluation/results/modalitySets.js';
import {
  BASELINES,
  featuresName,
  metricHeading,
  protocolOf,
  sourceName,
} from '../../evaluation/results/names.js';
import type { ResultRow } from '../../evaluation/results/resultTable.js';
import type { MessageConsole } from '../../log/console.js';
import { methodNamed } from '../../methods/index.js';
import { counted } from '../../text/numbers.js';
import { judgementFigures } from '../judged/judgement.js';
import { mechanismsOf } from '../judged/mechanism.js';
import { pairVerdicts } from '../judged/pairVerdicts.js';
import { failuresShown } from '../judged/shownFailures.js';
import type { Study, StudyResults } from '../judged/study.js';
import { type BesideRow, besideTable } from '../judged/tables.js';
import { openRunData } from '../source/runData.js';
import { isPhantom, networkWords, type RunFolder, readRunFolder } from '../source/runRecord.js';
import { overviewFigures, studyCurves } from './figures.js';
import { provenanceFacts, studyVerdicts } from './words.js';

interface Member {
  readonly name: string;
  readonly folder: RunFolder;
  readonly evaluations: readonly StoredEvaluation[];
}

export interface RunsStudyOptions {
  readonly withImages?: boolean;
  readonly console: MessageConsole;
}

/** The numbers of runs whose predictions are drawn and whose pairs have a sentence, and whose errors are listed. */
const CLOSER = 6;
const LISTED = 2;

/**
 * Reads several runs as one study.
 *
 * @throws UsageError where one is no run or is named twice, DataError where a file of one cannot be read
 */
export async function studyOfRuns(
  paths: readonly string[],
  { withImages = false, console }: RunsStudyOptions,
): Promise<Study> {
  const names = distinctNames(paths);
  const members = paths.map(
    (path, i): Member => ({
      name: names[i]!,
      folder: readRunFolder(path),
      evaluations: readEvaluations(path),
    }),
  );
  const results = resultsOf(members);
  const first = members[0]!.folder.runs[0];
  const data = await openRunData(first, console);
  const pairs = paths.map((path, i) => ({
    name: names[i]!,
    open: readPairs(path),
    aside: readPairs(path, 'set-aside'),
  }));
  const failures = [];
  for (const { name, folder, evaluations } of members.slice(0, LISTED)) {
    const shown = await failuresShown(folder.runs[0], evaluations[0], data, withImages);
    if (shown !== undefined) failures.push({ name, failures: shown });
  }
  const hashes = new Set(members.map(({ folder }) => folder.runs[0].provenance.dataHash));
  const failed = members.filter(({ folder }) => folder.runs.some(({ failure }) => failure !== undefined));
  const unfinished = members.filter(
    (one) => !failed.includes(one) && one.folder.runs.some(({ finished }) => !finished),
  );
  const states = [
    ...(failed.length > 0 ? [`Failed, as a number was not finite: ${namesOf(failed)}.`] : []),
    ...(unfinished.length > 0 ? [`Not finished: ${namesOf(unfinished)}.`] : []),
  ];
  return {
    title: `${members.length} runs side by side`,
    lead: members.map(({ name }) => name).join(', '),
    banners: [
      ...(hashes.size > 1
        ? ['The runs were pretrained on different data, so their numbers do not stand for their methods.']
        : []),
      ...states,
    ],
    inShort: [
      ...states.map((before) => ({ before, strong: '', after: '' })),
      ...studyVerdicts(results, []),
      ...pairs
        .slice(0, CLOSER)
        .flatMap(({ name, open, aside }) =>
          [...open, ...aside].flatMap((result) => pairVerdicts(result, name)),
        ),
    ],
    about: [],
    facts: members.map(({ name, folder }) => [name, trainedWords(folder)] as const),
    data,
    curves: studyCurves(members.map(({ name, folder }) => ({ name, lines: folder.runs[0].lines }))),
    overview: results[0] === undefined ? [] : overviewFigures(results[0], 'study'),
    results,
    families: [],
    mechanism: await mechanismsOf(pairs, {
      run: first,
      data,
      show: isPhantom(first) || withImages,
      console,
    }),
    judged: members.slice(0, CLOSER).flatMap(({ name, evaluations: [primary] }, i) => {
      if (primary === undefined) return [];
      const about = { id: `${i + 1}`, name: `${name}, ${protocolOf(primary.record)}`, own: name };
      const figures = judgementFigures(primary.record, primary.predictions, about);
      return figures.length === 0 ? [] : [{ name, figures }];
    }),
    failures,
    notes: notesOf(members),
    paperNotes: [],
    provenance: provenanceFacts(
      members.flatMap(({ folder }) =>
        folder.runs.map(({ provenance, config }) => ({ ...provenance, seed: config.seed })),
      ),
    ),
  };
}

/** The shortest ends of the paths that differ, without an end that all share: no more of a path belongs on a page. */
function distinctNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => resolve(path).split('/').filter(Boolean));
  const twice = parts.find((own, i) => parts.findIndex((other) => other.join('/') === own.join('/')) < i);
  if (twice !== undefined) throw new UsageError(`${twice.at(-1)}: is named twice; name each run once`);
  while (parts.every((own) => own.length > 1 && own.at(-1) === parts[0]!.at(-1))) {
    for (const own of parts) own.pop();
  }
  const named = (count: number) => parts.map((own) => own.slice(-count).join('/'));
  let count = 1;
  while (new Set(named(count)).size < paths.length) count += 1;
  return named(count);
}

function namesOf(members: readonly Member[]): string {
  return members.map(({ name }) => name).join(', ');
}

function trainedWords({ runs }: RunFolder): string {
  const [{ config, provenance, steps }] = runs;
  const trained =
    steps.planned === 0
      ? 'nothing trained'
      : `${counted(steps.done)} steps of ${config.training.batchSize} pairs`;
  const folds = runs.length > 1 ? `, ${runs.length} folds` : '';
  const learned = `${methodNamed(config.method.name)!.summary} (recipe ${config.recipe})`;
  const seen = `${counted(provenance.pairs)} pairs of ${provenance.data}${folds}`;
  return `${learned}; ${seen}, ${networkWords(config)} at ${config.data.size}², ${trained}, seed ${config.seed}`;
}

interface JudgedMember {
  readonly member: string;
  readonly record: EvaluationResult;
}

/**
 * The results of each evaluation on each kind of features that any run has, apart for each data that it was made on.
 */
function resultsOf(members: readonly Member[]): StudyResults[] {
  const names = [...new Set(members.flatMap(({ evaluations }) => evaluations.map(({ name }) => name)))];
  return names.flatMap((name) => {
    const judged = members.flatMap((member): JudgedMember[] => {
      const evaluation = member.evaluations.find((one) => one.name === name);
      return evaluation === undefined ? [] : [{ member: member.name, record: evaluation.record }];
    });
    return [...new Set(judged.map(({ record }) => samplesKey(record)))].flatMap((key) => {
      const alike = judged.filter(({ record }) => samplesKey(record) === key);
      const kinds = new Set(alike.flatMap(({ record }) => ownRows(record).map(({ features }) => features)));
      return [...kinds].map((kind) => resultsOn(alike, kind));
    });
  });
}

/** A key that is equal for evaluations of the same samples in the same folds, which share a table. */
function samplesKey({ data, folds }: EvaluationResult): string {
  const { name, dataHash, samples, subjects, classes } = data;
  return JSON.stringify([name, dataHash, samples, subjects, classes, folds]);
}

function ownRows({ rows }: EvaluationResult): EvaluationRow[] {
  return rows.filter(({ source }) => source === 'run');
}

const imagesOf = ({ modalities }: EvaluationRow) => modalityKey(modalities);

function resultsOn(judged: readonly JudgedMember[], kind: string): StudyResults {
  const { member: firstName, record: first } = judged[0]!;
  const metric = first.metrics[0] ?? 'auc';
  const onKind = (record: EvaluationResult) => ownRows(record).filter(({ features }) => features === kind);
  const gaps = first.data.images !== undefined;
  const width = (key: string) => widthOf(key.split('+'), first.data.modalities, gaps);
  const images = [...new Set(judged.flatMap(({ record }) => onKind(record).map(imagesOf)))].sort(
    (a, b) => width(a) - width(b),
  );
  const rows = judged.map(({ member, record }): ResultRow => {
    const own = onKind(record);
    return {
      name: member,
      source: 'run',
      exposure: record.exposure.kind,
      values: valuesOf(own, metric),
      against: againstOf(record, own, metric),
      marks: {},
    };
  });
  const baselines = BASELINES.flatMap((source): ResultRow[] => {
    const found = onKind(first)
      .flatMap((row) => baselinesOf(first, row))
      .filter((row) => row.source === source);
    if (found.length === 0) return [];
    const values = valuesOf(found, metric);
    const against = { untrained: {}, thumbnail: {} };
    return [{ name: sourceName(source), source, values, against, marks: {} }];
  });
  const { data, folds } = first;
  const few = tooFew(countsOf(data));
  const between = intervalName(few, Math.round(100 * first.bootstrap.confidence));
  const title = `${data.name}: ${protocolOf(first)}, ${featuresName(kind)}`;
  const beside = judged.map(({ member, record }) =>
    besideOf(
      member,
      onKind(record).find((one) => imagesOf(one) === images.at(-1)),
    ),
  );
  return {
    title,
    metric: metricHeading(metric),
    caption: `${few === undefined ? '' : `${fewWarning(few)} `}${counted(data.samples)} samples of ${counted(data.subjects)} subjects in ${folds.k} folds. ${metricHeading(metric)} of all test predictions together, with its ${between} by resampling subjects. The baselines are those of ${firstName}. Nothing is marked as best: the runs were not planned as one study.`,
    images,
    rows: [...rows, ...baselines],
    few,
    beside: besideTable(beside, first.metrics, { title, images }),
  };
}

function valuesOf(rows: readonly EvaluationRow[], metric: string): ResultRow['values'] {
  return Object.fromEntries(
    rows.flatMap((row) => {
      const found = row.metrics[metric];
      if (found === undefined) return [];
      const { pooled: value, low, high, mean: foldMean } = found;
      return [[imagesOf(row), { value, low, high, deviation: null, seeds: 1, foldMean }]];
    }),
  );
}

function againstOf(
  record: EvaluationResult,
  rows: readonly EvaluationRow[],
  metric: string,
): ResultRow['against'] {
  const differences = (baseline: EvaluationRow['source']) =>
    Object.fromEntries(
      rows.flatMap((row) => {
        const { key } = baselinesOf(record, row).find(({ source }) => source === baseline) ?? {};
        const found = record.differences.find(
          (one) => one.row === row.key && one.against === key && one.metric === metric,
        );
        return found === undefined ? [] : [[imagesOf(row), { ...found, deviation: null, seeds: 1 }] as const];
      }),
    );
  return { untrained: differences('untrained'), thumbnail: differences('thumbnail') };
}

/** The numbers of the best test epoch beside those of the last one. */
function besideOf(name: string, row: EvaluationRow | undefined): BesideRow {
  const beside = Object.entries(row?.paperStyle?.metrics ?? {}).map(([metric, { mean }]) => [
    metric,
    { ours: row?.metrics[metric]?.pooled ?? null, paperStyle: mean },
  ]);
  return { name, source: 'run', beside: Object.fromEntries(beside) };
}

/** The notes of all evaluations, each once, with the names of its runs where it is not of all. */
function notesOf(members: readonly Member[]): string[] {
  const by = new Map<string, Set<string>>();
  for (const { name, evaluations } of members) {
    for (const note of evaluations.flatMap(({ record }) => record.notes)) {
      by.set(note, (by.get(note) ?? new Set()).add(name));
    }
  }
  return [...by].map(([note, names]) =>
    names.size === members.length ? note : `${note} (${[...names].join(', ')})`,
  );
}
