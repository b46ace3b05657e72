import type { ImageTable } from './imageTable.js';
import { centreAndSpread } from './robust.js';

/** The number of pairs below which they tell too little of what the modalities look like. */
const ENOUGH = 20;
/** The log-likelihood ratio from which an image clearly looks like one modality and not the other. */
const CLEARLY = 4;
/** The share of pairs that must look clearly right before others may be called swapped. */
const TELLABLE = 0.8;
/** The most that a single measure may add to the ratio. */
const MOST = 12;

const MEASURES = ['mean', 'deviation', 'flatShare', 'colour', 'texture'] as const;
/** The least spread of each measure, so that tiny differences do not count. */
const LEAST_SPREAD = { mean: 2, deviation: 2, flatShare: 0.02, colour: 1, texture: 0.01 } as const;

/**
 * Finds the positions of pairs whose two images each look clearly like the other modality, by brightness, contrast,
 * flat area, colour and texture. Gives undefined where the modalities look too much alike to tell.
 */
export function swappedPairs(a: ImageTable, b: ImageTable): readonly number[] | undefined {
  const pairs = [...a.channels.keys()].filter((position) => a.hasContent(position) && b.hasContent(position));
  if (pairs.length < ENOUGH) return undefined;
  const [looksOfA, looksOfB] = [a, b].map((table) => looks(table, pairs)) as [Looks, Looks];
  const leaning = (table: ImageTable, position: number) =>
    MEASURES.reduce((sum, measure) => {
      const value = table[measure][position]!;
      const difference = surprise(value, looksOfB[measure]) - surprise(value, looksOfA[measure]);
      return sum + Math.max(-MOST, Math.min(MOST, difference));
    }, 0);
  const leanings = pairs.map((position) => [leaning(a, position), leaning(b, position)] as const);
  const right = leanings.filter(([ofA, ofB]) => ofA > CLEARLY && ofB < -CLEARLY).length;
  if (right < TELLABLE * pairs.length) return undefined;
  return pairs.filter((_, i) => leanings[i]![0] < -CLEARLY && leanings[i]![1] > CLEARLY);
}

type Looks = Readonly<Record<(typeof MEASURES)[number], { centre: number; spread: number }>>;

function looks(table: ImageTable, pairs: readonly number[]): Looks {
  const entries = MEASURES.map((measure) => {
    const { centre, spread } = centreAndSpread(pairs.map((position) => table[measure][position]!));
    return [measure, { centre, spread: Math.max(spread, LEAST_SPREAD[measure]) }];
  });
  return Object.fromEntries(entries) as Looks;
}

/** Computes the negative log-likelihood under a normal distribution, up to a constant. */
function surprise(value: number, { centre, spread }: { centre: number; spread: number }): number {
  return ((value - centre) / spread) ** 2 / 2 + Math.log(spread);
}
