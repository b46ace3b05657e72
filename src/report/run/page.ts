/**
 * The page of a run: what was run on which data, how it went, what its features are good for, and where it is wrong.
 */
import { basename } from 'node:path';
import { type Config, formatConfig, mapPlaces } from '../../config/index.js';
import type { StoredEvaluation } from '../../evaluation/readResults.js';
import type { EvaluationResult } from '../../evaluation/results/evaluationResult.js';
import type { PairsResult } from '../../evaluation/results/pairsResult.js';
import { type Verdict, verdicts } from '../../evaluation/results/verdict.js';
import { formatDuration } from '../../log/progress.js';
import { methodNamed } from '../../methods/index.js';
import { html, type Markup, trusted } from '../../text/markup.js';
import { brief, counted } from '../../text/numbers.js';
import { packageVersion } from '../../version.js';
import type { Figure } from '../figures/figure.js';
import { figureGrid } from '../figures/figureMarkup.js';
import { type Point, seriesOf } from '../figures/series.js';
import { glossary } from '../html/glossary.js';
import { shell } from '../html/shell.js';
import { auditSection } from '../judged/auditSection.js';
import { failureSection, type PageFailures } from '../judged/failureSection.js';
import { mechanismSection } from '../judged/mechanismSection.js';
import { pairVerdicts } from '../judged/pairVerdicts.js';
import { probeSection } from '../judged/probeSection.js';
import type { StudyMechanism } from '../judged/study.js';
import { type RunData, sampleName, type Unavailable } from '../source/runData.js';
import { networkWords, type RunFolder, type RunRecord } from '../source/runRecord.js';

export interface PageContent {
  readonly folder: RunFolder;
  /** The sentences that sum the run up, of `inShort`. */
  readonly summary: readonly Verdict[];
  /** The curves of each run. */
  readonly curves: readonly (readonly Figure[])[];
  readonly judged: readonly JudgedContent[];
  readonly pictures: PagePictures;
  readonly data: RunData | Unavailable;
  readonly mechanism: StudyMechanism;
  /** The errors of the primary evaluation, where its predictions are stored. */
  readonly failures?: PageFailures;
}

export interface JudgedContent {
  readonly evaluation: StoredEvaluation;
  readonly figures: readonly Figure[];
}

/** The preview of the data, or the reason that the page has none. */
export type PagePictures =
  | { readonly kind: 'shown'; readonly views: readonly string[]; readonly pairs: readonly PicturedPair[] }
  | { readonly kind: 'withheld' | 'unavailable'; readonly reason: string };

export interface PicturedPair {
  readonly name: string;
  readonly label?: string;
  /** The pictures as PNG files; undefined where an image is missing. */
  readonly images: readonly (Uint8Array | undefined)[];
}

export function page(content: PageContent): string {
  const { folder, summary, curves, judged, pictures, data, mechanism, failures } = content;
  const [first] = folder.runs;
  return shell({
    title: `Pretraining report: ${folder.name}`,
    lead: lead(folder, data),
    head: folder.runs.map(banner),
    main: html`<h2>In short</h2>
<ul>${summary.map(
      ({ before, strong, after }) => html`<li>${before}<b>${strong}</b>${after}</li>
`,
    )}</ul>
<h2>What was run</h2>
${settings(folder, data)}
<h2>The ${sampleName(data)}s and their views</h2>
${auditSection(data)}
${pictureSection(pictures)}
<h2>Training</h2>
${curveSections(folder.runs, curves)}
<h2>Probes: what the features are good for</h2>
${
  judged.length === 0
    ? html`<p>No evaluation yet. <code>anatomy evaluate logreg --run RUN --data DATA</code> makes one, and the next report shows it.</p>`
    : judged.map(({ evaluation, figures }) => probeSection(evaluation, figureGrid(figures)))
}
${
  failures === undefined
    ? ''
    : html`<h2>Where it is most wrong</h2>
${failureSection(failures)}`
}
<h2>What pairs say without labels</h2>
${mechanismSection(mechanism)}
<h2>Words</h2>
${glossary()}
<h2>To repeat it</h2>
<p>All settings, as the run stored them. Folders are left out; the hash below names the data.</p>
<details><summary>config.yaml</summary><pre>${formatConfig(withoutFolders(first.config))}</pre></details>
<p>Data hash <code>${first.provenance.dataHash}</code></p>`,
    footer: html`Made by anatomy-ssl ${packageVersion()} from the files of the run. Self-supervised pretraining after Anatomy-Aware Self-Supervised Learning for Aligned Multi-Modal Medical Data (BMVC 2022). For research; not a medical device.`,
  });
}

