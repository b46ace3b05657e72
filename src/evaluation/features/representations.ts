/** Computes the features of a run's encoders by kind and set of modalities. */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import type { Loader } from '../../data/loading/loader.js';
import { type Features, featureRows } from '../../metrics/features/features.js';
import type { Encoder } from '../../nn/index.js';
import { type Embeddings, type EmbedOptions, embed } from '../../training/embed.js';
import type { FeatureKind } from '../results/evaluationResult.js';
import { modalitiesIn, modalityKey } from '../results/modalitySets.js';
import { featuresOfSet, placesWith } from './presentFeatures.js';

/** Features by their kind and set of modalities, for example `pooled/a+b`. */
export type Representations = ReadonlyMap<string, Features>;

export interface RepresentOptions extends Omit<EmbedOptions, 'encoder' | 'modality' | 'loader'> {
  /** Called once for each modality, in turn. The same network may come back with other weights. */
  readonly encoderFor: (modality: string) => Encoder;
  readonly loader: Loader;
  /** The images; they tell which samples lack some. */
  readonly cache: Pick<ImageCache, 'present'>;
  /** All modalities of the data. */
  readonly modalities: readonly string[];
  /** The sets of modalities whose features are joined. */
  readonly sets: readonly (readonly string[])[];
  readonly kinds: readonly Exclude<FeatureKind, 'pixels'>[];
}

/**
 * Computes all features of a run's encoders in one pass over each modality's images. The rows of samples that lack an
 * image of a set are NaN there.
 */
export async function represent({
  sets,
  kinds,
  cache,
  modalities,
  encoderFor,
  indices,
  ...options
}: RepresentOptions): Promise<Representations> {
  const embedded = new Map<string, Embeddings & { readonly places?: readonly number[] }>();
  for (const modality of new Set(sets.flatMap((set) => modalitiesIn(set, modalities)))) {
    const places = placesWith(cache, modality, indices);
    const own = places?.map((place) => indices[place]!) ?? indices;
    const found = await embed({ ...options, indices: own, encoder: encoderFor(modality), modality });
    embedded.set(modality, { ...found, places });
  }
  const found = new Map<string, Features>();
  for (const kind of kinds) {
    const partOf = (modality: string) => {
      const { features, embedding, rows, places } = embedded.get(modality)!;
      const data = kind === 'pooled' ? features : embedding;
      return { features: featureRows(data, rows, rows === 0 ? 0 : data.length / rows), places };
    };
    for (const set of sets) {
      found.set(`${kind}/${modalityKey(set)}`, featuresOfSet(set, partOf, modalities, indices.length));
    }
  }
  return found;
}
