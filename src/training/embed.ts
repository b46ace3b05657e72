/** The encoder on un-augmented images: embeddings of all samples, and the calibration of batch norm. */
import { resample } from '../augment/index.js';
import type { Loader } from '../data/loading/loader.js';
import { joinViews, type Normalization, normalize } from '../methods/index.js';
import { averagedMaps, type BackboneOutput, type Encoder, FoldedNorms } from '../nn/index.js';
import {
  autocast,
  type Device,
  noGrad,
  type ProcessGroup,
  type Tensor,
  tidy,
  toChannelsLast,
} from '../tensor/index.js';
import { autocastDtype, type Precision } from './precision.js';

/** The number of images in one forward pass. */
const BATCH = 64;

/** What an encoder gives for an image, as a row of numbers. */
const OUTPUTS = {
  /** The last map averaged over its pixels, [C]. */
  features: ({ features }) => features,
  /** The head's raw output, [embeddingSize]. */
  embedding: (output, encoder) => encoder.embeddingOf(output),
  /** The last three maps, each averaged over its pixels, side by side, [ΣC]. */
  maps: averagedMaps,
} as const satisfies Readonly<Record<string, (output: BackboneOutput, encoder: Encoder) => Tensor>>;

export type OutputName = keyof typeof OUTPUTS;

/** The outputs for the images of one modality, row-major: row i belongs to the i-th sample asked for. */
export type Embeddings<Name extends OutputName> = Readonly<Record<Name, Float32Array>> & {
  /** The number of samples. */
  readonly rows: number;
};

export interface EmbedOptions {
  encoder: Encoder;
  loader: Loader;
  modality: string;
  /** The positions of the samples in the data set. */
  indices: readonly number[];
  size: number;
  normalization: Normalization;
  precision: Precision;
  device: Device;
  batchSize?: number;
  /** The encoder's folded weights, where the caller keeps them over several calls; else they are made for this one. */
  folded?: FoldedNorms;
  /** The processes among which the batches are dealt, where there are several. All get the outputs of all. */
  group?: ProcessGroup | undefined;
}

/** An output for one batch. */
export interface OutputRows {
  readonly values: Float32Array;
  /** The shape of one row. */
  readonly shape: readonly number[];
}

/**
 * Embeds un-augmented images without gradient, in evaluation mode.
 *
 * @param options.indices samples that have an image of the modality
 * @param outputs what is computed
 */
export async function embed<Name extends OutputName>(
  options: EmbedOptions,
  outputs: readonly Name[],
): Promise<Embeddings<Name>> {
  const parts = outputs.map((): Float32Array[] => []);
  const batches = embedBatches(options, (output, encoder) =>
    outputs.map((name) => OUTPUTS[name](output, encoder)),
  );
  for await (const batch of batches) for (const [i, { values }] of batch.entries()) parts[i]!.push(values);
  const joined = outputs.map((name, i) => [name, join(parts[i]!)] as const);
  return {
    ...(Object.fromEntries(joined) as Record<Name, Float32Array>),
    rows: options.indices.length,
  };
}

/**
 * Embeds un-augmented images batch by batch, as {@link embed} does, and gives what `read` takes of each batch's output.
 * Batch norm is folded into the convolutions. Several processes compute the same batches as one, each of them another.
 *
 * @param options.indices samples that have an image of the modality
 * @param read takes tensors with a row for each image
 */
