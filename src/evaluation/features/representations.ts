/** Computes the features of a run's encoders by kind and set of modalities. */
import type { Loader } from '../../data/loading/loader.js';
import { type Features, featureRows, joinColumns } from '../../metrics/features/features.js';
import type { Encoder } from '../../nn/index.js';
import { type Embeddings, type EmbedOptions, embed } from '../../training/embed.js';
import type { FeatureKind } from '../results/evaluationResult.js';
import { modalityKey } from '../results/modalitySets.js';

/** Features by their kind and set of modalities, for example `pooled/a+b`. */
export type Representations = ReadonlyMap<string, Features>;

export interface RepresentOptions extends Omit<EmbedOptions, 'encoder' | 'modality' | 'loader'> {
  /** Called once for each modality, in turn. The same network may come back with other weights. */
  readonly encoderFor: (modality: string) => Encoder;
  readonly loader: Loader;
  /** The sets of modalities whose features are joined. */
  readonly sets: readonly (readonly string[])[];
  readonly kinds: readonly Exclude<FeatureKind, 'pixels'>[];
}

/** Computes all features of a run's encoders in one pass over each modality's images. */
export async function represent({
  sets,
  kinds,
  encoderFor,
  ...options
}: RepresentOptions): Promise<Representations> {
  const embedded = new Map<string, Embeddings>();
  for (const modality of new Set(sets.flat())) {
    embedded.set(modality, await embed({ ...options, encoder: encoderFor(modality), modality }));
  }
  const found = new Map<string, Features>();
  for (const kind of kinds) {
    for (const set of sets) {
      const parts = set.map((modality) => {
        const { features, embedding, rows } = embedded.get(modality)!;
        const data = kind === 'pooled' ? features : embedding;
        return featureRows(data, rows, data.length / rows);
      });
      found.set(`${kind}/${modalityKey(set)}`, joinColumns(parts));
    }
  }
  return found;
}
