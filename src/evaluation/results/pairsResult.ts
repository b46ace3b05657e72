/**
 * The schema of a measurement on pairs without labels, `evaluation/pairs.json`. Whatever is written or read passes
 * through it. An undefined value is null.
 */
import { z } from 'zod';
import { bootstrapSettings, exposure, judgedRunSummary } from './evaluationResult.js';
import { FEW_MEASURES, fewMeasuresWarning, fewWarning, tooFew } from './fewSubjects.js';
import { type Immutable, parseStored, storedNumber } from './stored.js';

/**
 * The places of an anchor patch: in the lesion, within one patch of it, elsewhere in the same image. `all` asks for no
 * mask.
 */
export const zones = ['all', 'inside', 'around', 'rest'] as const;
export type Zone = (typeof zones)[number];

export const pairSources = ['run', 'untrained', 'pixels'] as const;
export type PairSource = (typeof pairSources)[number];

/**
 * The claims, each with its chance level.
 * - `consistency`: L_C of Eq. 6 (lower is better). Chance: B comes from another subject.
 * - `global`: L_Glo of Eq. 11, in nats (lower is better). Chance: guessing among the candidates.
 * - `distance`: 1 − cosine of the two images of a pair (Fig. 4). Chance: A against the images B of other subjects.
 * - `retrieval`: the share of images whose nearest neighbour in the other modality is their mate. Chance: 1 over the
 *   number of images.
 * - `agreement`: the rank correlation of A's and B's similarities of a patch with the others (Fig. 5). Chance: B comes
 *   from another subject.
 */
export const claims = ['consistency', 'global', 'distance', 'retrieval', 'agreement'] as const;
export type Claim = (typeof claims)[number];

const measureName = z.object({
  claim: z.enum(claims),
  source: z.enum(pairSources),
  /**
   * The features that are compared: `maps` (those of L_C), `head`, `pooled`, `thumbnail`, `map1` … `map4`, `patch-mean`
   * (the mean of a patch's pixels) or `patch-pixels` (Eq. 3 on the pixels themselves).
   */
  features: z.string(),
  /** The direction of a retrieval, from one modality to the other. */
  direction: z.string().optional(),
  /** The number N of N×N patches. */
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
  /** The number of pairs that have a value. Each counts the same. */
  pairs: z.number(),
  subjects: z.number(),
  chance: interval,
  /** The comparison with chance, paired over subjects. */
  againstChance: contrast,
  /** The value of `inside` or `around` less that of `rest`, paired within the images. */
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
  /** The number N of patches on a side. Patches are in row-major order. */
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
  /** The rule by which the anchor was placed. */
  rule: z.enum(['lesion', 'centre', 'elsewhere']),
  maps: z.array(similarityMap),
});

const example = z.object({
  /** The position of the pair in the judged data. */
  position: z.number(),
  /** Whether a lesion is known in the pair. */
  lesion: z.boolean(),
  anchors: z.array(exampleAnchor),
});

const writtenPairs = z.object({
  version: z.literal(1),
  tool: z.string(),
  protocol: z.literal('pairs'),
  run: judgedRunSummary,
  data: z.object({
    name: z.string(),
    dataHash: z.string(),
    pairs: z.number(),
    subjects: z.number(),
    /** The two modalities, A and B. */
    modalities: z.tuple([z.string(), z.string()]),
    /** All modalities of the data, where there are more than these two. */
    among: z.array(z.string()).optional(),
    /** The number of samples that lack an image of A or of B, and are no pairs; absent where there are none. */
    lacking: z.number().optional(),
    /**
     * The choice of pairs. `held-out` and `set-aside` pairs were kept from the encoder that measures them; `all` are
     * all pairs that there are.
     */
    chosen: z.enum(['held-out', 'set-aside', 'all']),
    /** The number of such pairs, where only a part of them was drawn and measured. */
    drawnFrom: z.number().optional(),
    /** The number of pairs that are set aside and were not touched. */
    setAside: z.number(),
    withLesion: z.number(),
  }),
  /** The exposure of the measured pairs. */
  exposure,
  /**
   * The settings of L_C and L_Glo, of batches and of projections. Values are comparable between results whose settings
   * are the same.
   */
  settings: z.record(z.string(), z.unknown()),
  bootstrap: bootstrapSettings,
  measures: z.array(pairMeasure),
  projections: z.array(projection),
  examples: z.array(example),
  notes: z.array(z.string()),
});

const IN_ZONE: Readonly<Record<Zone, string>> = {
  all: '',
  inside: ' in the lesion',
  around: ' around it',
  rest: ' elsewhere',
};

/** Words for what is measured and where, without the encoder and the map: their anchors are the same. */
function placeOf({ claim, zone = 'all', grid }: z.output<typeof measureName>): string {
  return `${claim}${IN_ZONE[zone]}${grid === undefined ? '' : `, ${grid}×${grid}`}`;
}

/** A result, with a warning in its notes where its intervals are over too few subjects. */
export const pairsResult = writtenPairs.transform((result) => {
  const few = tooFew(result.data);
  const warning =
    few === undefined
      ? fewMeasuresWarning(
          result.measures
            .filter(({ pairs }) => pairs > 0)
            .map((measure) => ({ name: placeOf(measure), subjects: measure.subjects })),
        )
      : fewWarning(few);
  if (warning === '') return result;
  const others = result.notes.filter((note) => note !== warning && !note.startsWith(FEW_MEASURES));
  return { ...result, notes: [warning, ...others] };
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

/** The beginning of the name of every file that holds a result on pairs. */
const PAIRS = 'pairs';

/**
 * The name of the file of a result: `pairs.json`, `pairs-set-aside.json` for pairs that are set aside, and
 * `pairs-flair-t1c.json` for other modalities than the first two of the data.
 */
export function pairsFile({
  modalities,
  among,
  chosen,
}: Pick<PairsData, 'modalities' | 'among' | 'chosen'>): string {
  const others = among !== undefined && modalities.some((name, i) => name !== among[i]);
  const named = modalities.map((name) => name.toLowerCase().replace(/[^a-z0-9]+/g, '-'));
  return `${[PAIRS, ...(chosen === 'set-aside' ? ['set-aside'] : []), ...(others ? named : [])].join('-')}.json`;
}

/** Tells whether a file of a run's evaluations holds a result on pairs. */
export function isPairsFile(name: string): boolean {
  return name === `${PAIRS}.json` || (name.startsWith(`${PAIRS}-`) && name.endsWith('.json'));
}

/** A result under the name that tables and figures give it. */
export interface NamedPairs {
  readonly name: string;
  readonly record: PairsResult;
}

/**
 * Reads the content of a file of measurements on pairs.
 *
 * @param file the name of the file for the error
 * @throws DataError when the content is no result of this version
 */
export function parsePairs(content: unknown, file: string): PairsResult {
  return parseStored(pairsResult, content, file, {
    expected: 'holds no claims',
    command: 'anatomy evaluate pairs',
  });
}
