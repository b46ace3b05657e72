/** What is measured on pairs, without labels. A value that is undefined is NaN here and `null` in the JSON. */
import type { Exposure, JudgedRunSummary } from './evaluationResult.js';

/** Where an anchor patch lies: in the lesion, within one patch of it, elsewhere in the same image. `all`: no mask is asked. */
export const zones = ['all', 'inside', 'around', 'rest'] as const;
export type Zone = (typeof zones)[number];

export const pairSources = ['run', 'untrained', 'pixels'] as const;
export type PairSource = (typeof pairSources)[number];

/**
 * - `consistency`: L_C of Eq. 6 (lower is better); chance: with B of another subject.
 * - `global`: L_Glo of Eq. 11, nats (lower is better); chance: guessing among the candidates.
 * - `distance`: 1 − cosine of the two images of a pair (Fig. 4); chance: of A and the images B of other subjects.
 * - `retrieval`: share of images whose nearest neighbour in the other modality is their mate; chance: one in as many.
 * - `agreement`: rank correlation of A's and B's similarities of a patch with the others (Fig. 5); chance: with B of another subject.
 */
export const claims = ['consistency', 'global', 'distance', 'retrieval', 'agreement'] as const;
export type Claim = (typeof claims)[number];

export interface MeasureName {
  readonly claim: Claim;
  readonly source: PairSource;
  /**
   * What is compared: `maps` (those of L_C), `head`, `pooled`, `thumbnail`, `map1` … `map4`, `patch-mean` (the mean of a
   * patch's pixels), `patch-pixels` (Eq. 3 on the pixels themselves).
   */
  readonly features: string;
  /** Of retrieval, modality to modality. */
  readonly direction?: string;
  /** N of N×N patches. */
  readonly grid?: number;
  readonly zone?: Zone;
}

/** A value with its percentile interval over subjects. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What is compared with chance: the ratio value ÷ chance, or the difference value − chance. */
export interface Contrast extends Interval {
  readonly kind: 'ratio' | 'difference';
}

export interface PairMeasure extends MeasureName, Interval {
  /** `agreement/run/map3/4x4/inside`: unique in a result. */
  readonly key: string;
  /** Pairs that have a value; each counts the same. */
  readonly pairs: number;
  readonly subjects: number;
  readonly chance: Interval;
  /** Paired over subjects. */
  readonly againstChance: Contrast;
  /** `inside` and `around` less `rest`, paired within the images. */
  readonly againstRest?: Contrast;
}

export type ProjectionKind = 'pca' | 'tsne' | 'umap';

/** Head embeddings of some pairs in two dimensions; point i of `a` and of `b` are mates. */
export interface Projection {
  readonly source: Exclude<PairSource, 'pixels'>;
  readonly kind: ProjectionKind;
  readonly a: readonly Point[];
  readonly b: readonly Point[];
}

export type Point = readonly [x: number, y: number];

/** How alike all patches of each image are to one anchor patch (Eq. 4, a row of the correlation matrix). */
export interface SimilarityMap {
  readonly source: Exclude<PairSource, 'pixels'>;
  /** Number of the map, 1 … 4. */
  readonly map: number;
  /** Patches N a side, row-major. */
  readonly grid: number;
  /** Number of the anchor patch in this grid. */
  readonly anchor: number;
  readonly a: readonly number[];
  readonly b: readonly number[];
}

export interface Example {
  /** Position of the pair in the judged data. */
  readonly position: number;
  /** Whether it has a lesion that is known. */
  readonly lesion: boolean;
  readonly anchors: readonly ExampleAnchor[];
}

export interface ExampleAnchor {
  /** Centre, as shares of width and height. */
  readonly x: number;
  readonly y: number;
  /** Why this place. */
  readonly rule: 'lesion' | 'centre' | 'elsewhere';
  readonly maps: readonly SimilarityMap[];
}

export interface PairsResult {
  readonly version: 1;
  readonly tool: string;
  readonly protocol: 'pairs';
  readonly run: JudgedRunSummary;
  readonly data: PairsData;
  /** Of the pairs measured. */
  readonly exposure: Exposure;
  /** Settings of L_C and L_Glo, of batches and projections: values are comparable between results whose settings are the same. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly bootstrap: { readonly replicates: number; readonly confidence: number; readonly seed: number };
  readonly measures: readonly PairMeasure[];
  readonly projections: readonly Projection[];
  readonly examples: readonly Example[];
  readonly notes: readonly string[];
}

export interface PairsData {
  readonly name: string;
  readonly dataHash: string;
  readonly pairs: number;
  readonly subjects: number;
  /** A and B. */
  readonly modalities: readonly [string, string];
  /** Whether the pairs were kept from the encoder that measures them: `held-out` folds, what is `set-aside`, or `all` there are. */
  readonly chosen: 'held-out' | 'set-aside' | 'all';
  /** Pairs that are set aside and were not touched. */
  readonly setAside: number;
  readonly withLesion: number;
}
