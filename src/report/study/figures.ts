/** Figures of a study’s results and of the losses of its runs. */

import { BASELINES, baselineMeaning, imagesName, metricName } from '../../evaluation/results/names.js';
import type { JsonLine } from '../../log/jsonLines.js';
import { brief } from '../../text/numbers.js';
import type { Figure } from '../figures/figure.js';
import { type ForestRow, forestPlot } from '../figures/forestPlot.js';
import { lineChart } from '../figures/lineChart.js';
import { lossFigures } from '../figures/lossFigure.js';
import { PALETTE, SOURCE_COLOURS } from '../figures/palette.js';
import { type Series, seriesOf } from '../figures/series.js';
import type { StudyFamily, StudyResults } from '../judged/study.js';

/** Forest plots of all rows on the widest images: their values, and their differences to each baseline. */
export function overviewFigures(results: StudyResults, id: string): Figure[] {
  const widest = results.images.at(-1);
  if (widest === undefined) return [];
  const images = imagesName(widest);
  const of = `${results.title}, ${images}`;
  const values = results.rows.flatMap((row): ForestRow[] => {
    const { value, low = null, high = null } = row.values[widest] ?? {};
    if (value === undefined || value === null) return [];
    const baseline = row.source !== 'run';
    return [{ name: row.name, value, low, high, colour: SOURCE_COLOURS[row.source], baseline }];
  });
  const differences = BASELINES.map((other) => {
    const rows = results.rows.flatMap((row): ForestRow[] => {
      const found = row.against[other][widest];
      if (found === undefined || found.value === null) return [];
      return [{ name: row.name, value: found.value, low: found.low, high: found.high }];
    });
    const against = baselineMeaning[other];
    return forestPlot(rows, {
      id: `${id}-against-${other}`,
      title: `${results.metric} above ${against}`,
      of,
      label: `difference in ${results.metric}`,
      reference: { level: 0, name: 'no difference' },
      differences: true,
      reading: `What each method adds to ${against}, on the same patients. A bar across the dashed line leaves open whether there is a difference; one left of it says that the method is worse.`,
    });
  });
  return [
    forestPlot(values, {
      id: `${id}-values`,
      title: `${results.metric} of all methods`,
      of,
      label: results.metric,
      reference: results.metric === metricName('auc') ? { level: 0.5, name: 'guessing' } : undefined,
      reading: `${results.title}, ${images}. Dots are methods, diamonds what they must beat; bars are intervals over patients. Overlapping bars do not settle which is better; paired differences do.`,
    }),
    ...differences,
  ].filter((figure) => figure !== undefined);
}

export function familyFigure(
  { table: { title = '' }, comparisons }: StudyFamily,
  id: string,
): Figure | undefined {
  const rows = comparisons.flatMap(({ name, value, low, high }) =>
    value === null ? [] : [{ name, value, low, high }],
  );
  return forestPlot(rows, {
    id,
    title,
    of: 'paired differences on the same patients',
    label: 'difference',
    reference: { level: 0, name: 'no difference' },
    differences: true,
    reading:
      'The differences that the study was made to measure, each with its interval over patients. A bar across the dashed line leaves open whether there is a difference.',
  });
}

export interface Course {
  readonly name: string;
  readonly lines: readonly JsonLine[];
}

const TERMS: Readonly<Record<string, string>> = {
  consistency: 'Anatomical consistency, L_C',
  global: 'Global contrast, L_Glo',
  reconstruction: 'Reconstruction of the other modality',
  instance: 'Instance discrimination',
  contrast: 'Contrast between views',
  key: 'Contrast with remembered keys',
  dense: 'Dense contrast',
  classification: 'Classification',
};

/** Figure 3 with both losses of the paper, and a figure for each other loss that the runs log. */
export function studyCurves(courses: readonly Course[]): Figure[] {
  const figures = courseFigures(courses);
  const paper = lossFigures(courses);
  const withPaper = courses.filter(({ lines }) => termsOf(lines).some((term) => PAPER.includes(term)));
  // Figure 3 has a colour for each run as long as there are enough.
  if (withPaper.length > PALETTE.length) return figures;
  return [...paper, ...figures.filter(({ id }) => !PAPER.some((term) => id.endsWith(`-${term}`)))];
}

const PAPER: readonly string[] = ['consistency', 'global'];
const MEASURED: readonly string[] = ['consistency', 'reconstruction'];

/**
 * Each logged loss of the runs that have it, as many to a figure as there are colours. Losses of one name whose chance
 * levels differ are not the same measure, and stand apart.
 */
function courseFigures(courses: readonly Course[]): Figure[] {
  const groups = new Map<string, Logged[]>();
  for (const { name, lines } of courses) {
    for (const term of termsOf(lines)) {
      const series = seriesOf(lines, term, name);
      const chance = seriesOf(lines, `chance/${term}`).points.at(-1)?.value;
      if (series.points.length === 0) continue;
      // The chance levels of these are measured, and so they differ a little between runs.
      const key = MEASURED.includes(term) || chance === undefined ? term : `${term} ${brief(chance)}`;
      groups.set(key, [...(groups.get(key) ?? []), { term, series, chance }]);
    }
  }
  const sets = [...groups.values()].flatMap((all) =>
    Array.from({ length: Math.ceil(all.length / PALETTE.length) }, (_, set) =>
      all.slice(set * PALETTE.length, (set + 1) * PALETTE.length),
    ),
  );
  return sets.map((set, i) => {
    const [{ term }] = set as [Logged, ...Logged[]];
    const title = TERMS[term] ?? term;
    // Figures of the same loss are told apart by the names of their runs.
    const alone = sets.filter(([other]) => other!.term === term).length === 1;
    const names = set.map(({ series: { name } }) => name).join(', ');
    return courseFigure(set, `course-${i + 1}-${term}`, alone ? title : `${title}: ${names}`);
  });
}

interface Logged {
  readonly term: string;
  readonly series: Series;
  readonly chance: number | undefined;
}

function termsOf(lines: readonly JsonLine[]): string[] {
  const keys = new Set(lines.flatMap((line) => Object.keys(line)));
  return [...keys].flatMap((key) => /^chance\/(.+)$/.exec(key)?.[1] ?? []);
}

function courseFigure(logged: readonly Logged[], id: string, title: string): Figure {
  const { chance } = logged[0]!;
  const said = logged.map(
    ({ series: { name, points } }) =>
      `${name} from ${brief(points[0]!.value)} to ${brief(points.at(-1)!.value)}`,
  );
  const alt = `${title}, over the steps. ${said.join('; ')}${chance === undefined ? '' : `; chance ${brief(chance)}`}.`;
  const svg = lineChart({
    series: logged.map(({ series: { name, points } }) => ({ name: shorten(name), points })),
    references: chance === undefined ? [] : [{ name: 'chance', level: chance }],
    label: 'loss',
    alt,
  });
  const reading =
    'Lower is better. Runs that only watch this loss, without training it, are shown too. Dashed is chance, as the first of these runs measured it last.';
  return { id, title, alt, reading, svg };
}

function shorten(name: string): string {
  return name.length > 14 ? `${name.slice(0, 13)}…` : name;
}