function lead({ runs }: RunFolder, data: RunData | Unavailable): string {
  const [{ provenance, config, steps }] = runs;
  const name = sampleName(data);
  const encoders = runs.length > 1 ? `${runs.length} encoders, one a fold; ` : '';
  const budget =
    steps.planned === 0
      ? 'nothing trained'
      : `${counted(steps.done)} steps of ${config.training.batchSize} ${name}s`;
  return `${encoders}${counted(provenance.pairs)} ${name}s of ${provenance.data}, ${config.method.name} (recipe ${config.recipe}), ${budget}, seed ${config.seed}`;
}

function banner(run: RunRecord): Markup | string {
  const [state] = stateOf(run);
  if (state === undefined) return '';
  const { before, strong, after } = state;
  const next =
    run.failure === undefined ? 'The same pretrain command goes on with it.' : 'The curves end there.';
  return html`<p class="banner${run.failure === undefined ? '' : ' failed'}" role="status">${before}<b>${strong}</b>${after} ${next}</p>`;
}

/** Says that a run failed or is not finished; nothing of one that is. */
export function stateOf({ fold, finished, failure, steps }: RunRecord): Verdict[] {
  if (finished) return [];
  const before = fold === undefined ? 'The run ' : `The run of fold ${fold} `;
  if (failure !== undefined) {
    const at = `at step ${counted(failure.step)} of ${counted(steps.planned)}`;
    return [{ before, strong: 'failed', after: ` ${at}: ${failure.reason}.` }];
  }
  const progress = `${counted(steps.done)} of ${counted(steps.planned)} steps`;
  return [{ before, strong: 'is not finished:', after: ` ${progress} are done.` }];
}

/**
 * Sums the run up in sentences: whether it came to its end, the results with labels and without, and the losses of the
 * first encoder.
 *
 * @param pairs the measurements of pairs, those on pairs set aside last
 */
export function inShort(
  runs: readonly [RunRecord, ...RunRecord[]],
  evaluations: readonly EvaluationResult[],
  pairs: readonly PairsResult[],
): Verdict[] {
  const [first] = runs;
  const { lines } = first;
  const until = first.finished ? '' : ` by step ${counted(first.steps.done)}`;
  // They come with the primary protocol first.
  const [primary] = evaluations;
  const unjudged = { before: 'The features have not been judged on labels yet.', strong: '', after: '' };
  const courseOf = (term: string, name: string, comparison: string) =>
    course(lines, { term, name, comparison, until });
  return [
    ...runs.flatMap(stateOf),
    ...(primary === undefined ? [unjudged] : verdicts(primary)),
    ...pairs.flatMap((result) => pairVerdicts(result)),
    ...courseOf('global', 'The global loss', 'that of blind guessing'),
    ...courseOf('consistency', 'The anatomical consistency loss', 'that between images of different pairs'),
  ];
}

interface Course {
  readonly term: string;
  readonly name: string;
  readonly comparison: string;
  /** Where the curve ends, of a run that did not come to its end. */
  readonly until: string;
}

function course(lines: RunRecord['lines'], { term, name, comparison, until }: Course): Verdict[] {
  const { points } = seriesOf(lines, term);
  const chance = seriesOf(lines, `chance/${term}`).points;
  if (points.length === 0 || chance.length === 0) return [];
  const before = `${name} went from ${brief(points[0]!.value)} to `;
  // Chance moves with the size of the batch, which may be smaller at the end of an epoch, and with the features.
  const [first, last] = [brief(chance[0]!.value), brief(endOf(chance))];
  const moved = first === last ? `is ${last}` : `from ${first} to ${last}`;
  return [{ before, strong: brief(endOf(points)), after: `${until}; ${comparison} ${moved}.` }];
}

/** The loss of one batch is noisy, so the mean of the last ones stands for the end. */
function endOf(points: readonly Point[]): number {
  const end = points.slice(-Math.min(20, Math.ceil(points.length / 10)));
  return end.reduce((sum, { value }) => sum + value, 0) / end.length;
}

function objective(method: RunRecord['config']['method']): string {
  return method.name === 'anatomy'
    ? `${method.consistencyWeight} · L_C + ${method.alpha} · L_Glo, τ ${method.tau}`
    : methodNamed(method.name)!.summary;
}

