/** Computes features of samples in their order, a chunk at a time, so that memory does not grow with the data. */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import {
  featuresOfSet,
  type PresentFeatures,
  placesWith,
} from '../../evaluation/features/presentFeatures.js';
import { modalitiesIn } from '../../evaluation/results/modalitySets.js';
import type { MessageConsole } from '../../log/console.js';
import { Progress } from '../../log/progress.js';
import { type Features, featureRows } from '../../metrics/features/features.js';
import { averagedMaps, type BackboneOutput, type Encoder } from '../../nn/index.js';
import { ops, type Tensor } from '../../tensor/index.js';
import { type EmbedOptions, embedBatches, type OutputRows } from '../../training/embed.js';
import type { FeatureKind } from './featureKind.js';

/** The features of consecutive samples. */
export interface FeatureChunk {
  /** A row for each sample: its modalities' features side by side, or their mean; NaN where an image is missing. */
  readonly features: Features;
  /** The shape of one modality's features of one sample: [C], or [C, h, w] of a map. */
  readonly shape: readonly number[];
}

export interface StreamOptions extends Omit<EmbedOptions, 'encoder' | 'modality' | 'maps'> {
  /** The encoder of a modality. All are asked for before the first image, and used until the last. */
  readonly encoderFor: (modality: string) => Encoder;
  readonly cache: Pick<ImageCache, 'present'>;
  /** All modalities of the data. */
  readonly modalities: readonly string[];
  /** The modalities that make a row; see `featuresOfSet`. */
  readonly set: readonly string[];
  readonly kind: FeatureKind;
}

/**
 * Gives the features of the samples at `indices`, to the bit those of `represent`: each modality's images go through
 * the network in the same batches.
 */
export async function* featureStream({
  encoderFor,
  cache,
  modalities,
  set,
  kind,
  ...options
}: StreamOptions): AsyncGenerator<FeatureChunk> {
  const { indices, batchSize = 64 } = options;
  const read = (output: BackboneOutput, encoder: Encoder) => [tensorOf(output, encoder, kind)];
  const readers = new Map<string, RowReader>();
  for (const modality of modalitiesIn(set, modalities)) {
    const places = placesWith(cache, modality, indices);
    const own = places?.map((place) => indices[place]!) ?? indices;
    const encoder = encoderFor(modality);
    const batches = embedBatches({ ...options, encoder, modality, batchSize, indices: own }, read);
    readers.set(modality, new RowReader(batches, places));
  }
  try {
    const shape = await shapeOf([...readers.values()]);
    const columns = shape.reduce((product, length) => product * length, 1);
    for (let start = 0; start < indices.length; start += batchSize) {
      const rows = Math.min(batchSize, indices.length - start);
      const parts = new Map<string, PresentFeatures>();
      for (const [modality, reader] of readers) parts.set(modality, await reader.take(start, rows, columns));
      yield {
        features: featuresOfSet(set, (modality) => parts.get(modality)!, [...readers.keys()], rows),
        shape,
      };
    }
  } finally {
    for (const reader of readers.values()) await reader.close();
  }
}

/** Collects the features of all samples in memory, [n, d], with a progress bar. */
export async function collectFeatures(
  stream: StreamOptions,
  console: MessageConsole,
  title: string,
): Promise<Features> {
  const rows = stream.indices.length;
  const progress = new Progress(rows, console, { title });
  let data = new Float32Array(0);
  let done = 0;
  try {
    for await (const { features } of featureStream(stream)) {
      if (data.length === 0) data = new Float32Array(rows * features.columns);
      data.set(features.data, done * features.columns);
      done += features.rows;
      progress.update(done);
      // A batch is one synchronous call. This lets the terminal have its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.loader.check();
  } finally {
    progress.stop();
  }
  return featureRows(data, rows, data.length / rows);
}

/** The output that a kind of features names. */
function tensorOf(output: BackboneOutput, encoder: Encoder, kind: FeatureKind): Tensor {
  if (kind.name === 'map') {
    const map = output.maps[kind.map]!;
    return kind.patches === undefined ? map : ops.adaptiveAvgPool2d(map, kind.patches);
  }
  return {
    pooled: () => output.features,
    head: () => encoder.embeddingOf(output),
    maps: () => averagedMaps(output),
  }[kind.name]();
}

/** The shape of one sample's features, which the first batch of any modality tells. */
async function shapeOf(readers: readonly RowReader[]): Promise<readonly number[]> {
  for (const reader of readers) {
    const shape = await reader.shape();
    if (shape !== undefined) return shape;
  }
  return [];
}

/** Deals the batches of one modality out to chunks of samples, of which some lack the image. */
class RowReader {
  readonly #batches: AsyncGenerator<readonly OutputRows[]>;
  /** The places of the samples that have the image, ascending; undefined: all have it. */
  readonly #places: readonly number[] | undefined;
  #batch: OutputRows | undefined;
  /** How many values of the batch are dealt. */
  #dealt = 0;
  /** The first of the places that are not dealt. */
  #next = 0;

  constructor(batches: AsyncGenerator<readonly OutputRows[]>, places: readonly number[] | undefined) {
    this.#batches = batches;
    this.#places = places;
  }

  /** The shape of a sample's features; undefined where no sample has the image. */
  async shape(): Promise<readonly number[] | undefined> {
    this.#batch ??= await this.#pull();
    return this.#batch?.shape;
  }

  /** Takes the rows of the samples from `start` on that have the image. */
  async take(start: number, rows: number, columns: number): Promise<PresentFeatures> {
    const places = this.#placesBefore(start + rows)?.map((place) => place - start);
    const data = new Float32Array((places?.length ?? rows) * columns);
    let filled = 0;
    while (filled < data.length) {
      if (this.#batch === undefined || this.#dealt === this.#batch.values.length) {
        this.#batch = await this.#pull();
        this.#dealt = 0;
      }
      const { values } = this.#batch!;
      const count = Math.min(values.length - this.#dealt, data.length - filled);
      data.set(values.subarray(this.#dealt, this.#dealt + count), filled);
      this.#dealt += count;
      filled += count;
    }
    return { features: featureRows(data, data.length / columns, columns), places };
  }

  /** Frees what the batches hold. */
  async close(): Promise<void> {
    await this.#batches.return(undefined);
  }

  #placesBefore(end: number): readonly number[] | undefined {
    if (this.#places === undefined) return undefined;
    const first = this.#next;
    while (this.#next < this.#places.length && this.#places[this.#next]! < end) this.#next += 1;
    return this.#places.slice(first, this.#next);
  }

  async #pull(): Promise<OutputRows | undefined> {
    const { value, done } = await this.#batches.next();
    return done ? undefined : value[0];
  }
}
