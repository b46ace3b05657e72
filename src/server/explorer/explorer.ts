/** What the encoders of runs see in a sample: similarity of every place to one that is pointed at (paper, Fig. 5). */
import { statSync } from 'node:fs';
import sharp from 'sharp';
import type { ImageCache } from '../../data/cache/decodedImages.js';
import { ImageLoader } from '../../data/loading/loader.js';
import { hasImage } from '../../data/presence.js';
import type { Dataset } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import { openJudgedData } from '../../evaluation/encoders/judgedData.js';
import { forwardingOf } from '../../evaluation/encoders/runSummary.js';
import { FeatureStore, type KindFeatures, weightsDigest } from '../../evaluation/features/featureStore.js';
import { type PresentFeatures, placesWith } from '../../evaluation/features/presentFeatures.js';
import { embedKinds } from '../../evaluation/features/representations.js';
import { patchSimilarities } from '../../evaluation/pairs/measures/encoderMeasures.js';
import { pixelSimilarities } from '../../evaluation/pairs/measures/pixelPatches.js';
import { project } from '../../evaluation/pairs/projection.js';
import type { EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import { MessageConsole } from '../../log/console.js';
import { unitRows } from '../../metrics/features/features.js';
import { spearman } from '../../metrics/rankCorrelation.js';
import { tensor, tidy } from '../../tensor/index.js';
import { embedBatches, type OutputRows } from '../../training/embed.js';
import { openImages } from '../../training/imageCache.js';
import { runPaths } from '../../training/runFolder.js';
import { openSingleRun, RunNetworks } from '../../use/openEncoder.js';
import type {
  CaseMap,
  CaseQuestion,
  ExplorerRun,
  Region,
  Similarity,
  SimilarityQuestion,
} from '../messages.js';

/** A run, by its name on the page. */
export interface NamedRun {
  readonly id: string;
  readonly root: string;
}

/** So many runs stay open and may be seen side by side, with so many matrices of each. At 28² patches one takes 2.4 MB. */
const RUNS = 6;
const MATRICES = 48;

/** The patches on a side beyond which a matrix of all pairs is too large to be quick. */
const FINEST = 28;

/** The images beyond which t-SNE, which compares all with all, takes minutes. */
const MOST_TSNE = 5000;

/** Images of so many other subjects tell what chance would give. */
const STRANGERS = 3;

export class Explorer {
  readonly #open = new Recent<string, Promise<OpenRun>>(
    RUNS,
    (run) =>
      void run.then(
        (one) => one.dispose(),
        () => {},
      ),
  );

  async samples({ root }: NamedRun): Promise<ExplorerRun> {
    const { dataset, sides } = await this.#run(root);
    return {
      modalities: dataset.modalities,
      sides: await sides(),
      samples: dataset.samples.map((sample) => ({
        id: sample.id,
        subject: sample.subject,
        ...(sample.label !== undefined && { label: sample.label }),
        modalities: dataset.modalities.filter((modality) => hasImage(sample, modality)),
      })),
    };
  }

  /** @returns a PNG of the image as the run sees it, at the size of the cache */
  async picture({ root }: NamedRun, sample: number, modality: string): Promise<Uint8Array> {
    const { dataset, loader } = await this.#run(root);
    requireImage(dataset, sample, modality);
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
    for (const { id, root } of runs) answers.push(await answerOf(await this.#run(root), id, question));
    const [first] = runs;
    if (first !== undefined) answers.push(await answerOf(await this.#run(first.root), 'pixels', question));
    return answers;
  }

  /** @returns the images as points; the features are those that `anatomy evaluate` keeps */
  async cases({ root }: NamedRun, { kind, features }: CaseQuestion): Promise<CaseMap> {
    const run = await this.#run(root);
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
        ofModality[places?.[row] ?? row] = [rounded(x), rounded(y)];
        next += 1;
      }
      return [modality, ofModality] as const;
    });
    return { points: Object.fromEntries(points), columns: columnsOf(run.dataset) };
  }

  dispose(): void {
    this.#open.clear();
  }

  #run(root: string): Promise<OpenRun> {
    // A run that trains on gets a new checkpoint now and then.
    const { encoder, checkpoints } = runPaths(root);
    const stamp = [encoder, checkpoints]
      .map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs)
      .join();
    return this.#open.get(`${root} ${stamp}`, () => openRun(root));
  }
}

