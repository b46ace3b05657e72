/**
 * This room measures the claims on pairs. Here are the measures of an encoder's maps and embeddings; pixelMeasures.ts
 * has those of the images themselves.
 */
import { correlation, type PatchOptions, patchEmbeddings } from '../../../losses/index.js';
import { type Features, featureRows } from '../../../metrics/features/features.js';
import type { EncoderOutput } from '../../../nn/index.js';
import { inFullPrecision, ops, type Tensor, tidy } from '../../../tensor/index.js';
import type { PairSource } from '../../results/pairsResult.js';
import { consistencyBetween, patchesOf } from './consistencyTerms.js';
import { distancesOf } from './distances.js';
import { globalTerms } from './globalTerms.js';
import type { PairEncoder } from './pairEncoder.js';
import type { PairTally } from './pairTally.js';
import { addAgreement, type BatchPairs, rankImages } from './patchAgreement.js';
import type { Ruler } from './ruler.js';
import { patchSpans } from './zones.js';

/** The maps on which patches are compared: the paper's hierarchies in Fig. 5. */
export const AGREEMENT_MAPS = [1, 2, 3, 4] as const;
/** The sides N of the patch grids: the paper's choice, and its finest. */
export const AGREEMENT_GRIDS = [4, 8] as const;

/** The pairs of one batch with all that their measures need. */
export interface Batch extends BatchPairs {
  readonly positions: readonly number[];
  readonly subjects: readonly string[];
}

export interface EncoderMeasuring {
  readonly source: Exclude<PairSource, 'pixels'>;
  readonly encoder: PairEncoder;
  readonly ruler: Ruler;
  readonly colourCoded: readonly string[];
  /** The names of A and B. */
  readonly modalities: readonly [string, string];
  readonly seed: number;
  readonly tally: PairTally;
}

/** The raw embeddings of A and B, in the order of the batches. */
export interface PairFeatures {
  readonly head: readonly [Features, Features];
  readonly pooled: readonly [Features, Features];
}

/**
 * Measures the pairs of a round with an encoder and adds the values to the tally.
 * @returns the embeddings, for the figures
 */
export async function measureEncoder(
  batches: readonly Batch[],
  measuring: EncoderMeasuring,
): Promise<PairFeatures> {
  const measured: PairFeatures[] = [];
  for (const batch of batches) measured.push(await measureBatch(batch, measuring));
  const joined = (kind: keyof PairFeatures, side: 0 | 1) => joinRows(measured.map((one) => one[kind][side]));
  const both = (kind: keyof PairFeatures) => [joined(kind, 0), joined(kind, 1)] as const;
  const features = { head: both('head'), pooled: both('pooled') };
  for (const kind of ['head', 'pooled'] as const) {
    const [a, b] = features[kind];
    addDistances(measuring, kind, batches, a, b);
  }
  return features;
}

/** Measures Fig. 4's distances and retrieval among all pairs of a round and adds them to the tally. */
export function addDistances(
  {
    source,
    modalities: [a, b],
    tally,
  }: Pick<EncoderMeasuring, 'modalities' | 'tally'> & { source: PairSource },
  kind: string,
  batches: readonly Pick<Batch, 'pairs' | 'subjects'>[],
  rowsOfA: Features,
  rowsOfB: Features,
): void {
  const found = distancesOf(
    rowsOfA,
    rowsOfB,
    batches.flatMap(({ subjects }) => subjects),
  );
  batches
    .flatMap(({ pairs }) => pairs)
    .forEach((pair, i) => {
      const name = { source, features: kind } as const;
      tally.add({ claim: 'distance', ...name }, pair, found.mate[i]!, found.stranger[i]!);
      const guess = 1 / rowsOfA.rows;
      tally.add({ claim: 'retrieval', ...name, direction: `${a}-to-${b}` }, pair, found.aToB[i]!, guess);
      tally.add({ claim: 'retrieval', ...name, direction: `${b}-to-${a}` }, pair, found.bToA[i]!, guess);
    });
}

