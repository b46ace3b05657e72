/** Computes the features of a run's encoders by kind and set of modalities. */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import type { Loader } from '../../data/loading/loader.js';
import { type Features, featureRows } from '../../metrics/features/features.js';
import type { Encoder } from '../../nn/index.js';
import { type EmbedOptions, embed } from '../../training/embed.js';
import type { EncoderFeatures } from '../results/featureKinds.js';
import { modalitiesIn, modalityKey } from '../results/modalitySets.js';
import type { FeatureStore, KindFeatures } from './featureStore.js';
import { featuresOfSet, placesWith } from './presentFeatures.js';

/** Features by their kind and set of modalities, for example `pooled/a+b`. */
export type Representations = ReadonlyMap<string, Features>;

/** An encoder that is made ready only where its features are not kept. */
export interface NamedEncoder {
  /** What decides its features besides the images. */
  readonly name: unknown;
  readonly ready: () => Promise<Encoder>;
}

export interface RepresentOptions extends Omit<EmbedOptions, 'encoder' | 'modality' | 'loader'> {
  /** Called for each modality in turn. The same network may come back with other weights. */
  readonly encoderFor: (modality: string) => NamedEncoder;
  readonly store: FeatureStore;
  readonly loader: Loader;
  /** The images; they tell which samples lack some. */
  readonly cache: Pick<ImageCache, 'present'>;
  /** All modalities of the data. */
  readonly modalities: readonly string[];
  /** The sets of modalities whose features are joined. */
  readonly sets: readonly (readonly string[])[];
  readonly kinds: readonly EncoderFeatures[];
}

/**
 * Gives all features of a run's encoders, by one pass over each modality's images where they are not kept. The rows of samples that lack an
 * image of a set are NaN there.
 */
export async function represent({
  sets,
  kinds,
  cache,
  modalities,
  encoderFor,
  indices,
  store,
  ...options
}: RepresentOptions): Promise<Representations> {
  const embedded = new Map<string, KindFeatures>();
  for (const modality of new Set(sets.flatMap((set) => modalitiesIn(set, modalities)))) {
    const { name, ready } = encoderFor(modality);
    const places = placesWith(cache, modality, indices);
    const compute = async (all: readonly EncoderFeatures[]) =>
      embedKinds(all, { ...options, cache, indices, encoder: await ready(), modality });
    embedded.set(modality, await store.features([name, modality, indices], kinds, places, compute));
  }
  const found = new Map<string, Features>();
  for (const kind of kinds) {
    const partOf = (modality: string) => embedded.get(modality)!.get(kind)!;
    for (const set of sets) {
      found.set(`${kind}/${modalityKey(set)}`, featuresOfSet(set, partOf, modalities, indices.length));
    }
  }
  return found;
}

/**
 * Computes the features of one modality's images by kind, in one pass, of the samples at `indices` that have the
 * modality.
 */
export async function embedKinds(
  kinds: readonly EncoderFeatures[],
  { cache, indices, ...options }: EmbedOptions & Pick<RepresentOptions, 'cache'>,
): Promise<KindFeatures> {
  const places = placesWith(cache, options.modality, indices);
  const own = places?.map((place) => indices[place]!) ?? indices;
  const outputs = kinds.map((kind) => OUTPUT_OF[kind]);
  const { rows, ...found } = await embed({ ...options, indices: own }, outputs);
  return new Map(
    kinds.map((kind) => {
      const values = found[OUTPUT_OF[kind]];
      return [kind, { features: featureRows(values, rows, rows === 0 ? 0 : values.length / rows), places }];
    }),
  );
}

const OUTPUT_OF = { pooled: 'features', head: 'embedding', maps: 'maps' } as const;
