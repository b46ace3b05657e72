/** Opens the encoders of a fold and forwards images through them, while a classifier is trained on top. */

import type { ImageCache } from '../../data/cache/decodedImages.js';
import type { Loader } from '../../data/loading/loader.js';
import { type Batch, imagesOf, makeViews, type ViewOptions } from '../../methods/index.js';
import { averagedMaps, disposeModule, type Encoder } from '../../nn/index.js';
import { autocast, type Device, inFullPrecision, ops, type Tensor, tensor } from '../../tensor/index.js';
import { calibrate } from '../../training/embed.js';
import { autocastDtype, type Precision } from '../../training/precision.js';
import {
  emptyEncoder,
  loadWeights,
  type RunEncoder,
  separateModalities,
  untrainedEncoder,
} from '../encoders/runEncoders.js';
import type { PresentFeatures } from '../features/presentFeatures.js';
import { embedKinds } from '../features/representations.js';
import type { RowSource } from '../results/evaluationResult.js';
import type { EncoderFeatures } from '../results/featureKinds.js';
import { isAny } from '../results/modalitySets.js';

/** One encoder and the modalities whose images it sees. */
export interface EncoderGroup {
  readonly encoder: Encoder;
  readonly modalities: readonly string[];
}

/** The way in which images are loaded and prepared for an encoder. */
export interface Viewing {
  readonly loader: Loader;
  /** The images; they tell which samples lack some. */
  readonly cache: Pick<ImageCache, 'present'>;
  readonly device: Device;
  readonly precision: Precision;
  readonly views: ViewOptions;
}

export interface GroupOptions {
  readonly source: Exclude<RowSource, 'thumbnail'>;
  readonly run: RunEncoder;
  /** All modalities of the data. */
  readonly modalities: readonly string[];
  /** The modalities whose images are used; encoders of others are left out. */
  readonly used: readonly string[];
  /** The kinds of features that are used. `head` needs the head's weights in the run's file. */
  readonly kinds: readonly EncoderFeatures[];
  /** The positions in the data of the images on which an untrained encoder's batch norm is calibrated. */
  readonly calibrateOn: readonly number[];
  readonly viewing: Viewing;
}

/**
 * Opens new networks with the run's weights, or with random weights of the same kind: one for all modalities or one
 * each, as the run has them. The caller frees them with `disposeGroups`.
 *
 * @throws UsageError when the head is asked for and the run's file has none
 */
export async function openGroups(options: GroupOptions): Promise<EncoderGroup[]> {
  const { source, run, modalities, used, kinds, calibrateOn, viewing } = options;
  const own = separateModalities(run).filter((modality) => modalities.includes(modality));
  const shared = modalities.filter((modality) => !own.includes(modality));
  const wanted = [shared, ...own.map((modality) => [modality])].filter((group) =>
    group.some((modality) => used.includes(modality)),
  );
  const groups: EncoderGroup[] = [];
  try {
    for (const group of wanted) {
      const make = source === 'run' ? emptyEncoder : untrainedEncoder;
      const encoder = make(run.config, viewing.device);
      groups.push({ encoder, modalities: group });
      if (source === 'run') {
        loadWeights(run, encoder, group[0]!, { needsHead: kinds.includes('head') });
      } else if (encoder.backbone.batchNorm) {
        await calibrate({ ...embedOptions(viewing), encoder, indices: calibrateOn }, group);
      }
    }
  } catch (error) {
    disposeGroups(groups);
    throw error;
  }
  return groups;
}

export function disposeGroups(groups: readonly EncoderGroup[]): void {
  for (const { encoder } of groups) disposeModule(encoder);
}

/**
 * Features by kind and modality, such as `pooled/a`, of the samples that have the modality: tensors [n, d] for a batch,
 * arrays for many samples.
 */
export type FeaturesBy<T> = ReadonlyMap<string, T>;

export interface BatchFeaturesOptions {
  readonly used: readonly string[];
  readonly kinds: readonly EncoderFeatures[];
  /** True when images are cropped and flipped as `views.augmentation` says, all modalities of a pair alike. */
  readonly augmented: boolean;
  /** True when batch norm uses and records the statistics of the batch. */
  readonly training: boolean;
}

/**
 * Computes the features of a batch with one forward pass for each encoder, all its modalities in it. It records a graph
 * unless it is called without gradient. Modalities that no sample of the batch has are left out.
 */
