/** Opens a run with its encoder and its images. */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import { ImageLoader } from '../../data/loading/loader.js';
import { hasImage } from '../../data/presence.js';
import type { Dataset, Sample } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import { openJudgedData } from '../../evaluation/encoders/judgedData.js';
import type { JudgedRun } from '../../evaluation/encoders/runEncoders.js';
import { forwardingOf } from '../../evaluation/encoders/runSummary.js';
import { FeatureStore, type KindFeatures, weightsDigest } from '../../evaluation/features/featureStore.js';
import { placesWith } from '../../evaluation/features/presentFeatures.js';
import { embedKinds } from '../../evaluation/features/representations.js';
import { openMasks } from '../../evaluation/pairs/masks.js';
import { patchSimilarities } from '../../evaluation/pairs/measures/encoderMeasures.js';
import { pixelSimilarities } from '../../evaluation/pairs/measures/pixelPatches.js';
import type { EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import { MessageConsole } from '../../log/console.js';
import type { Encoder, FoldedNorms } from '../../nn/index.js';
import { tensor, tidy } from '../../tensor/index.js';
import { savedCheckpoints } from '../../training/checkpoint.js';
import { embedBatches, foldedNorms, type OutputRows } from '../../training/embed.js';
import { openImages } from '../../training/imageCache.js';
import { runPaths } from '../../training/runFolder.js';
import { openSingleRun, RunNetworks } from '../../use/openEncoder.js';
import type { Outline } from '../messages.js';
import { outlineOf } from './outline.js';
import { Recent } from './recent.js';
import { statesOfVolumes } from './slices.js';

/** So many matrices of a run are kept. At 28² patches one takes 2.4 MB. */
const MATRICES = 48;

/** The maps of so many images are kept: those of a sample with strangers, and of the one before. */
const MAPS = 8;

/** The side at which phantoms draw their lesions, in pixels: as large as a panel of the page. */
const MASK_SIDE = 448;

/** A run, by its name on the page, and the checkpoint that is asked; by default the encoder that it has last. */
export interface NamedRun {
  readonly id: string;
  readonly root: string;
  readonly step?: number;
}

/** A run that can be asked about its images. */
export interface OpenRun {
  readonly dataset: Dataset;
  /** The warnings of its data. */
  readonly notes: readonly string[];
  /** The features of all images of a modality. */
  readonly features: (modality: string) => Promise<KindFeatures>;
  readonly loader: ImageLoader;
  readonly sides: () => Promise<number[]>;
  /** The hash of ids and pixels, which is the key of pseudonyms. */
  readonly dataHash: string;
  /** The outline of a sample's lesion; none where its place is not known. */
  readonly outline: (sample: number) => Promise<Outline>;
  /** The step of the checkpoint; undefined for a finished encoder. */
  readonly step: number | undefined;
  /** The state of the file of a volume when the run was opened; undefined where it was not there. */
  readonly volumeState: (path: string) => string | undefined;
  /** The similarity of all patches of an image to each other, [P, P]. */
  readonly matrix: (at: Place, map: number | 'pixels', grid: number) => Promise<Float32Array>;
  readonly dispose: () => void;
}

export interface Place {
  readonly sample: number;
  readonly modality: string;
}

export interface OpenRunOptions {
  /** Takes the last checkpoint that is not beyond this step, in place of the encoder that the run has last. */
  readonly step?: number | undefined;
  /** A folder with a mask ID.png for samples. Phantoms know their lesions without it. */
  readonly masks?: string | undefined;
}

export async function openRun(root: string, { step, masks }: OpenRunOptions = {}): Promise<OpenRun> {
  const console = new Notes();
  const run = step === undefined ? openSingleRun(root, () => {}) : atStep(root, step);
  const forwarding = forwardingOf(run, {});
  const networks = new RunNetworks(run, forwarding.device);
  const { config } = networks;
  const dataset = await openJudgedData({}, config, console);
  const volumeStates = statesOfVolumes(dataset);
  const cache: ImageCache = await openImages(dataset, config, config.data.cacheFolder ?? undefined, console);
  const loader = new ImageLoader(cache);
  const { size, normalize: normalization } = config.data;
  const lesionOf = await openMasks({
    ...{ dataset, folder: masks, size: MASK_SIDE },
    path: config.data.path ?? '',
  });
  const maps = new Recent<string, Promise<readonly OutputRows[]>>(MAPS);
  // Folding the weights takes as long as a forward pass of one image.
  const folded = new Map<Encoder, FoldedNorms>();
  const foldedOf = (encoder: Encoder) => {
    const known = folded.get(encoder) ?? foldedNorms(encoder, precision);
    folded.set(encoder, known);
    return known;
  };
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
      const options = { ...common, encoder, modality, folded: foldedOf(encoder) };
      const batches = embedBatches(options, (output) => output.maps);
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
    notes: console.warnings,
    dataHash,
    step: run.encoders[0]!.checkpoint?.step,
    outline: async (sample) => {
      const mask = dataset.samples[sample] === undefined ? undefined : await lesionOf(sample);
      return mask === undefined ? [] : outlineOf(mask);
    },
    volumeState: (path) => volumeStates.get(path),
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
    matrix: (at, map, grid) => {
      const image = `${at.sample} ${at.modality}`;
      maps.touch(image); // strangers stay, for when another map is asked for
      return matrices.get(`${image} ${map} ${grid}`, () => matrix(at, map, grid));
    },
    dispose: () => {
      for (const weights of folded.values()) weights.dispose();
      networks.dispose();
      loader.dispose();
    },
  };
}

/** Keeps warnings for the page, where whoever opens the run reads them; the terminal of the server may be another's. */
class Notes extends MessageConsole {
  readonly warnings: string[] = [];

  constructor() {
    super({ quiet: true });
  }

  override warn(text: string): void {
    if (!this.warnings.includes(text)) this.warnings.push(text);
  }
}

/** The run with one of its earlier checkpoints. */
function atStep(root: string, step: number): JudgedRun {
  const run = openSingleRun(root, () => {});
  const saved = savedCheckpoints(runPaths(root).checkpoints);
  const checkpoint = saved.findLast((one) => one.step <= step) ?? saved[0];
  if (checkpoint === undefined) throw new UsageError(`${root}: has no checkpoint; leave the step out`);
  return { ...run, encoders: [{ ...run.encoders[0]!, checkpoint }] };
}

/** @throws UsageError where there is no such sample */
export function requireSample({ samples, name }: Dataset, sample: number): Sample {
  const own = samples[sample];
  if (own !== undefined) return own;
  throw new UsageError(`sample is ${sample}; ${name} has samples 0 to ${samples.length - 1}`);
}

/** @throws UsageError where the sample is none, or lacks the image */
export function requireImage({ samples, name }: Dataset, sample: number, modality: string): void {
  if (samples[sample] !== undefined && hasImage(samples[sample], modality)) return;
  throw new UsageError(`${name}: sample ${sample} has no image of ${modality}`);
}
