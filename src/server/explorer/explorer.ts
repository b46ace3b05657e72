/** What the encoders of runs see in their images, for a page on which one points at places and cases. */
import { statSync } from 'node:fs';
import sharp from 'sharp';
import type { DatasetSpec } from '../../data/openDataset.js';
import { hasImage } from '../../data/presence.js';
import { pseudonym, pseudonymous } from '../../data/pseudonym.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import type { PresentFeatures } from '../../evaluation/features/presentFeatures.js';
import { project } from '../../evaluation/pairs/projection.js';
import { readEvaluations } from '../../evaluation/readResults.js';
import { primaryRow } from '../../evaluation/results/evaluationResult.js';
import { predictionsOf } from '../../evaluation/results/predictions.js';
import { predictedClasses } from '../../metrics/classification.js';
import { unitRows } from '../../metrics/features/features.js';
import { tidy } from '../../tensor/index.js';
import { savedCheckpoints } from '../../training/checkpoint.js';
import { readRunConfig, runPaths } from '../../training/runFolder.js';
import type {
  CaseMap,
  CaseQuestion,
  CaseVolumes,
  DataAudit,
  ExplorerRun,
  NearestCases,
  NearestQuestion,
  Outline,
  RunDifference,
  Similarity,
  SimilarityQuestion,
} from '../messages.js';
import { AuditedData, type OnProgress } from './dataAudit.js';
import { runDifferences } from './differences.js';
import { nearestCases } from './nearestCases.js';
import { type NamedRun, type OpenRun, openRun, requireImage, requireSample } from './openRun.js';
import { Recent } from './recent.js';
import { similarityOf } from './similarities.js';
import { volumeNumbers } from './slices.js';
import type { VolumePlace } from './volumeFile.js';
import { caseVolumes, volumePlace } from './volumes.js';

/** So many runs stay open and may be seen side by side. */
const RUNS = 6;

/** The images beyond which t-SNE, which compares all with all, takes minutes. */
const MOST_TSNE = 5000;

export interface ExplorerOptions {
  /** A folder with masks of lesions, ID.png. */
  readonly masks?: string | undefined;
  /** Whether others may look: names are pseudonyms, and images are shown of phantoms alone. */
  readonly isPublic?: boolean | undefined;
  /** Data that are looked at without a run. */
  readonly data?: DatasetSpec | undefined;
}

/** Whose data are looked at: those of a run, or `given`, those that the server was started with. */
export type DataOwner = NamedRun | 'given';