function settings({ runs }: RunFolder, judged: RunData | Unavailable): Markup {
  const name = sampleName(judged);
  const [{ config, provenance, steps }] = runs;
  const { data, method, training } = config;
  const epochs = (steps.done * training.batchSize) / provenance.pairs;
  const trained: [string, string][] = [
    [
      'Budget',
      `${counted(steps.done)} of ${counted(steps.planned)} steps of ${training.batchSize} ${name}s, about ${brief(epochs)} epochs`,
    ],
    [
      'Optimiser',
      `SGD ${training.learningRate}, momentum ${training.momentum}, weight decay ${training.weightDecay}, ${training.schedule.kind}`,
    ],
    ['Time in training steps', `about ${runs.map(timeOf).join(', ')}`],
  ];
  const rows: [string, string][] = [
    ['Data', `${provenance.data}, ${counted(provenance.pairs)} ${name}s${runs.length > 1 ? ' a fold' : ''}`],
    ...(provenance.simulated?.length
      ? [['Simulated images', simulatedImages(provenance)] as [string, string]]
      : []),
    ['Method and recipe', `${method.name}, ${config.recipe}`],
    ['Encoder', `${networkWords(config)}, images ${data.size} × ${data.size}`],
    ['Objective', objective(method)],
    ...(steps.planned === 0 ? [] : trained),
    ['Seed', String(config.seed)],
    ['Hardware', hardware(provenance)],
    ['Precision', provenance.precision],
    [
      'Software',
      `${provenance.tool}, LibTorch ${provenance.torch}, Node ${provenance.node}, ${provenance.platform}`,
    ],
  ];
  return html`<dl>${rows.map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>
`,
  )}</dl>`;
}

function simulatedImages({ simulated = [], generatorVersion }: RunRecord['provenance']): string {
  const version = generatorVersion === undefined ? '' : `, version ${generatorVersion}`;
  return `${simulated.join(', ')}${version}`;
}

function hardware({ cpu, cores, threads, memoryBytes, device }: RunRecord['provenance']): string {
  const gibibytes = Math.round(memoryBytes / 2 ** 30);
  return `${device}; ${cpu ?? 'unknown CPU'}, ${cores} cores, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${gibibytes} GiB`;
}

function timeOf({ lines, config }: RunRecord): string {
  const seconds = lines.reduce((sum, { pairsPerSecond }) => {
    return typeof pairsPerSecond === 'number' && pairsPerSecond > 0
      ? sum + config.training.batchSize / pairsPerSecond
      : sum;
  }, 0);
  return formatDuration(seconds);
}

function pictureSection(pictures: PagePictures): Markup {
  if (pictures.kind !== 'shown') return html`<p>${pictures.reason}</p>`;
  return html`<p>${viewsMeaning(pictures.views)}, all at the size the encoder sees. If something is wrong with the data, it can usually be seen here.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Pairs and views">
<table class="pairs">
<thead><tr><td></td>${pictures.views.map((view) => html`<th scope="col">${view}</th>`)}</tr></thead>
<tbody>
${pictures.pairs.map(
  ({ name, label, images }) => html`<tr><th scope="row">${name}<small>${label}</small></th>${images.map(
    (png, i) =>
      png === undefined
        ? html`<td class="missing">missing</td>`
        : html`<td><img alt="${name}, view ${pictures.views[i]}" src="data:image/png;base64,${Buffer.from(png).toString('base64')}"></td>`,
  )}</tr>
`,
)}</tbody>
</table>
</div>`;
}

/** Says what the letters of the views stand for. */
function viewsMeaning(views: readonly string[]): string {
  const letters = [...new Set(views.map((view) => view.normalize('NFD').charAt(0)))];
  if (letters.length < 3) {
    return 'A and B are the two aligned images of a pair, Â and B̂ what the recipe’s augmentation makes of them';
  }
  const listed = (names: readonly string[]) => `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  const augmented = letters.map((letter) => `${letter}\u0302`.normalize());
  return `${listed(letters)} are the aligned images of a sample, ${listed(augmented)} what the recipe’s augmentation makes of them`;
}

function curveSections(
  runs: readonly RunRecord[],
  curves: readonly (readonly Figure[])[],
): Markup | readonly Markup[] {
  if (runs[0]!.steps.planned === 0) return html`<p>Nothing was trained, so there are no curves.</p>`;
  const how = html`<p>Pale lines are the values as logged, strong lines their moving mean; points are looks at some of the pairs now and then. Dashed lines are what to compare with.</p>`;
  if (runs.length === 1) return html`${how}${figureGrid(curves[0]!)}`;
  return [
    how,
    ...runs.map(
      ({ fold, steps }, i) =>
        html`<details${i === 0 ? trusted(' open') : ''}><summary>Fold ${fold} kept out, ${counted(steps.done)} steps</summary>${figureGrid(curves[i]!)}</details>`,
    ),
  ];
}

/** Removes the paths. A report may be shared, and it does not tell where its owner keeps things. */
function withoutFolders(config: Config): Config {
  const last = (path: string) => (path.startsWith('phantom:') ? path : basename(path));
  const placed = mapPlaces(config, last);
  return { ...placed, data: { ...placed.data, cacheFolder: null } };
}
