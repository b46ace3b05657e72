/** Chooses the pairs and anchor patches that figures show, and computes their similarity maps. */
import type { Loader } from '../../data/loading/loader.js';
import { tidy } from '../../tensor/index.js';
import { Random } from '../../tensor/random.js';
import type { ExampleAnchor, SimilarityMap } from '../results/pairsResult.js';
import { AGREEMENT_MAPS, patchSimilarities } from './measures/encoderMeasures.js';
import type { PairEncoder } from './measures/pairEncoder.js';
import { type LesionMask, lesionShares, patchSpans, type Span, zonesOf } from './measures/zones.js';

/** The number of example pairs. */
const EXAMPLES = 3;
/** The most patches on one side of a similarity map: the last map's own resolution at 224². */
const FINEST = 14;

/** Chooses pairs of different subjects in an order drawn by the seed; pairs with a known lesion come first. */
export function chooseExamples(
  positions: readonly number[],
  subjects: readonly string[],
  lesions: ReadonlyMap<number, LesionMask>,
  seed: number,
): number[] {
  const order = Array.from(
    new Random(seed, 'examples').permutation(positions.length),
    (at) => positions[at]!,
  );
  const byLesion = [...order.filter((at) => lesions.has(at)), ...order.filter((at) => !lesions.has(at))];
  const seen = new Set<string>();
  const chosen = byLesion.filter((position) => {
    const isNew = !seen.has(subjects[position]!);
    seen.add(subjects[position]!);
    return isNew;
  });
  return chosen.slice(0, EXAMPLES);
}

export type Anchor = Omit<ExampleAnchor, 'maps'>;

/**
 * Chooses two anchors. In a pair with a lesion the first is the patch of A with the largest variance of intensity in
 * the lesion, or the patch that holds most of it where none is half in it; in a pair without it is the patch of the body
 * nearest to the centre. The second is the patch with the largest variance elsewhere. Both keep away from the edge of
 * the body where they can, as its contrast to the background says nothing of anatomy, and neither is background unless
 * all is. The body is what A shows of it; where A is all but black, what another modality shows.
 *
 * @param images intensities of A and of the pair's other modalities, [side, side] each
 */
export function chooseAnchors(
  images: readonly [ArrayLike<number>, ...ArrayLike<number>[]],
  side: number,
  mask: LesionMask | undefined,
): [Anchor, Anchor] {
  const [gray] = images;
  const grid = Math.min(FINEST, side);
  const spans = patchSpans(side, grid);
  const patches = spans.flatMap((rows) => spans.map((columns) => ({ rows, columns })));
  const zones = mask === undefined ? undefined : zonesOf(mask, spans);
  const variances = patches.map(({ rows, columns }) => varianceOf(gray, side, rows, columns));
  const body = shownBody(
    images.map((own) => bodyOf(patches.map(({ rows, columns }) => medianOf(own, side, rows, columns)))),
  );
  const all = patches.map((_, patch) => patch);
  const variance = (patch: number) => variances[patch]!;
  const atLesion = mask === undefined ? undefined : lesionPatch(mask, spans, { body, variance });
  const first = atLesion ?? highest(inBody(all, body), (patch) => -distanceToCentre(patch, grid))!;
  const others = all.filter((patch) => patch !== first);
  const elsewhere = zones === undefined ? others : others.filter((patch) => zones[patch] === 'rest');
  // A lesion may leave no patch untouched.
  const second = highest(inBody(elsewhere.length > 0 ? elsewhere : others, body), variance) ?? first;
  const at = (patch: number, rule: Anchor['rule']): Anchor => {
    const middle = ([start, end]: Span) => (start + end) / 2;
    const { rows, columns } = patches[patch]!;
    return { x: middle(columns), y: middle(rows), rule };
  };
  return [at(first, atLesion === undefined ? 'centre' : 'lesion'), at(second, 'elsewhere')];
}

/**
 * The patch with the largest variance of those in the lesion, or the one that holds most of it where none is in it. A
 * lesion may reach the edge of the body, or be as dark as the background.
 */
function lesionPatch(
  mask: LesionMask,
  spans: readonly Span[],
  { body, variance }: { readonly body: Body; readonly variance: (patch: number) => number },
): number | undefined {
  const zones = zonesOf(mask, spans) ?? [];
  const shares = lesionShares(mask, spans);
  const of = (zone: (typeof zones)[number]) => zones.flatMap((own, patch) => (own === zone ? [patch] : []));
  return highest(inBody(of('inside'), body), variance) ?? highest(of('around'), (patch) => shares[patch]!);
}