/** What samples can be told apart by, as long as they say something. */
function columnsOf({ samples }: Dataset): CaseMap['columns'] {
  const extra = new Set(samples.flatMap((sample) => Object.keys(sample.extra ?? {})));
  const columns: [string, string[]][] = [
    ['label', samples.map(({ label }) => label ?? '')],
    ['subject', samples.map(({ subject }) => subject)],
    ['fold', samples.map(({ fold }) => (fold === undefined ? '' : String(fold)))],
    ...[...extra].map((name): [string, string[]] => [
      name,
      samples.map((sample) => sample.extra?.[name] ?? ''),
    ]),
  ];
  return Object.fromEntries(columns.filter(([, words]) => new Set(words).size > 1));
}

interface OpenRun {
  readonly dataset: Dataset;
  /** The features of all images of a modality. */
  readonly features: (modality: string) => Promise<KindFeatures>;
  readonly loader: ImageLoader;
  readonly sides: () => Promise<number[]>;
  /** The similarity of all patches of an image to each other, [P, P]. */
  readonly matrix: (at: Place, map: number | 'pixels', grid: number) => Promise<Float32Array>;
  readonly dispose: () => void;
}

interface Place {
  readonly sample: number;
  readonly modality: string;
}

async function openRun(root: string): Promise<OpenRun> {
  const console = new MessageConsole({ quiet: true });
  const run = openSingleRun(root, () => {});
  const forwarding = forwardingOf(run, {});
  const networks = new RunNetworks(run, forwarding.device);
  const { config } = networks;
  const dataset = await openJudgedData({}, config, console);
  const cache: ImageCache = await openImages(dataset, config, config.data.cacheFolder ?? undefined, console);
  const loader = new ImageLoader(cache);
  const { size, normalize: normalization } = config.data;
  const maps = new Recent<string, Promise<readonly OutputRows[]>>(2 * (STRANGERS + 1));
  const matrices = new Recent<string, Promise<Float32Array>>(MATRICES);

  const folder = config.data.cacheFolder ?? undefined;
  const { dataHash } = cache;
  const { device, precision } = forwarding;
  const store = new FeatureStore(
    { dataHash, model: config.model, size, normalization, precision, device },
    folder,
  );
  const features = async (modality: string) => {
    const encoder = networks.of(modality);
    const indices = [...dataset.samples.keys()];
    const places = placesWith(cache, modality, indices);
    const common = { loader, cache, indices, size, normalization, ...forwarding, encoder, modality };
    const compute = (kinds: readonly EncoderFeatures[]) => embedKinds(kinds, common);
    return store.features([weightsDigest(encoder), modality, indices], ['pooled', 'head'], places, compute);
  };

  const mapsOf = ({ sample, modality }: Place) =>
    maps.get(`${sample} ${modality}`, async () => {
      requireImage(dataset, sample, modality);
      const common = { loader, indices: [sample], size, normalization, ...forwarding };
      const encoder = networks.of(modality);
      const batches = embedBatches({ ...common, encoder, modality }, (output) => output.maps);
      for await (const found of batches) return found;
      return [];
    });

  const matrix = async (at: Place, map: number | 'pixels', grid: number): Promise<Float32Array> => {
    if (map === 'pixels') {
      requireImage(dataset, at.sample, at.modality);
      return tidy(() => {
        const image = loader.load([at.sample]).images[at.modality]!;
        return pixelSimilarities(image, grid, 'patch-pixels').toArray() as Float32Array;
      });
    }
    const { values, shape } = (await mapsOf(at))[map]!;
    return tidy(() => patchSimilarities(tensor(values, [1, ...shape]), grid, { windows: 'adaptive' }));
  };

  return {
    dataset,
    features,
    loader,
    sides: async () => {
      const sample = dataset.samples.findIndex((one) =>
        dataset.modalities.some((name) => hasImage(one, name)),
      );
      if (sample < 0) throw new UsageError(`${dataset.name}: has no image`);
      const modality = dataset.modalities.find((name) => hasImage(dataset.samples[sample]!, name))!;
      return (await mapsOf({ sample, modality })).map(({ shape }) => shape[1]!);
    },
    matrix: (at, map, grid) =>
      matrices.get(`${at.sample} ${at.modality} ${map} ${grid}`, () => matrix(at, map, grid)),
    dispose: () => {
      networks.dispose();
      loader.dispose();
    },
  };
}

