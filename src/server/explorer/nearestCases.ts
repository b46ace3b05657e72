/** The cases that look most alike to an encoder. */
import { hasImage } from '../../data/presence.js';
import { unitRows } from '../../metrics/features/features.js';
import type { NearestCases, NearestQuestion } from '../messages.js';
import { type OpenRun, requireSample } from './openRun.js';

/** So many cases are told. */
const NEAREST = 6;

/**
 * Compares each image of a sample with all images of each modality, by the cosine of their features.
 *
 * @returns an answer for each two modalities, in the order of the data
 */
export async function nearestCases(
  run: OpenRun,
  { sample, features }: NearestQuestion,
): Promise<NearestCases[]> {
  const { dataset } = run;
  const own = requireSample(dataset, sample);
  const parts = new Map<string, { data: Float64Array; columns: number; samples: readonly number[] }>();
  for (const modality of dataset.modalities) {
    const { features: rows, places } = (await run.features(modality)).get(features)!;
    if (rows.rows === 0) continue;
    const { data, columns } = unitRows(rows);
    parts.set(modality, { data, columns, samples: places ?? [...dataset.samples.keys()] });
  }
  const found: NearestCases[] = [];
  for (const from of dataset.modalities.filter((modality) => hasImage(own, modality))) {
    const { data, columns, samples } = parts.get(from)!;
    const row = samples.indexOf(sample);
    const query = data.subarray(row * columns, (row + 1) * columns);
    for (const [to, part] of parts) {
      const all = part.samples.map((other, i) => ({ sample: other, cosine: dot(query, part.data, i) }));
      // Equal ones come in the order of the data.
      const ranked = all
        .filter((one) => to !== from || one.sample !== sample)
        .sort((a, b) => b.cosine - a.cosine || a.sample - b.sample);
      const mate = ranked.findIndex((one) => one.sample === sample);
      found.push({
        ...{ from, to },
        cases: ranked.slice(0, NEAREST).map((one) => ({ ...one, cosine: Number(one.cosine.toFixed(4)) })),
        ...(mate >= 0 && { mateRank: mate + 1 }),
      });
    }
  }
  return found;
}

function dot(query: Float64Array, data: Float64Array, row: number): number {
  const at = row * query.length;
  let sum = 0;
  for (let i = 0; i < query.length; i += 1) sum += query[i]! * data[at + i]!;
  return sum;
}
