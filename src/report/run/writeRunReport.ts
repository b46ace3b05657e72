/** The room `report/run` makes the page of a single run. This file writes it with its figures. */
import { join } from 'node:path';
import { AnatomyError } from '../../errors.js';
import { readEvaluations, readPairs, type StoredEvaluation } from '../../evaluation/readResults.js';
import { heading, protocolOf } from '../../evaluation/results/names.js';
import type { MessageConsole } from '../../log/console.js';
import { reconstructionDefaults } from '../../methods/index.js';
import { COLLAPSE } from '../../training/monitors.js';
import type { Figure } from '../figures/figure.js';
import { judgementFigures } from '../judged/judgement.js';
import { mechanismsOf } from '../judged/mechanism.js';
import { failuresShown } from '../judged/shownFailures.js';
import { checkTarget, type ReportFiles, writeReportFolder } from '../reportFolder.js';
import { contactSheet, preview, rasterPng, tileSide } from '../source/preview.js';
import { openRunData, type RunData, reasonOnPage, sampleName, type Unavailable } from '../source/runData.js';
import { isPhantom, type RunRecord, readRunFolder } from '../source/runRecord.js';
import { curves } from './curves.js';
import { intervalChart } from './intervalChart.js';
import { inShort, type PagePictures, page } from './page.js';

export interface ReportOptions {
  readonly out?: string;
  /** Whether images of patients are shown. Those of phantoms always are. */
  readonly withImages?: boolean;
  readonly console: MessageConsole;
}

/**
 * Writes the report of a run. The run need not be finished, and it need not have been evaluated.
 *
 * @throws UsageError when `run` is none or the folder for the report holds something else, DataError when the run's
 * files are incomplete
 */
export async function writeRunReport(run: string, options: ReportOptions): Promise<ReportFiles> {
  const { console, out = join(run, 'report') } = options;
  const folder = readRunFolder(run);
  const evaluations = readEvaluations(run);
  checkTarget(out);
  const drawn = folder.runs.map((one) => curvesOf(one));
  const judged = evaluations.map((evaluation) => ({ evaluation, figures: figuresOf(evaluation) }));
  const [first] = folder.runs;
  const data = await openRunData(first, console);
  const { pictures, sheet } = await picturesOf(first, data, options);
  const failures = await failuresShown(first, evaluations[0], data, options.withImages);
  const show = isPhantom(first) || (options.withImages ?? false);
  const pairs = { open: readPairs(run), aside: readPairs(run, 'set-aside') };
  const mechanism = await mechanismsOf([{ name: 'Run', ...pairs }], { run: first, data, show, console });
  const records = evaluations.map(({ record }) => record);
  const summary = inShort(folder.runs, records, [...pairs.open, ...pairs.aside]);
  const html = page({ folder, summary, curves: drawn, judged, pictures, data, mechanism, failures });
  const files = await writeReportFolder(
    out,
    {
      html,
      figures: [
        ...drawn.flat(),
        ...judged.flatMap(({ figures }) => figures),
        ...mechanism.groups.flatMap(({ figures }) => figures),
      ],
      pictures: sheet === undefined ? {} : { 'preview.png': sheet },
    },
    console,
  );
  return { ...files, summary: summary.map(({ before, strong, after }) => before + strong + after) };
}

function figuresOf({ record, name, predictions }: StoredEvaluation): Figure[] {
  const chart = intervalChart(record, name);
  return [
    ...(chart === undefined ? [] : [chart]),
    ...judgementFigures(record, predictions, { id: name, name: heading(protocolOf(record)) }),
  ];
}

function curvesOf({ lines, config, fold }: RunRecord): Figure[] {
  const figures = curves(lines, {
    method: config.method,
    weights: weightsOf(config.method),
    collapse: COLLAPSE,
    pairs: config.monitor.pairs,
  });
  return fold === undefined ? figures : figures.map((one) => ({ ...one, id: `fold-${fold}-${one.id}` }));
}

/** The factors of the terms in the objective, where the method has settings for them. */
function weightsOf(method: RunRecord['config']['method']): Record<string, number> {
  switch (method.name) {
    case 'anatomy':
      return {
        consistency: method.consistencyWeight,
        global: method.alpha,
        ...(method.reconstruction && {
          reconstruction: method.reconstruction.weight ?? reconstructionDefaults.weight,
        }),
      };
    case 'densecl':
      return { key: 1 - method.lambda, dense: method.lambda };
    default:
      return {};
  }
}

/** Pictures the data. Phantoms are always shown, patients only when the user asks, as a report is made to be shared. */
async function picturesOf(
  run: RunRecord,
  data: RunData | Unavailable,
  { withImages = false, console }: ReportOptions,
): Promise<{ pictures: PagePictures; sheet?: Buffer }> {
  const phantom = isPhantom(run);
  if (!phantom && !withImages) {
    const reason =
      'Left out: this page may be shared, and the images may be of patients. anatomy report --with-images shows some of them.';
    return { pictures: { kind: 'withheld', reason } };
  }
  try {
    const shown = await preview(run.config, { console });
    const pairs = await Promise.all(
      shown.pairs.map(async ({ id, label, images }, i) => ({
        // The ids of patients do not go into a report.
        name: phantom ? id : `${sampleName(data)} ${i + 1}`,
        label,
        images: await Promise.all(images.map((image) => image && rasterPng(image, tileSide(shown.size)))),
      })),
    );
    const named = { ...shown, pairs: shown.pairs.map((pair, i) => ({ ...pair, id: pairs[i]!.name })) };
    return { pictures: { kind: 'shown', views: shown.views, pairs }, sheet: await contactSheet(named) };
  } catch (error) {
    // The data may have moved away, or LibTorch may be missing. The page is still useful, unless the user asked for
    // pictures.
    if (withImages || !(error instanceof AnatomyError)) throw error;
    console.warn(`no preview: ${error.message}`);
    return {
      pictures: {
        kind: 'unavailable',
        reason: `No pairs can be shown${reasonOnPage(error, run.config)}.`,
      },
    };
  }
}