/** The patch with the highest value, the first of several; undefined without patches. */
function highest(patches: readonly number[], value: (patch: number) => number): number | undefined {
  return patches.reduce<number | undefined>(
    (best, patch) => (best === undefined || value(patch) > value(best) ? patch : best),
    undefined,
  );
}

function distanceToCentre(patch: number, grid: number): number {
  const centre = Math.floor(grid / 2);
  return Math.hypot((patch % grid) - centre, Math.floor(patch / grid) - centre);
}

interface Body {
  /** The number of patches that it holds. */
  readonly size: number;
  /** Whether a patch is no background. */
  readonly holds: (patch: number) => boolean;
  /** Whether all neighbours of a patch are none either, and none lies beyond the image, where a body is cut off. */
  readonly surrounds: (patch: number) => boolean;
}

/** The patches well inside the body, or else those of the body, or else all: a black image has no body. */
function inBody(patches: readonly number[], { holds, surrounds }: Body): readonly number[] {
  const held = patches.filter(holds);
  const surrounded = held.filter(surrounds);
  return [surrounded, held].find((some) => some.length > 0) ?? patches;
}

/** A patch half of which is darker than this share of the brightest one is background. */
const BACKGROUND = 0.1;

/** An image that shows less than this share of the body that another shows is all but black, such as but a label. */
const BLACK = 0.25;

/** A's body, or the largest one where A is all but black. */
function shownBody(bodies: readonly Body[]): Body {
  const largest = bodies.reduce((best, body) => (body.size > best.size ? body : best));
  return bodies[0]!.size < BLACK * largest.size ? largest : bodies[0]!;
}

/** Tells the body from the background. @param medians of a square grid of patches */
function bodyOf(medians: readonly number[]): Body {
  const grid = Math.sqrt(medians.length);
  const darkest = BACKGROUND * Math.max(...medians);
  const holds = (patch: number) => medians[patch]! > darkest;
  return {
    size: medians.filter((_, patch) => holds(patch)).length,
    holds,
    surrounds: (patch) => {
      const [x, y] = [patch % grid, Math.floor(patch / grid)];
      return [-1, 0, 1].every((dy) =>
        [-1, 0, 1].every((dx) => {
          const [column, row] = [x + dx, y + dy];
          const outside = column < 0 || row < 0 || column >= grid || row >= grid;
          return !outside && holds(row * grid + column);
        }),
      );
    },
  };
}

function medianOf(gray: ArrayLike<number>, side: number, rows: Span, columns: Span): number {
  const values = valuesIn(gray, side, rows, columns).sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)]!;
}

function varianceOf(gray: ArrayLike<number>, side: number, rows: Span, columns: Span): number {
  const values = valuesIn(gray, side, rows, columns);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

function valuesIn(gray: ArrayLike<number>, side: number, rows: Span, columns: Span): number[] {
  const values: number[] = [];
  for (let y = Math.round(rows[0] * side); y < Math.round(rows[1] * side); y += 1) {
    for (let x = Math.round(columns[0] * side); x < Math.round(columns[1] * side); x += 1) {
      values.push(gray[y * side + x]!);
    }
  }
  return values;
}

/** The intensities of one image at its cached size, averaged over its channels. */
export async function intensities(loader: Loader, modality: string, position: number): Promise<Float32Array> {
  await loader.prepare([position]);
  return tidy(() =>
    loader.load([position]).images[modality]!.to({ dtype: 'f32' }).mean([0, 1]).toArray(),
  ) as Float32Array;
}

/**
 * Computes the similarity of all patches to each anchor, on every map of one encoder.
 * @param sides of the encoder's maps in pixels
 * @returns the maps of each anchor
 */
export async function similarityMaps(
  encoder: PairEncoder,
  source: SimilarityMap['source'],
  position: number,
  anchors: readonly Anchor[],
  sides: readonly number[],
): Promise<SimilarityMap[][]> {
  const [all] = await encoder.whole([position], (a, b) =>
    AGREEMENT_MAPS.map((map) => {
      const grid = Math.min(FINEST, sides[map]!);
      // All of the map is shown. Patches overlap where the grid does not divide it.
      const similarities = [a, b].map(({ maps }) =>
        patchSimilarities(maps[map]!, grid, { windows: 'adaptive' }),
      );
      return { map, grid, a: similarities[0]!, b: similarities[1]! };
    }),
  );
  return anchors.map(({ x, y }) =>
    all!.map(({ map, grid, a, b }) => {
      const anchor = Math.floor(y * grid) * grid + Math.floor(x * grid);
      const row = (similarities: Float32Array) =>
        Array.from(similarities.subarray(anchor * grid ** 2, (anchor + 1) * grid ** 2), (value) =>
          Number(value.toFixed(3)),
        );
      return { source, map, grid, anchor, a: row(a), b: row(b) };
    }),
  );
}
