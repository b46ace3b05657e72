/** Features of samples of which some lack images. */
import type { ImageCache } from '../../data/cache/decodedImages.js';
import { type Features, featureRows, joinColumns } from '../../metrics/features/features.js';
import { isAny } from '../results/modalitySets.js';

/** The features of the samples that have an image of one modality. */
export interface PresentFeatures {
  /** A row for each sample that has the image, in the order of the samples. */
  readonly features: Features;
  /** The places of these samples among all; absent: all have the image. */
  readonly places?: readonly number[];
}

/** The places, among the samples at `positions`, of those that have the modality; undefined where all have it. */
export function placesWith(
  { present }: Pick<ImageCache, 'present'>,
  modality: string,
  positions: readonly number[],
): readonly number[] | undefined {
  const known = present?.[modality];
  if (known === undefined) return undefined;
  const having = new Set(known);
  const places = positions.flatMap((position, place) => (having.has(position) ? [place] : []));
  return places.length === positions.length ? undefined : places;
}

/**
 * The features of a set of modalities, a row for each of all samples: those of its modalities side by side, or for
 * `any` the mean of those that the sample has. The row of a sample that lacks an image of the set is NaN.
 *
 * @param partOf gives the features of a modality
 * @param modalities all modalities of the data
 * @param rows the number of samples
 */
export function featuresOfSet(
  set: readonly string[],
  partOf: (modality: string) => PresentFeatures,
  modalities: readonly string[],
  rows: number,
): Features {
  return isAny(set)
    ? meanOf(modalities.map(partOf), rows)
    : joinColumns(set.map((modality) => spread(partOf(modality), rows)));
}

function spread({ features, places }: PresentFeatures, rows: number): Features {
  if (places === undefined) return features;
  const { data, columns } = features;
  const all = new Float32Array(rows * columns).fill(Number.NaN);
  for (const [row, place] of places.entries()) {
    all.set(data.subarray(row * columns, (row + 1) * columns), place * columns);
  }
  return featureRows(all, rows, columns);
}

/** The mean in double precision, stored in single as the features are. */
function meanOf(parts: readonly PresentFeatures[], rows: number): Features {
  const { columns } = parts.find(({ features }) => features.rows > 0)!.features;
  const sums = new Float64Array(rows * columns);
  const counts = new Uint32Array(rows);
  for (const { features, places } of parts) {
    for (let row = 0; row < features.rows; row += 1) {
      const place = places?.[row] ?? row;
      counts[place]! += 1;
      for (let j = 0; j < columns; j += 1) sums[place * columns + j]! += features.data[row * columns + j]!;
    }
  }
  const means = Float32Array.from(sums, (sum, at) => sum / counts[Math.floor(at / columns)]!);
  return featureRows(means, rows, columns);
}
