import type { Loader } from '../data/loader.js';
import { type Features, featureRows, joinColumns } from '../metrics/features.js';
import type { Encoder } from '../nn/index.js';
import { type Embeddings, type EmbedOptions, embed } from '../training/embed.js';
import type { FeatureKind } from './result.js';

/** Which modalities stand side by side in one set of features: each alone, then all together. */
export function modalitySets(modalities: readonly string[]): string[][] {
  const alone = modalities.map((modality) => [modality]);
  return modalities.length === 1 ? alone : [...alone, [...modalities]];
}

/** `a+b`, in keys and file names. */
export function modalityKey(modalities: readonly string[]): string {
  return modalities.join('+');
}

/** Features by kind and modality set: `pooled/a+b`. */
export type Representations = ReadonlyMap<string, Features>;

export interface RepresentOptions extends Omit<EmbedOptions, 'encoder' | 'modality' | 'loader'> {
  /** Asked once for each modality, in turn: the same network may come back with other weights. */
  readonly encoderFor: (modality: string) => Encoder;
  readonly loader: Loader;
  readonly modalities: readonly string[];
  readonly kinds: readonly Exclude<FeatureKind, 'pixels'>[];
}

/** All features of a run's encoders, from one pass over each modality's images. */
export async function represent({
  modalities,
  kinds,
  encoderFor,
  ...options
}: RepresentOptions): Promise<Representations> {
  const embedded = new Map<string, Embeddings>();
  for (const modality of modalities) {
    embedded.set(modality, await embed({ ...options, encoder: encoderFor(modality), modality }));
  }
  const found = new Map<string, Features>();
  for (const kind of kinds) {
    for (const set of modalitySets(modalities)) {
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
