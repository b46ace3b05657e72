/** The features that `anatomy embed` writes, and the words that ask for them. */
import { UsageError } from '../../errors.js';
import { ENCODER_FEATURES, type EncoderFeatures } from '../../evaluation/results/featureKinds.js';
import { nearest } from '../../text/nearest.js';

/** One vector for each image, or a map of the backbone in patches. */
export type FeatureKind =
  | { readonly name: EncoderFeatures }
  | {
      readonly name: 'map';
      /** The map, counted from 0 as in the paper’s hierarchies Q. */
      readonly map: number;
      /** The grid [rows, columns] of cells that are averaged; absent: every pixel of the map. */
      readonly patches?: readonly [number, number];
    };

/**
 * Reads `--features` and `--patches`.
 *
 * @param maps the number of maps that the backbone has
 * @throws UsageError naming what was expected
 */
export function featureKind(word: string, patches: string | undefined, maps: number): FeatureKind {
  const words = [...ENCODER_FEATURES, ...Array.from({ length: maps }, (_, map) => `map${map}`)];
  if (!words.includes(word)) {
    const meant = nearest(word, words);
    throw new UsageError(
      `--features is ${word}, expected one of ${words.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    );
  }
  const [, map] = /^map(\d+)$/.exec(word) ?? [];
  if (map === undefined) {
    if (patches === undefined) return { name: word as EncoderFeatures };
    throw new UsageError(
      `--patches is ${patches}, but --features ${word} is one vector for each image; ask for a map, such as --features map${maps - 1}`,
    );
  }
  if (patches === undefined) return { name: 'map', map: Number(map) };
  const [, rows, columns] = /^([1-9]\d*)x([1-9]\d*)$/.exec(patches) ?? [];
  if (rows === undefined) {
    throw new UsageError(`--patches is ${patches}, expected rows x columns, such as 7x7`);
  }
  return { name: 'map', map: Number(map), patches: [Number(rows), Number(columns)] };
}

/** Reads `--features` where only vectors will do. @throws UsageError naming what was expected */
export function vectorKind(word: string): EncoderFeatures {
  const known = ENCODER_FEATURES.find((name) => name === word);
  if (known !== undefined) return known;
  const meant = nearest(word, ENCODER_FEATURES);
  throw new UsageError(
    `--features is ${word}, expected one of ${ENCODER_FEATURES.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
  );
}

/** The word that asks for a kind of features. */
export function kindWord(kind: FeatureKind): string {
  return kind.name === 'map' ? `map${kind.map}` : kind.name;
}