/** Measures what is compared within a batch: L_C, L_Glo and the agreement of patches. */
async function measureBatch(batch: Batch, measuring: EncoderMeasuring): Promise<PairFeatures> {
  const { encoder, ruler, source, tally, colourCoded, seed } = measuring;
  const { positions, subjects, pairs, strangers } = batch;
  const grids = AGREEMENT_MAPS.flatMap((map) =>
    AGREEMENT_GRIDS.filter((grid) => grid <= ruler.sides[map]!).map((grid) => ({ map, grid })),
  );
  const read = (output: EncoderOutput) => {
    const chosen = ruler.maps.map((map) => output.maps[map]!);
    return {
      patches: patchesOf(chosen, ruler.consistency),
      ranks: grids.map(({ map, grid }) =>
        rankImages(similarities(output.maps[map]!, grid, ruler), grid ** 2),
      ),
      head: rowsOf(output.embedding),
      pooled: rowsOf(output.features),
    };
  };
  const chunks = await encoder.whole(positions, (a, b) => ({ a: read(a), b: read(b) }));
  const joined = (own: readonly ReturnType<typeof read>[]) => ({
    patches: ruler.maps.map((_, layer) =>
      tidy(() =>
        ops.cat(
          own.map(({ patches }) => patches[layer]!),
          0,
        ),
      ),
    ),
    ranks: grids.map((_, g) => own.flatMap(({ ranks }) => ranks[g]!)),
    head: joinRows(own.map(({ head }) => head)),
    pooled: joinRows(own.map(({ pooled }) => pooled)),
  });
  const a = joined(chunks.map((chunk) => chunk.a));
  const b = joined(chunks.map((chunk) => chunk.b));
  const between = (i: number, j: number) => consistencyBetween(a.patches, i, b.patches, j, ruler.consistency);
  pairs.forEach((pair, i) => {
    const stranger = strangers[i]! < 0 ? Number.NaN : between(i, strangers[i]!);
    tally.add({ claim: 'consistency', source, features: 'maps' }, pair, between(i, i), stranger);
  });
  const tensors = [...chunks.flatMap((chunk) => [chunk.a, chunk.b]), a, b].flatMap(({ patches }) => patches);
  for (const tensor of tensors) tensor.dispose();

  const augmented = await encoder.augmented(positions, {
    augmentation: ruler.augmentation,
    colourCoded,
    seed,
  });
  const hat = (side: 'a' | 'b') =>
    joinRows(
      augmented.map((chunk) => featureRows(chunk[side], chunk[side].length / a.head.columns, a.head.columns)),
    );
  const global = globalTerms(
    { a: a.head, b: b.head, aHat: hat('a'), bHat: hat('b') },
    subjects,
    ruler.global,
  );
  pairs.forEach((pair, i) => {
    tally.add({ claim: 'global', source, features: 'head' }, pair, global.value[i]!, global.chance[i]!);
  });

  grids.forEach(({ map, grid }, g) => {
    const spans = patchSpans(ruler.sides[map]!, grid, ruler.consistency.windows);
    addAgreement(tally, { source, features: `map${map}`, grid, spans }, batch, a.ranks[g]!, b.ranks[g]!);
  });
  return { head: [a.head, b.head], pooled: [a.pooled, b.pooled] };
}

/** The patch similarities of Eq. 4 on one map, [B, P, P] row-major; patches are cut and normalised as L_C does. */
function similarities(map: Tensor, grid: number, { consistency }: Ruler): Float32Array {
  return patchSimilarities(map, grid, { windows: consistency.windows, normalize: consistency.normalize });
}

/** The patch similarities of Eq. 4 on one map, [B, P, P] row-major. */
export function patchSimilarities(
  map: Tensor,
  grid: number,
  options: Omit<PatchOptions, 'patches'>,
): Float32Array {
  return inFullPrecision([map], (whole) =>
    correlation(patchEmbeddings(whole!, 0, { ...options, patches: [grid, grid] })).toArray(),
  ) as Float32Array;
}

function rowsOf(x: Tensor): Features {
  const [rows, columns] = x.shape as [number, number];
  return featureRows(x.to({ dtype: 'f32' }).toArray() as Float32Array, rows, columns);
}

function joinRows(parts: readonly Features[]): Features {
  const { columns } = parts[0]!;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const data = new Float32Array(rows * columns);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return featureRows(data, rows, columns);
}