export class Explorer {
  readonly #options: ExplorerOptions;
  readonly #open = new Recent<string, Promise<OpenRun>>(
    RUNS,
    (run) =>
      void run.then(
        (one) => one.dispose(),
        () => {},
      ),
  );

  readonly #data = new Recent<string, Promise<AuditedData>>(RUNS);
  readonly #sources = new Recent<string, readonly string[]>(RUNS);

  constructor(options: ExplorerOptions = {}) {
    this.#options = options;
  }

  async samples(named: NamedRun): Promise<ExplorerRun> {
    const run = await this.#run(named);
    const { dataset, sides } = run;
    const told = this.#told(run);
    const volumes = this.#options.isPublic ? [] : volumeNumbers(dataset);
    return {
      modalities: dataset.modalities,
      sides: await sides(),
      steps: savedCheckpoints(runPaths(named.root).checkpoints).map(({ step }) => step),
      // They name files and samples.
      notes: this.#options.isPublic ? [] : run.notes,
      samples: dataset.samples.map((sample, i) => ({
        id: told('sample', sample.id),
        subject: told('subject', sample.subject),
        ...(sample.label !== undefined && { label: sample.label }),
        modalities: dataset.modalities.filter((modality) => hasImage(sample, modality)),
        ...(volumes[i] !== undefined && { volume: volumes[i] }),
      })),
    };
  }

  /** @returns a PNG of the image as the run sees it, at the size of the cache */
  async picture(named: NamedRun, sample: number, modality: string): Promise<Uint8Array> {
    const { dataset, loader } = await this.#run(named);
    requireImage(dataset, sample, modality);
    this.#requireShown(dataset, sample, modality);
    const { pixels, channels, side } = tidy(() => {
      const image = loader.load([sample]).images[modality]!;
      const [, channels, side] = image.shape as [number, 1 | 3, number];
      return { pixels: image.toArray() as Uint8Array, channels, side };
    });
    const count = side * side;
    const data = Uint8Array.from(
      pixels,
      (_, i) => pixels[(i % channels) * count + Math.floor(i / channels)]!,
    );
    return sharp(data, { raw: { width: side, height: side, channels } })
      .png({ compressionLevel: 3 })
      .toBuffer();
  }

  /** @returns the answer of each run, and at last that of the pixels of the first run's images */
  async similarity(runs: readonly NamedRun[], question: SimilarityQuestion): Promise<Similarity[]> {
    if (runs.length > RUNS) {
      throw new UsageError(`${runs.length} runs are asked for at once; choose at most ${RUNS}`);
    }
    const answers: Similarity[] = [];
    for (const run of runs) answers.push(await similarityOf(await this.#run(run), run.id, question));
    const [first] = runs;
    if (first !== undefined) answers.push(await similarityOf(await this.#run(first), 'pixels', question));
    return answers;
  }

  /** @returns the images as points; the features are those that `anatomy evaluate` keeps */
  async cases(named: NamedRun, { kind, features }: CaseQuestion): Promise<CaseMap> {
    const run = await this.#run(named);
    const { samples, modalities, name } = run.dataset;
    const parts = new Map<string, PresentFeatures>();
    for (const modality of modalities) parts.set(modality, (await run.features(modality)).get(features)!);
    const images = [...parts.values()].reduce((sum, part) => sum + part.features.rows, 0);
    if (images < 4) throw new UsageError(`${name}: has ${images} images; a map of cases needs 4`);
    if (kind === 'tsne' && images > MOST_TSNE) {
      throw new UsageError(`t-SNE of ${images} images would take minutes; choose UMAP or PCA`);
    }
    // All modalities in one space, as the head's embeddings are compared by cosine.
    const { columns } = [...parts.values()].find((part) => part.features.rows > 0)!.features;
    const all = new Float64Array(images * columns);
    let at = 0;
    for (const { features: own } of parts.values()) {
      all.set(own.data, at * columns);
      at += own.rows;
    }
    const rows = { data: all, rows: images, columns };
    const projected = project(features === 'head' ? unitRows(rows) : rows, kind, 0);
    let next = 0;
    const points = modalities.map((modality) => {
      const { features: own, places } = parts.get(modality)!;
      const ofModality = new Array<readonly [number, number] | null>(samples.length).fill(null);
      for (let row = 0; row < own.rows; row += 1) {
        const [x, y] = projected[next]!;
        ofModality[places?.[row] ?? row] = [Number(x.toFixed(4)), Number(y.toFixed(4))];
        next += 1;
      }
      return [modality, ofModality] as const;
    });
    const shown = this.#options.isPublic ? pseudonymous(samples, run.dataHash) : samples;
    const about = [...columnsOf(shown), ...errorColumns(named.root, samples, run.dataHash)];
    const telling = about.filter(([, words]) => new Set(words).size > 1);
    return { points: Object.fromEntries(points), columns: Object.fromEntries(telling) };
  }

  /** @returns the outline of the sample's lesion; none where its place is not known */
  async outline(named: NamedRun, sample: number): Promise<Outline> {
    const run = await this.#run(named);
    requireSample(run.dataset, sample);
    return run.outline(sample);
  }

  /** @returns the volumes that the sample is a slice of */
  async volumes(named: NamedRun, sample: number): Promise<CaseVolumes> {
    this.#requireNotPublic();
    return caseVolumes(await this.#run(named), sample);
  }

  /** @returns where the volume lies that the image is a slice of, for the server alone */
  async volumePlace(named: NamedRun, sample: number, modality: string): Promise<VolumePlace> {
    this.#requireNotPublic();
    return volumePlace(await this.#run(named), sample, modality);
  }

  async nearest(named: NamedRun, question: NearestQuestion): Promise<NearestCases[]> {
    return nearestCases(await this.#run(named), question);
  }

  /** @returns how the others differ from the first by the predictions of their evaluations */
  async differences(runs: readonly NamedRun[]): Promise<RunDifference[]> {
    return runDifferences(runs);
  }

  /** @returns what `anatomy data check` finds in the data */
  async audit(owner: DataOwner, onProgress?: OnProgress): Promise<DataAudit> {
    const data = await this.#dataOf(owner);
    const audit = await data.audit(onProgress);
    return this.#options.isPublic ? data.pseudonymous(audit) : audit;
  }

  /** @returns a JPEG of an image as it is in the data */
  async thumbnail(owner: DataOwner, sample: number, modality: string): Promise<Uint8Array> {
    const data = await this.#dataOf(owner);
    requireImage(data.dataset, sample, modality);
    this.#requireShown(data.dataset, sample, modality);
    return data.thumbnail(sample, modality);
  }

  dispose(): void {
    this.#open.clear();
  }

  #dataOf(owner: DataOwner): Promise<AuditedData> {
    if (owner !== 'given') {
      const { root } = owner;
      return this.#data.get(`${root} ${this.#dataTimes(root)}`, () => AuditedData.ofRun(root));
    }
    const { data } = this.#options;
    if (data === undefined) throw new UsageError('no data were given; start anatomy serve with --data');
    return this.#data.get(`given ${timesOf(filesOf(data))}`, () => AuditedData.open(data));
  }

  /** The names of samples and subjects as they may be told. */
  #told({ dataHash }: OpenRun): (kind: 'sample' | 'subject', name: string) => string {
    return this.#options.isPublic ? (kind, name) => pseudonym(kind, name, dataHash) : (_, name) => name;
  }

  #requireShown({ samples }: Dataset, sample: number, modality: string): void {
    if (samples[sample]!.images[modality]!.kind !== 'generated') this.#requireNotPublic();
  }

  #requireNotPublic(): void {
    if (this.#options.isPublic) throw new UsageError('images of patients are not shown to the public');
  }

  #run({ root, step }: NamedRun): Promise<OpenRun> {
    // A run that trains on gets a new checkpoint now and then.
    const { encoder, checkpoints } = runPaths(root);
    const key = [root, step, timesOf([encoder, checkpoints]), this.#dataTimes(root)].join(' ');
    return this.#open.get(key, () => openRun(root, { step, masks: this.#options.masks }));
  }

  /** When the files that name a run's data were written, as the data may be mended while one looks at it. */
  #dataTimes(root: string): string {
    const { config } = runPaths(root);
    const time = timesOf([config]);
    const files = this.#sources.get(`${root} ${time}`, () => {
      const { data } = readRunConfig(root);
      return [...filesOf(data), ...(data.splits === null ? [] : [data.splits])];
    });
    return [time, timesOf(files)].join(' ');
  }
}

