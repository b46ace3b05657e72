import type { Dataset } from '../sample.js';

/** Samples that show the same picture, in at least one modality. */
export interface DuplicateGroup {
  /** `exact`: equal pixels; `near`: the same picture resized, recompressed, shifted a little or annotated. */
  readonly kind: 'exact' | 'near';
  readonly modality: string;
  /** Positions in `dataset.samples`, ascending, at least two. */
  readonly members: readonly number[];
}

export interface DuplicateOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Every group of duplicates within each modality. Images that cannot be read are left out: the audit names them.
 */
export async function findDuplicates(
  _dataset: Dataset,
  _options: DuplicateOptions = {},
): Promise<DuplicateGroup[]> {
  throw new Error('not yet');
}
