/** `anatomy report`: the figures and the page of a run. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PHANTOM_PREFIX } from '../data/phantomName.js';
import { AnatomyError, UsageError } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import type { MessageConsole } from '../log/console.js';
import { COLLAPSE } from '../training/monitors.js';
import { curves } from './curves.js';
import { readEvaluations } from './evaluationRecord.js';
import { canLetter, type Figure, standaloneSvg, svgToPng } from './figure.js';
import { intervalChart } from './intervalChart.js';
import { GENERATOR, inShort, type PagePictures, page } from './page.js';
import { contactSheet, preview, rasterPng, tileSide } from './preview.js';
import { type RunRecord, readRunFolder } from './runRecord.js';

export interface ReportOptions {
  readonly out?: string;
  /** Show images of data that are no phantom, such as patients. */
  readonly withImages?: boolean;
  readonly console: MessageConsole;
}

export interface ReportFiles {
  readonly page: string;
  readonly figures: readonly string[];
  /** What came out, a sentence each. */
  readonly summary: readonly string[];
}

/**
 * Writes the report of a run, finished or not, judged or not yet.
 *
 * @throws UsageError when `run` is none or the folder for the report holds something else, DataError when the run's files are
 * incomplete
 */
export async function writeReport(run: string, options: ReportOptions): Promise<ReportFiles> {
  const { console, out = join(run, 'report') } = options;
  const folder = readRunFolder(run);
  const evaluations = readEvaluations(run);
  checkTarget(out);
  const drawn = folder.runs.map((one) => curvesOf(one));
  const intervals = evaluations.map(intervalChart);
  const { pictures, sheet } = await picturesOf(folder.runs[0], options);
  if (!(await canLetter())) {
    console.warn(
      'no font is installed, so the PNGs show boxes for letters (the page and the SVGs are right): apt-get install fontconfig-config',
    );
  }

  const figuresFolder = join(out, 'figures');
  // What an earlier report showed may not be shown any more.
  rmSync(figuresFolder, { recursive: true, force: true });
  mkdirSync(figuresFolder, { recursive: true });
  const written: string[] = [];
  const write = (name: string, data: string | Uint8Array): void => {
    writeFileAtomic(join(figuresFolder, name), data);
    written.push(join(figuresFolder, name));
  };
  for (const figure of [...drawn.flat(), ...intervals.filter((one) => one !== undefined)]) {
    const svg = standaloneSvg(figure);
    write(`${figure.id}.svg`, svg);
    write(`${figure.id}.png`, await svgToPng(svg));
  }
  if (sheet !== undefined) write('preview.png', sheet);
  const file = join(out, 'index.html');
  writeFileAtomic(file, page({ folder, curves: drawn, evaluations, intervals, pictures }));
  const summary = inShort(folder.runs[0], evaluations).map(
    ({ before, strong, after }) => before + strong + after,
  );
  return { page: file, figures: written, summary };
}

/** A folder of something else is left alone. */
function checkTarget(out: string): void {
  if (!existsSync(out) || readdirSync(out).length === 0) return;
  const file = join(out, 'index.html');
  if (existsSync(file) && readFileSync(file, 'utf8').includes(`content="${GENERATOR}"`)) return;
  // Interrupted before its page was written, a report leaves its figures.
  if (readdirSync(out).every((name) => name === 'figures' || /^\..*\.tmp$/.test(name))) return;
  throw new UsageError(`${out} holds files but no report; choose another --out`);
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

/** Factors of the terms in the objective, where a method has settings for them. */
function weightsOf(method: RunRecord['config']['method']): Record<string, number> {
  switch (method.name) {
    case 'anatomy':
      return { consistency: method.consistencyWeight, global: method.alpha };
    case 'densecl':
      return { key: 1 - method.lambda, dense: method.lambda };
    default:
      return {};
  }
}

/** Pictures of phantoms always; of patients only when asked, as a report is made to be shared. */
async function picturesOf(
  { config }: RunRecord,
  { withImages = false, console }: ReportOptions,
): Promise<{ pictures: PagePictures; sheet?: Buffer }> {
  const phantom = config.data.path?.startsWith(PHANTOM_PREFIX) ?? false;
  if (!phantom && !withImages) {
    const reason =
      'Left out: this page may be shared, and the images may be of patients. anatomy report --with-images shows some of them.';
    return { pictures: { kind: 'withheld', reason } };
  }
  try {
    const shown = await preview(config, { console });
    const pairs = await Promise.all(
      shown.pairs.map(async ({ id, label, images }, i) => ({
        // The ids of patients stay where they are.
        name: phantom ? id : `pair ${i + 1}`,
        label,
        images: await Promise.all(images.map((image) => rasterPng(image, tileSide(shown.size)))),
      })),
    );
    const named = { ...shown, pairs: shown.pairs.map((pair, i) => ({ ...pair, id: pairs[i]!.name })) };
    return { pictures: { kind: 'shown', views: shown.views, pairs }, sheet: await contactSheet(named) };
  } catch (error) {
    // The data may have moved away or LibTorch be missing: the numbers are still worth a page, unless pictures were asked for.
    if (withImages || !(error instanceof AnatomyError)) throw error;
    console.warn(`no preview: ${error.message}`);
    return {
      pictures: { kind: 'unavailable', reason: 'The data could not be opened when this report was made.' },
    };
  }
}