export function batchFeatures(
  groups: readonly EncoderGroup[],
  batch: Batch,
  { precision, device, views: viewOptions }: Omit<Viewing, 'loader' | 'cache'>,
  { used, kinds, augmented, training }: BatchFeaturesOptions,
): FeaturesBy<Tensor> {
  const dtype = autocastDtype(precision);
  const found = new Map<string, Tensor>();
  for (const { encoder, modalities } of groups) {
    const own = modalities.filter((modality) => used.includes(modality) && imagesOf(batch, modality) > 0);
    if (own.length === 0) continue;
    const counts = own.map((modality) => imagesOf(batch, modality));
    const look = augmented ? ('shared-crop' as const) : ('whole' as const);
    const { images } = makeViews(
      batch,
      own.map((modality) => ({ modality, look })),
      viewOptions,
    );
    const forward = () => viewFeatures(encoder, images, { used: own, counts, kinds, training });
    const features = dtype === null ? forward() : autocast(dtype, forward, device);
    for (const [name, part] of features) found.set(name, part);
  }
  return found;
}

/**
 * Computes the features of views with one encoder.
 * @param images views of the used modalities one after another, [Σn, C, size, size]
 * @param options.counts the number n of images of each used modality; the same for all by default
 */
export function viewFeatures(
  encoder: Encoder,
  images: Tensor,
  {
    used,
    counts = used.map(() => images.size(0) / used.length),
    kinds,
    training,
  }: Omit<BatchFeaturesOptions, 'augmented'> & { readonly counts?: readonly number[] },
): FeaturesBy<Tensor> {
  const output = encoder.forward(images, { training });
  const read: Readonly<Record<EncoderFeatures, () => Tensor>> = {
    pooled: () => output.features,
    head: () => output.embedding,
    maps: () => averagedMaps(output),
  };
  const starts = counts.map((_, view) => counts.slice(0, view).reduce((sum, count) => sum + count, 0));
  return new Map(
    kinds.flatMap((kind) => {
      const all = read[kind]();
      return used.map(
        (modality, view) => [`${kind}/${modality}`, all.narrow(0, starts[view]!, counts[view]!)] as const,
      );
    }),
  );
}

/** Computes the features of whole images in evaluation mode, without a graph. @param indices positions in the data */
export async function wholeFeatures(
  groups: readonly EncoderGroup[],
  indices: readonly number[],
  viewing: Viewing,
  { used, kinds }: Pick<BatchFeaturesOptions, 'used' | 'kinds'>,
): Promise<FeaturesBy<PresentFeatures>> {
  const found = new Map<string, PresentFeatures>();
  for (const { encoder, modalities } of groups) {
    for (const modality of modalities.filter((name) => used.includes(name))) {
      const own = { ...embedOptions(viewing), cache: viewing.cache, encoder, modality, indices };
      for (const [kind, part] of await embedKinds(kinds, own)) found.set(`${kind}/${modality}`, part);
    }
  }
  return found;
}

/**
 * The features of one kind that a classifier sees of a batch, [B, columns] each: those of a set of modalities in its
 * order, which all samples of the batch have; or for `any` the mean over the modalities that each sample has.
 */
export function partsOf(
  features: FeaturesBy<Tensor>,
  kind: string,
  set: readonly string[],
  batch?: Pick<Batch, 'ids' | 'present'>,
): Tensor[] {
  if (!isAny(set)) return set.map((modality) => features.get(`${kind}/${modality}`)!);
  const own = [...features].filter(([name]) => name.startsWith(`${kind}/`));
  const modalities = own.map(([name]) => name.slice(kind.length + 1));
  return [
    meanOfPresent(
      own.map(([, part]) => part),
      modalities,
      batch!,
    ),
  ];
}

/** The mean of the features that each sample has, [B, d] in full precision. @param parts [n, d] each */
function meanOfPresent(
  parts: readonly Tensor[],
  modalities: readonly string[],
  { ids, present }: Pick<Batch, 'ids' | 'present'>,
): Tensor {
  const everyone = ids.map((_, place) => place);
  const places = modalities.flatMap((modality) => present?.[modality] ?? everyone);
  const counts = ids.map((_, place) => places.filter((one) => one === place).length);
  const shares = new Float32Array(ids.length * places.length);
  for (const [row, place] of places.entries()) shares[place * places.length + row] = 1 / counts[place]!;
  return inFullPrecision(parts, (...own) => {
    const joined = ops.cat(own, 0);
    const weights = tensor(shares, [ids.length, places.length], { device: joined.device });
    return ops.matmul(weights, joined);
  });
}

function embedOptions({ loader, device, precision, views }: Omit<Viewing, 'cache'>) {
  const { size, normalization = 'none' } = views;
  return { loader, device, precision, size, normalization };
}
