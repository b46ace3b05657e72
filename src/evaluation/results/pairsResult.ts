/**
 * The content of `evaluation/pairs.json`: what is measured on pairs, without labels. The schema is its only
 * declaration, and all that is written or read passes through it. An undefined value is null.
 */
import { z } from 'zod';
import { bootstrapSettings, exposure, judgedRunSummary } from './evaluationResult.js';
import { type Immutable, parseStored, storedNumber } from './stored.js';

/**
 * The zones in which an anchor patch may lie: in the lesion, within one patch of it, or elsewhere in the same image.
 * `all` needs no mask.
 */
export const zones = ['all', 'inside', 'around', 'rest'] as const;
export type Zone = (typeof zones)[number];

export const pairSources = ['run', 'untrained', 'pixels'] as const;
export type PairSource = (typeof pairSources)[number];

/**
 * The claims that are measured, each with what chance means for it.
 * - `consistency`: L_C of Eq. 6 (lower is better); chance: with B of another subject.
 * - `global`: L_Glo of Eq. 11, nats (lower is better); chance: guessing among the candidates.
 * - `distance`: 1 − cosine of the two images of a pair (Fig. 4); chance: the distance of A from the images B of other
 * subjects.
 * - `retrieval`: share of images whose nearest neighbour in the other modality is their mate; chance: one in as many.
 * - `agreement`: rank correlation of A's and B's similarities of a patch with the others (Fig. 5); chance: with B of
 * another subject.
 */
export const claims = ['consistency', 'global', 'distance', 'retrieval', 'agreement'] as const;
export type Claim = (typeof claims)[number];

const measureName = z.object({
  claim: z.enum(claims),
  source: z.enum(pairSources),
  /**
   * The features that are compared: `maps` (those of L_C), `head`, `pooled`, `thumbnail`, `map1` … `map4`, `patch-mean`
   * (the mean of a patch's pixels), `patch-pixels` (Eq. 3 on the pixels themselves).
   */
  features: z.string(),
  /** The direction of a retrieval, modality to modality. */
  direction: z.string().optional(),
  /** The side N of a grid of N×N patches. */
  grid: z.number().optional(),
  zone: z.enum(zones).optional(),
});

/** A value with its percentile interval over subjects. */
const interval = z.object({ value: storedNumber, low: storedNumber, high: storedNumber });

/** A comparison with chance, as the ratio value ÷ chance or the difference value − chance. */
const contrast = interval.extend({ kind: z.enum(['ratio', 'difference']) });

const pairMeasure = measureName.extend(interval.shape).extend({
  /** A key that is unique in a result, such as `agreement/run/map3/4x4/inside`. */
  key: z.string(),
  /** The number of pairs that have a value; each counts the same. */
  pairs: z.number(),
  subjects: z.number(),
  chance: interval,
  /** The comparison with chance, paired over subjects. */
  againstChance: contrast,
  /** The difference of `inside` or `around` from `rest`, paired within the images. */
  againstRest: contrast.optional(),
});

const encoderSource = z.enum(['run', 'untrained']);
const point = z.tuple([z.number(), z.number()]);

/** The head embeddings of some pairs in two dimensions. Point i of `a` and point i of `b` are mates. */
const projection = z.object({
  source: encoderSource,
  kind: z.enum(['pca', 'tsne', 'umap']),
  a: z.array(point),
  b: z.array(point),
});

/** The similarity of all patches of each image to one anchor patch (Eq. 4, a row of the correlation matrix). */
const similarityMap = z.object({
  source: encoderSource,
  /** The number of the map, 1 … 4. */
  map: z.number(),
  /** The number of patches N on a side. The values are row-major. */
  grid: z.number(),
  /** The number of the anchor patch in this grid. */
  anchor: z.number(),
  a: z.array(z.number()),
  b: z.array(z.number()),
});

const exampleAnchor = z.object({
  /** The centre of the anchor, as shares of width and height. */
  x: z.number(),
  y: z.number(),
  /** The rule by which the place was chosen. */
  rule: z.enum(['lesion', 'centre', 'elsewhere']),
  maps: z.array(similarityMap),
});

const example = z.object({
  /** The position of the pair in the judged data. */
  position: z.number(),
  /** True when the pair has a known lesion. */
  lesion: z.boolean(),
  anchors: z.array(exampleAnchor),
});

export const pairsResult = z.object({
  version: z.literal(1),
  tool: z.string(),
  protocol: z.literal('pairs'),
  run: judgedRunSummary,
  data: z.object({
    name: z.string(),
    dataHash: z.string(),
    pairs: z.number(),
    subjects: z.number(),
    /** The names of A and B. */
    modalities: z.tuple([z.string(), z.string()]),
    /**
     * The pairs that were measured: those of `held-out` folds, which the encoder that measures them did not see, those
     * that are `set-aside`, or `all` there are.
     */
    chosen: z.enum(['held-out', 'set-aside', 'all']),
    /** The number of pairs that are set aside and were not touched. */
    setAside: z.number(),
    withLesion: z.number(),
  }),
  /** The overlap of the measured pairs with the pretraining data. */
  exposure,
  /**
   * The settings of L_C and L_Glo, of batches and projections. Values are comparable between results with the same
   * settings.
   */
  settings: z.record(z.string(), z.unknown()),
  bootstrap: bootstrapSettings,
  measures: z.array(pairMeasure),
  projections: z.array(projection),
  examples: z.array(example),
  notes: z.array(z.string()),
});

export type PairsResult = Immutable<z.output<typeof pairsResult>>;
export type PairsData = PairsResult['data'];
export type MeasureName = Immutable<z.output<typeof measureName>>;
export type Interval = Immutable<z.output<typeof interval>>;
export type Contrast = Immutable<z.output<typeof contrast>>;
export type PairMeasure = PairsResult['measures'][number];
export type Projection = PairsResult['projections'][number];
export type ProjectionKind = Projection['kind'];
export type Point = Immutable<z.output<typeof point>>;
export type SimilarityMap = Immutable<z.output<typeof similarityMap>>;
export type Example = PairsResult['examples'][number];
export type ExampleAnchor = Example['anchors'][number];

/** A result with the name that tables and figures show. */
export interface NamedPairs {
  readonly name: string;
  readonly record: PairsResult;
}

/** Parses a result. @param file for the error. @throws DataError when the content is no result of this version */
export function parsePairs(content: unknown, file: string): PairsResult {
  return parseStored(pairsResult, content, file, {
    expected: 'holds no claims',
    command: 'anatomy evaluate pairs',
  });
}