export async function* embedBatches(
  { modality, group, folded: kept, ...options }: EmbedOptions,
  read: (output: BackboneOutput, encoder: Encoder) => readonly Tensor[],
): AsyncGenerator<readonly OutputRows[]> {
  const { encoder, precision, indices, batchSize = BATCH } = options;
  const { rank, size } = group ?? { rank: 0, size: 1 };
  const batches = Array.from({ length: Math.ceil(indices.length / batchSize) }, (_, i) =>
    indices.slice(i * batchSize, (i + 1) * batchSize),
  );
  const rounds = Array.from({ length: Math.ceil(batches.length / size) }, (_, i) =>
    batches.slice(i * size, (i + 1) * size),
  );
  // A process that gets no batch of the last round computes the first one of it too, as it must know the shapes.
  const own = rounds.flatMap((round) => round[rank] ?? round[0]!);
  let next = 0;
  const folded = kept ?? foldedNorms(encoder, precision);
  try {
    const passes = forwardAll({ ...options, indices: own, batchSize }, [modality], (images) => {
      const outputs = read(encoder.backbone.forward(images, { folded }), encoder);
      const round = rounds[next]!;
      next += 1;
      if (group === undefined) return [outputs.map(rowsOf)];
      const lengths = Array.from({ length: size }, (_, one) => round[one]?.length ?? 0);
      const gathered = outputs.map((output) => group.gather(output.narrow(0, 0, lengths[rank]!), lengths));
      return round.map((_, one) => gathered.map((all) => rowsOf(all[one]!)));
    });
    for await (const round of passes) yield* round;
  } finally {
    if (kept === undefined) folded.dispose();
  }
}

/** The encoder's weights as they are now, folded for {@link embedBatches}. The caller disposes of them. */
export function foldedNorms(encoder: Encoder, precision: Precision): FoldedNorms {
  return new FoldedNorms(encoder.backbone.convolutions, autocastDtype(precision));
}

function rowsOf(output: Tensor): OutputRows {
  return {
    values: output.to({ dtype: 'f32' }).toArray() as Float32Array,
    shape: output.shape.slice(1),
  };
}

/**
 * Sets batch norm's running statistics to the averages over all given images, by one pass. An untrained encoder needs
 * it for a fair comparison: the same random weights probe at 0.75 AUC with it and at 0.56 without. As in training, a
 * batch holds all images of its samples.
 */
export async function calibrate(
  options: Omit<EmbedOptions, 'modality' | 'group' | 'folded'>,
  modalities: readonly string[],
): Promise<void> {
  let seen = 0;
  // With a batch's share of all images so far as momentum, the exponential average is a plain one.
  const momentum = (images: number): number => {
    seen += images;
    return images / seen;
  };
  const batches = forwardAll(options, modalities, (images) => {
    options.encoder.backbone.forward(images, { training: true, momentum: momentum(images.size(0)) });
  });
  while (!(await batches.next()).done);
}

/**
 * Gives `forward` batches of un-augmented images without gradient, in the precision asked for. A batch holds the images
 * of all given modalities that its samples have.
 */
async function* forwardAll<T>(
  {
    loader,
    indices,
    size,
    normalization,
    precision,
    device,
    batchSize = BATCH,
  }: Omit<EmbedOptions, 'modality' | 'group' | 'folded'>,
  modalities: readonly string[],
  forward: (images: Tensor) => T,
): AsyncGenerator<T> {
  const dtype = autocastDtype(precision);
  // The first layer would cast them to the same bits later.
  const viewed = { size, dtype: (normalization === 'none' ? dtype : null) ?? 'f32' } as const;
  const viewsOf = (stored: Readonly<Record<string, Tensor>>): Tensor | null => {
    const views = modalities.flatMap((modality) => {
      const images = stored[modality];
      if (images === undefined) {
        throw new RangeError(`embed: no modality ${modality}; the data has ${loader.modalities.join(', ')}`);
      }
      return images.size(0) === 0 ? [] : [resample(images, null, viewed)];
    });
    return views.length === 0 ? null : toChannelsLast(normalize(joinViews(views), normalization));
  };
  for (let start = 0; start < indices.length; start += batchSize) {
    const chosen = indices.slice(start, start + batchSize);
    await loader.prepare(chosen);
    const pass = () =>
      noGrad(() =>
        tidy(() => {
          const images = tidy(() => viewsOf(loader.load(chosen).images));
          return images === null ? [] : [forward(images)];
        }),
      );
    yield* dtype === null ? pass() : autocast(dtype, pass, device);
  }
}

function join(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
