/** Points of a map of cases: their places, colours, and which of them is pointed at. */
import { type Colour, heat } from './heat.js';

export interface Placed {
  /** The position of the sample in the data. */
  readonly sample: number;
  readonly modality: number;
  /** The place, as shares of a square that holds all points. */
  readonly x: number;
  readonly y: number;
}

type Points = readonly (readonly [number, number] | null)[];

/** Brings the points of all modalities into one square, without changing their proportions. */
export function placed(points: readonly Points[]): Placed[] {
  const all = points.flatMap((own, modality) =>
    own.flatMap((point, sample) => (point === null ? [] : [{ sample, modality, x: point[0], y: point[1] }])),
  );
  const range = (values: readonly number[]) => {
    const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    return { low, width: values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) - low };
  };
  const [across, down] = [range(all.map(({ x }) => x)), range(all.map(({ y }) => y))];
  const side = Math.max(across.width, down.width) || 1;
  // A margin of 3 % on each side.
  const share = (value: number, { low, width }: { low: number; width: number }) =>
    0.5 + (0.94 * (value - low - width / 2)) / side;
  return all.map(({ sample, modality, x, y }) => ({
    sample,
    modality,
    x: share(x, across),
    y: 1 - share(y, down),
  }));
}

/** Colours by Okabe and Ito and others that can be told from them. */
const CATEGORIES: readonly Colour[] = [
  [15, 123, 191],
  [213, 94, 0],
  [0, 158, 115],
  [181, 89, 155],
  [140, 109, 31],
  [86, 180, 233],
  [230, 159, 0],
  [120, 120, 120],
];

export interface Colouring {
  /** The colour of each sample. */
  readonly colours: readonly Colour[];
  /** What the colours mean: words, or the two ends of a range. */
  readonly legend: readonly { readonly words: string; readonly colour: Colour }[];
}

/** Columns whose words name groups, also where the names are numbers. */
const NAMES_OF_GROUPS = ['label', 'subject', 'fold'];

/** The colour of samples that have no number among numbers. */
const NONE: Colour = [150, 150, 150];

/**
 * Colours samples by a column. Labels, subjects and folds are names, whatever they look like, and so are words. Every
 * other column of numbers is a scale from low to high, be they many or few (an age, a grade, a seed). Few names have a
 * colour each, many have colours that come again.
 */
export function colouring(column: string, words: readonly string[]): Colouring {
  const given = words.filter((word) => word.trim() !== '');
  const known = given.map(Number).filter((value) => Number.isFinite(value));
  // A word here and there, such as "unknown", leaves a column of ages what it is.
  const areNumbers = known.length > 0.9 * given.length;
  if (areNumbers && !NAMES_OF_GROUPS.includes(column)) return scale(words);
  const distinct = [...new Set(words)].sort(byNumber);
  const colourOf = new Map(distinct.map((word, i) => [word, CATEGORIES[i % CATEGORIES.length]!]));
  return {
    colours: words.map((word) => colourOf.get(word)!),
    legend:
      distinct.length > CATEGORIES.length
        ? []
        : distinct.map((word) => ({ words: word === '' ? 'none' : word, colour: colourOf.get(word)! })),
  };
}

/** Numbers from dark to light. The legend has each where they are few, else the two ends. */
function scale(words: readonly string[]): Colouring {
  const numbers = words.map((word) => (word.trim() === '' ? Number.NaN : Number(word)));
  const distinct = [...new Set(numbers.filter((value) => Number.isFinite(value)))].sort((a, b) => a - b);
  const [low, high] = [distinct[0]!, distinct.at(-1)!];
  const of = (value: number): Colour =>
    Number.isFinite(value) ? heat((value - low) / (high - low || 1)) : NONE;
  const shown = distinct.length > CATEGORIES.length ? [low, high] : distinct;
  const lacks = numbers.some((value) => !Number.isFinite(value));
  return {
    colours: numbers.map(of),
    legend: [
      ...shown.map((value) => ({ words: String(value), colour: of(value) })),
      ...(lacks ? [{ words: 'no number', colour: NONE }] : []),
    ],
  };
}

/** Numbers in names by their value: fold 2 comes before fold 10. */
function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** The point that lies nearest to a place, no farther than `reach`. */
export function nearest(
  points: readonly Placed[],
  at: { x: number; y: number },
  reach: number,
): Placed | undefined {
  let best: Placed | undefined;
  let least = reach * reach;
  for (const point of points) {
    const distance = (point.x - at.x) ** 2 + (point.y - at.y) ** 2;
    if (distance <= least) {
      best = point;
      least = distance;
    }
  }
  return best;
}

/** The samples of which a point lies in a polygon, ascending (even-odd rule). */
export function samplesWithin(
  points: readonly Placed[],
  polygon: readonly { x: number; y: number }[],
): number[] {
  const inside = ({ x, y }: Placed) => {
    let odd = false;
    for (const [i, a] of polygon.entries()) {
      const b = polygon[(i + 1) % polygon.length]!;
      if (a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) odd = !odd;
    }
    return odd;
  };
  return [...new Set(points.filter(inside).map(({ sample }) => sample))].sort((a, b) => a - b);
}

/** A list of samples to leave out, as `anatomy data check --drop-list` writes it. */
export function dropList(ids: readonly string[]): string {
  const quoted = (id: string) => (/[",\r\n]/.test(id) ? `"${id.replaceAll('"', '""')}"` : id);
  return `${['id,reason', ...ids.map((id) => `${quoted(id)},chosen on the map of cases`)].join('\n')}\n`;
}