async function answerOf(run: OpenRun, source: string, asked: SimilarityQuestion): Promise<Similarity> {
  const { dataset, matrix } = run;
  const { sample, region } = asked;
  const own = dataset.samples[sample];
  if (own === undefined) {
    throw new UsageError(
      `sample is ${sample}; ${dataset.name} has samples 0 to ${dataset.samples.length - 1}`,
    );
  }
  const sides = await run.sides();
  const map = source === 'pixels' ? 'pixels' : Math.min(asked.map, sides.length - 1);
  const grid = Math.min(asked.grid, FINEST, map === 'pixels' ? run.loader.size : sides[map]!);
  const anchors = patchesIn(region, grid);
  const rowOf = async (at: Place): Promise<Float64Array> => {
    const all = await matrix(at, map, grid);
    return meanRow(all, anchors, grid ** 2);
  };
  const modalities = dataset.modalities.filter((modality) => hasImage(own, modality));
  const rows = new Map<string, Float64Array>();
  for (const modality of modalities) rows.set(modality, await rowOf({ sample, modality }));

  const outside = Array.from({ length: grid ** 2 }, (_, i) => i).filter((patch) => !anchors.includes(patch));
  const agree = (a: Float64Array, b: Float64Array) =>
    spearman(
      outside.map((patch) => a[patch]!),
      outside.map((patch) => b[patch]!),
    );
  const twos = modalities.flatMap((a, i) => modalities.slice(i + 1).map((b) => [a, b] as const));
  const chance: number[] = [];
  const [first, second] = modalities;
  if (second !== undefined) {
    for (const stranger of strangersOf(dataset, sample, second)) {
      chance.push(agree(rows.get(first!)!, await rowOf({ sample: stranger, modality: second })));
    }
  }
  return {
    source,
    grid,
    anchors,
    maps: Object.fromEntries([...rows].map(([modality, row]) => [modality, Array.from(row, rounded)])),
    agreement: meanOf(twos.map(([a, b]) => agree(rows.get(a)!, rows.get(b)!))),
    chance: meanOf(chance),
  };
}

/** The patches whose centre lies in the region; where there is none, the patch of the region's centre. */
export function patchesIn({ left, top, right, bottom }: Region, grid: number): number[] {
  const patches = Array.from({ length: grid ** 2 }, (_, patch) => patch).filter((patch) => {
    const [x, y] = [((patch % grid) + 0.5) / grid, (Math.floor(patch / grid) + 0.5) / grid];
    return x >= left && x <= right && y >= top && y <= bottom;
  });
  if (patches.length > 0) return patches;
  const place = (share: number) => Math.min(grid - 1, Math.max(0, Math.floor(share * grid)));
  return [place((top + bottom) / 2) * grid + place((left + right) / 2)];
}

function meanRow(matrix: Float32Array, rows: readonly number[], columns: number): Float64Array {
  const mean = new Float64Array(columns);
  for (const row of rows) {
    for (let j = 0; j < columns; j += 1) mean[j]! += matrix[row * columns + j]! / rows.length;
  }
  return mean;
}

/** Samples of other subjects that have the modality, the next ones in the order of the data. */
function strangersOf({ samples }: Dataset, sample: number, modality: string): number[] {
  const found: number[] = [];
  const seen = new Set([samples[sample]!.subject]);
  for (let step = 1; step < samples.length && found.length < STRANGERS; step += 1) {
    const at = (sample + step) % samples.length;
    const other = samples[at]!;
    if (seen.has(other.subject) || !hasImage(other, modality)) continue;
    seen.add(other.subject);
    found.push(at);
  }
  return found;
}

function requireImage({ samples, name }: Dataset, sample: number, modality: string): void {
  if (samples[sample] !== undefined && hasImage(samples[sample], modality)) return;
  throw new UsageError(`${name}: sample ${sample} has no image of ${modality}`);
}

function meanOf(values: readonly number[]): number | null {
  const defined = values.filter((value) => !Number.isNaN(value));
  return defined.length === 0
    ? null
    : rounded(defined.reduce((sum, value) => sum + value, 0) / defined.length);
}

const rounded = (value: number) => Number(value.toFixed(4));

/** Keeps what was asked for lately. */
class Recent<Key, Value> {
  readonly #most: number;
  readonly #leave: (value: Value) => void;
  readonly #values = new Map<Key, Value>();

  constructor(most: number, leave: (value: Value) => void = () => {}) {
    this.#most = most;
    this.#leave = leave;
  }

  /** A promise that is refused is not kept. */
  get(key: Key, make: () => Value): Value {
    const value = this.#values.get(key) ?? make();
    this.#values.delete(key);
    this.#values.set(key, value);
    if (value instanceof Promise) value.catch(() => this.#values.delete(key));
    for (const [old, one] of this.#values) {
      if (this.#values.size <= this.#most) break;
      this.#values.delete(old);
      this.#leave(one);
    }
    return value;
  }

  clear(): void {
    for (const value of this.#values.values()) this.#leave(value);
    this.#values.clear();
  }
}
