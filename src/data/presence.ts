/** Which images the samples have. Patients of real studies lack some, and a sample holds those that are there. */

/** The part of a sample that tells which images it has. */
export interface Imaged {
  readonly images: Readonly<Record<string, unknown>>;
}

/** Tells whether a sample has an image of the modality. */
export function hasImage({ images }: Imaged, modality: string): boolean {
  return images[modality] !== undefined;
}

/**
 * For each modality that some samples lack, the positions of those that have it, ascending; undefined where nothing is
 * missing.
 */
export function presentAmong(
  samples: readonly Imaged[],
  modalities: readonly string[],
): Readonly<Record<string, readonly number[]>> | undefined {
  const gaps = modalities.flatMap((modality) => {
    const positions = positionsWith(samples, modality);
    return positions.length === samples.length ? [] : [[modality, positions] as const];
  });
  return gaps.length === 0 ? undefined : Object.fromEntries(gaps);
}

/** The positions of the samples that have an image of the modality, ascending. */
export function positionsWith(samples: readonly Imaged[], modality: string): readonly number[] {
  return samples.flatMap((sample, position) => (hasImage(sample, modality) ? [position] : []));
}

/** Counts the images of all samples. */
export function countImages(samples: readonly Imaged[], modalities: readonly string[]): number {
  return modalities.reduce((sum, modality) => sum + positionsWith(samples, modality).length, 0);
}

/** Counts, for each modality that some samples lack, those that lack it; undefined where nothing is missing. */
export function missingCounts(
  samples: readonly Imaged[],
  modalities: readonly string[],
): Readonly<Record<string, number>> | undefined {
  const present = presentAmong(samples, modalities);
  if (present === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(present).map(([modality, { length }]) => [modality, samples.length - length]),
  );
}

/** Words what is missing, as in `of 12 samples 3 lack b, 1 lacks c`. */
export function missingWords(counts: Readonly<Record<string, number>>, samples: number): string {
  const lacking = Object.entries(counts).map(
    ([modality, count]) => `${count} ${count === 1 ? 'lacks' : 'lack'} ${modality}`,
  );
  return `of ${samples} samples ${lacking.join(', ')}`;
}
