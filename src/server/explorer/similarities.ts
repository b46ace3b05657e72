/** How similar the patches of a sample's images are to a place that is pointed at (paper, Eq. 4 and Fig. 5). */
import { hasImage } from '../../data/presence.js';
import type { Dataset } from '../../data/sample.js';
import { spearman } from '../../metrics/rankCorrelation.js';
import type { Region, Similarity, SimilarityQuestion } from '../messages.js';
import { type OpenRun, type Place, requireSample } from './openRun.js';

/** The patches on a side beyond which a matrix of all pairs is too large to be quick. */
const FINEST = 28;

/** Images of so many other subjects tell what chance would give. */
const STRANGERS = 3;

/** @param source the name of the encoder in the answer, or `pixels` for the images themselves */
export async function similarityOf(
  run: OpenRun,
  source: string,
  asked: SimilarityQuestion,
): Promise<Similarity> {
  const { dataset, matrix } = run;
  const { sample, region } = asked;
  const own = requireSample(dataset, sample);
  const sides = await run.sides();
  const map = source === 'pixels' ? 'pixels' : Math.min(asked.map, sides.length - 1);
  const grid = Math.min(asked.grid, FINEST, map === 'pixels' ? run.loader.size : sides[map]!);
  const anchors = patchesIn(region, grid);
  const rowOf = async (at: Place): Promise<Float64Array> => {
    const all = await matrix(at, map, grid);
    return meanRow(all, anchors, grid ** 2);
  };
  const modalities = dataset.modalities.filter((modality) => hasImage(own, modality));
  const rows = new Map<string, Float64Array>();
  for (const modality of modalities) rows.set(modality, await rowOf({ sample, modality }));

  const outside = Array.from({ length: grid ** 2 }, (_, i) => i).filter((patch) => !anchors.includes(patch));
  const agree = (a: Float64Array, b: Float64Array) =>
    spearman(
      outside.map((patch) => a[patch]!),
      outside.map((patch) => b[patch]!),
    );
  const twos = modalities.flatMap((a, i) => modalities.slice(i + 1).map((b) => [a, b] as const));
  const chance: number[] = [];
  const [first, second] = modalities;
  if (second !== undefined) {
    for (const stranger of strangersOf(dataset, sample, second)) {
      chance.push(agree(rows.get(first!)!, await rowOf({ sample: stranger, modality: second })));
    }
  }
  return {
    source,
    grid,
    anchors,
    maps: Object.fromEntries([...rows].map(([modality, row]) => [modality, Array.from(row, rounded)])),
    agreement: meanOf(twos.map(([a, b]) => agree(rows.get(a)!, rows.get(b)!))),
    chance: meanOf(chance),
    ...(run.step !== undefined && { step: run.step }),
  };
}

/** The patches whose centre lies in the region; where there is none, the patch of the region's centre. */
export function patchesIn({ left, top, right, bottom }: Region, grid: number): number[] {
  const patches = Array.from({ length: grid ** 2 }, (_, patch) => patch).filter((patch) => {
    const [x, y] = [((patch % grid) + 0.5) / grid, (Math.floor(patch / grid) + 0.5) / grid];
    return x >= left && x <= right && y >= top && y <= bottom;
  });
  if (patches.length > 0) return patches;
  const place = (share: number) => Math.min(grid - 1, Math.max(0, Math.floor(share * grid)));
  return [place((top + bottom) / 2) * grid + place((left + right) / 2)];
}

function meanRow(matrix: Float32Array, rows: readonly number[], columns: number): Float64Array {
  const mean = new Float64Array(columns);
  for (const row of rows) {
    for (let j = 0; j < columns; j += 1) mean[j]! += matrix[row * columns + j]! / rows.length;
  }
  return mean;
}

/**
 * Samples of other subjects that have the modality, the first ones of the data: most samples share them, so that a new
 * sample asks the encoder for its own images alone.
 */
function strangersOf({ samples }: Dataset, sample: number, modality: string): number[] {
  const found: number[] = [];
  const seen = new Set([samples[sample]!.subject]);
  for (const [at, other] of samples.entries()) {
    if (found.length === STRANGERS) break;
    if (seen.has(other.subject) || !hasImage(other, modality)) continue;
    seen.add(other.subject);
    found.push(at);
  }
  return found;
}

function meanOf(values: readonly number[]): number | null {
  const defined = values.filter((value) => !Number.isNaN(value));
  return defined.length === 0
    ? null
    : rounded(defined.reduce((sum, value) => sum + value, 0) / defined.length);
}

const rounded = (value: number) => Number(value.toFixed(4));