type Named = { readonly [place in 'path' | 'pathB' | 'drop']?: string | null } & Pick<DatasetSpec, 'folders'>;

/** The files and folders that name data. */
function filesOf({ path, pathB, folders, drop }: Named): string[] {
  return [path, pathB, ...Object.values(folders ?? {}), drop].filter((file) => file != null);
}

function timesOf(files: readonly string[]): string {
  return files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? '-').join();
}

type Column = readonly [name: string, words: readonly string[]];

/** What samples can be told apart by. */
function columnsOf(samples: readonly Sample[]): Column[] {
  const extra = new Set(samples.flatMap((sample) => Object.keys(sample.extra ?? {})));
  return [
    ['label', samples.map(({ label }) => label ?? '')],
    ['subject', samples.map(({ subject }) => subject)],
    ['fold', samples.map(({ fold }) => (fold === undefined ? '' : String(fold)))],
    ...[...extra].map((name): [string, string[]] => [
      name,
      samples.map((sample) => sample.extra?.[name] ?? ''),
    ]),
  ];
}

/** For each evaluation of the run, what it made of the samples: right, or the class that it took them for. */
function errorColumns(root: string, samples: readonly Sample[], dataHash: string): Column[] {
  return readEvaluations(root).flatMap(({ name, record, predictions }): Column[] => {
    const row = primaryRow(record);
    const own = row && predictions && predictionsOf(predictions, row.key);
    if (own === undefined) return [];
    const predicted = predictedClasses(own.probabilities, own.ids.length, { classes: own.classes.length });
    const words = own.ids.map((id, i): [string, string] => {
      const taken = predicted[i]!;
      return [id, taken === own.labels[i] ? 'right' : `taken for ${own.classes[taken]}`];
    });
    const of = new Map(words);
    // Predictions name samples by pseudonyms, unless they were asked to keep the ids.
    const made = ({ id }: Sample) => of.get(pseudonym('sample', id, dataHash)) ?? of.get(id) ?? 'not tested';
    return [[`errors of ${name}`, samples.map(made)]];
  });
}
