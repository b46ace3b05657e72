/**
 * Which modalities the samples of a batch have, and the pairs that these make. Patients of real studies lack images, so
 * each term averages over the images, or the pairs of images, that are there.
 */
import { z } from 'zod';
import { type Device, ops, Random, type Tensor, tensor } from '../tensor/index.js';
import type { Pairs } from './method.js';

/** The setting of methods that compare the modalities of a sample pair by pair. */
export const pairsPerSample = z
  .int()
  .min(1)
  .optional()
  .describe('Pairs of modalities of one sample that a step compares, drawn anew each epoch; absent: all.');

/** The number of samples of the batch that have an image of the modality. */
export function imagesOf({ ids, present }: Pick<Pairs, 'ids' | 'present'>, modality: string): number {
  return present?.[modality]?.length ?? ids.length;
}

/** The entries of `values`, one for each sample of the batch, that belong to samples with the modality. */
export function ofPresent<T>(values: readonly T[], { present }: Pairs, modality: string): readonly T[] {
  return present?.[modality]?.map((position) => values[position]!) ?? values;
}

/** Two modalities, and the samples of a batch that have both and are compared by them. */
export interface MatedPair {
  readonly first: string;
  readonly second: string;
  /** The number of samples. */
  readonly count: number;
  /** Their positions in the batch, ascending; absent: all. */
  readonly positions?: readonly number[];
  /** Their rows among the images of the first modality, and of the second; undefined: all rows. */
  readonly rows: readonly [readonly number[] | undefined, readonly number[] | undefined];
}

export interface MatingOptions {
  readonly modalities: readonly string[];
  /** The largest number of pairs of modalities of one sample; absent: all that it has. */
  readonly pairsPerSample?: number | undefined;
  readonly seed: number;
}

/**
 * Lists the pairs of modalities, in their order, with the samples that have both. Where a sample has more pairs than
 * `pairsPerSample`, a draw by seed, epoch and id decides which are used. A pair that no sample has is left out.
 */
export function matedPairs(batch: Pairs, options: MatingOptions): MatedPair[] {
  const { modalities, pairsPerSample, seed } = options;
  const { ids, epoch, present } = batch;
  const all = modalities.flatMap((first, i) => modalities.slice(i + 1).map((second) => ({ first, second })));
  if (present === undefined && (pairsPerSample ?? all.length) >= all.length) {
    return ids.length === 0
      ? []
      : all.map((pair) => ({ ...pair, count: ids.length, rows: [undefined, undefined] }));
  }
  const rowOf = new Map(
    modalities.map((modality) => {
      const positions = present?.[modality] ?? ids.map((_, position) => position);
      return [modality, new Map(positions.map((position, row) => [position, row]))];
    }),
  );
  const used = all.map((): number[] => []);
  ids.forEach((id, position) => {
    const own = all.flatMap(({ first, second }, pair) =>
      rowOf.get(first)!.has(position) && rowOf.get(second)!.has(position) ? [pair] : [],
    );
    const limit = pairsPerSample ?? own.length;
    const chosen =
      own.length <= limit
        ? own
        : Array.from(
            new Random(seed, 'pairs', epoch, id).permutation(own.length).subarray(0, limit),
            (at) => own[at]!,
          );
    for (const pair of chosen) used[pair]!.push(position);
  });
  return all.flatMap(({ first, second }, pair) => {
    const positions = used[pair]!;
    if (positions.length === 0) return [];
    const rowsIn = (modality: string) =>
      positions.length === imagesOf(batch, modality)
        ? undefined
        : positions.map((position) => rowOf.get(modality)!.get(position)!);
    const everyone = positions.length === ids.length;
    return [
      {
        first,
        second,
        count: positions.length,
        ...(everyone ? {} : { positions }),
        rows: [rowsIn(first), rowsIn(second)] as const,
      },
    ];
  });
}

/** Takes rows of a tensor; undefined takes all and copies nothing. */
export function takeRows(x: Tensor, rows: readonly number[] | undefined): Tensor {
  return rows === undefined ? x : ops.indexSelect(x, 0, indexOf(rows, x.device));
}

/** Makes an index tensor, i64 [n]. */
export function indexOf(rows: readonly number[], device: Device): Tensor {
  return tensor([...rows], [rows.length], { dtype: 'i64', device });
}
