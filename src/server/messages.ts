/** What the server and the page tell each other. The page holds no code of Node, so nothing is imported here. */

/**
 * `starting` before the first step, `training` while its process is alive, `gone` when that process ended without a
 * word, `unreadable` when a file of the run is damaged.
 */
export type RunState =
  | 'starting'
  | 'training'
  | 'finished'
  | 'interrupted'
  | 'diverged'
  | 'gone'
  | 'unreadable';

/** A number by which a run was judged, with its 95 % interval where it has one. */
export interface RunResult {
  /** The protocol and what was judged, such as `logreg · pooled · a+b`. */
  readonly name: string;
  /** Such as `auc`. */
  readonly metric: string;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** The name of what was judged, such as `logreg · pooled · a+b`. */
export function resultName(
  evaluation: string,
  { features, modalities }: { readonly features: string; readonly modalities: readonly string[] },
): string {
  return [evaluation, features, modalities.join('+')].join(' · ');
}

export interface RunSummary {
  /** The folder, relative to the one that is served; `.` for itself. */
  readonly id: string;
  readonly state: RunState;
  /** What is wrong, in words. */
  readonly problem?: string;
  readonly method?: string;
  readonly seed?: number;
  readonly steps: { readonly done: number; readonly planned: number | null };
  /** At the last logged step. */
  readonly loss: number | null;
  readonly pairsPerSecond: number | null;
  readonly secondsLeft: number | null;
  /** Bytes of all its files. */
  readonly bytes: number;
  /** When the last file was written, in milliseconds since 1970. */
  readonly written: number;
  /** All settings but the seed, by their path in the config, such as `model.width`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly results: readonly RunResult[];
  /** Whether `anatomy report` has left a page in the run. */
  readonly report: boolean;
}

/** An experiment as `anatomy experiment run` leaves it, also while it is at work. Its runs are in the list of runs. */
export interface ExperimentSummary {
  /** The folder, relative to the one that is served; `.` for itself. */
  readonly id: string;
  readonly name: string;
  readonly cells: CellCounts;
  /** Until the cells that are left have finished; null where nothing is at work, or nothing tells. */
  readonly secondsLeft: number | null;
  /** What is wrong, in words: cells that failed, files that are damaged. */
  readonly problems: readonly string[];
  readonly rows: readonly ExperimentRow[];
  /** Whether `anatomy report` has left a page in the folder. */
  readonly report: boolean;
}

/** Each cell counts once: as failed where its last attempt failed or its result is damaged, unless it is at work. */
export interface CellCounts {
  readonly finished: number;
  readonly running: number;
  readonly failed: number;
  /** Neither finished nor failed nor at work; null where an older version did not list the cells. */
  readonly left: number | null;
}

/** A row of the table, or one of the candidates that it is chosen from. */
export interface ExperimentRow {
  readonly name: string;
  /** The beginning of the ids of its runs. */
  readonly runs: string;
  /** What no single run holds: the results of the encoders of several folds together, for each seed. */
  readonly results: readonly RunResult[];
}

/** All that is known at first. */
export interface RunsList {
  /** The folder that is served; empty where it is not told. */
  readonly root: string;
  /** Whether the page is for others, so that names are pseudonyms and nothing is written. */
  readonly isPublic: boolean;
  /** The name of the data that the server was started with, empty where others may look; null: none. */
  readonly data: string | null;
  readonly runs: readonly RunSummary[];
  readonly experiments: readonly ExperimentSummary[];
}

/** What `anatomy data check` finds in data, of a run or of those that the server was started with. */
export interface DataAudit {
  readonly data: string;
  readonly samples: number;
  /** Errors first. */
  readonly findings: readonly AuditFinding[];
  /** The samples that should go, with the reason. */
  readonly suggested: readonly LeftOut[];
}

/** A line of the answer to who asks for an audit: how many samples were looked at so far, and at last the outcome. */
export type AuditLine =
  | { readonly looked: number; readonly of: number }
  | { readonly audit: DataAudit }
  | { readonly refused: string };

export interface AuditFinding {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'info';
  readonly title: string;
  readonly explanation: string;
  readonly fix: string;
  readonly count: number;
  /** The first of them. */
  readonly items: readonly AuditItem[];
}

export interface AuditItem {
  readonly modality?: string;
  readonly detail: string;
  readonly samples: readonly AuditSample[];
}

export interface AuditSample {
  readonly id: string;
  /** Its position in the data; null for files that became no sample. */
  readonly sample: number | null;
  readonly label?: string;
  /** The modalities of which it has an image. */
  readonly modalities: readonly string[];
}

/** A line of a list of samples to leave out. */
export interface LeftOut {
  readonly id: string;
  readonly reason: string;
}

/** A request to write such a list into the folder that is served. */
export interface DropListRequest {
  /** A plain file name that ends in .csv. */
  readonly file: string;
  readonly samples: readonly LeftOut[];
  /** Whether a file of that name may be replaced. */
  readonly overwrite: boolean;
}

/** What changed since the last message. */
export interface RunsChange {
  readonly changed: readonly RunSummary[];
  readonly removed: readonly string[];
  /** All experiments, where any of them changed. */
  readonly experiments?: readonly ExperimentSummary[];
}

/** The measurements of one step; only numbers. */
export type MetricLine = Readonly<Record<string, number>>;

export interface MetricLines {
  readonly lines: readonly MetricLine[];
  /** Where to go on reading, and in which file: one that was made anew has another name. */
  readonly next: number;
  readonly file: string;
  /** Whether the file was cut since, so that what was read before no longer counts. */
  readonly again: boolean;
}

/** The samples of a run's data, and what can be asked of them. */
export interface ExplorerRun {
  readonly modalities: readonly string[];
  /** The sides of the encoder's maps in pixels, the first map first. */
  readonly sides: readonly number[];
  /** The steps of which a checkpoint is kept, ascending. */
  readonly steps: readonly number[];
  readonly samples: readonly ExplorerSample[];
  /** What was noticed as its data were opened; nothing for the public. */
  readonly notes: readonly string[];
}

export interface ExplorerSample {
  readonly id: string;
  readonly subject: string;
  readonly label?: string;
  /** The modalities of which it has an image. */
  readonly modalities: readonly string[];
  /** Of a slice of volumes that can be shown whole: the first sample that is a slice of the same volumes. */
  readonly volume?: number;
}

/** The volumes that a sample is a slice of. */
export interface CaseVolumes {
  /** The stored axis across which the slices lie. */
  readonly axis: 0 | 1 | 2;
  /** The numbers of voxels along the stored axes; null where no file says it any more. */
  readonly dims: readonly [number, number, number] | null;
  /** For each slice the sample that it is; null where it is none. Without `dims` it ends with the last sample. */
  readonly samples: readonly (number | null)[];
  /** By modality. */
  readonly files: Readonly<Record<string, VolumeFile | { readonly refused: string }>>;
}

export interface VolumeFile {
  /** The length of the file. */
  readonly bytes: number;
  /** Three rows of four: voxel indices to millimetres to the patient's right, front and top, as the run has them. */
  readonly affine: readonly (readonly number[])[];
}

/** A part of an image, as shares of its width and height from the top left. A click is a part without extent. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface SimilarityQuestion {
  /** The position of the sample in the data. */
  readonly sample: number;
  readonly region: Region;
  /** The number of the map, from 0 as in `sides`; map1 to map4 are those of the paper's losses. */
  readonly map: number;
  /** The number N of N×N patches; a map with fewer pixels on a side has as many patches as pixels. */
  readonly grid: number;
}

/** How similar each patch is to those of the region, by one encoder or by the pixels themselves. */
export interface Similarity {
  /** A run, or `pixels`. */
  readonly source: string;
  readonly grid: number;
  /** The patches of the region. */
  readonly anchors: readonly number[];
  /** For each modality the cosine of every patch, in row-major order (Eq. 4, rows of the correlation matrix). */
  readonly maps: Readonly<Record<string, readonly number[]>>;
  /**
   * The rank correlation of the maps of two modalities, without the region, as the mean over all twos (Fig. 5); null
   * where the sample has one image.
   */
  readonly agreement: number | null;
  /** The same where the second image is of another subject, as the mean over some. */
  readonly chance: number | null;
  /** The step of the checkpoint, where one was asked for. */
  readonly step?: number;
}

/** The outline of a lesion as edges [x1, y1, x2, y2], in shares of the image's width and height. */
export type Outline = readonly (readonly [number, number, number, number])[];

export interface NearestQuestion {
  readonly sample: number;
  readonly features: 'pooled' | 'head';
}

/** The cases that look most alike to the encoder, from one image of a sample to all images of a modality. */
export interface NearestCases {
  readonly from: string;
  readonly to: string;
  /** The nearest first, by the cosine of their features; within a modality without the sample itself. */
  readonly cases: readonly { readonly sample: number; readonly cosine: number }[];
  /** Across modalities the place of the sample's own image among all, from 1. */
  readonly mateRank?: number;
}

/** The difference of two runs on the samples that both were tested on, with its 95 % interval. */
export interface RunDifference {
  /** The protocol and what was judged, as in `RunResult`. */
  readonly name: string;
  readonly metric: string;
  readonly run: string;
  /** The run that is subtracted. */
  readonly against: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** By paired bootstrap over subjects; null where they are too few for a test. */
  readonly pValue: number | null;
  readonly subjects: number;
}

export const PROJECTIONS = ['pca', 'umap', 'tsne'] as const;
export type ProjectionKind = (typeof PROJECTIONS)[number];

export interface CaseQuestion {
  readonly kind: ProjectionKind;
  readonly features: 'pooled' | 'head';
}

/** All images of a run's data as points; images whose features are alike lie near each other. */
export interface CaseMap {
  /** For each modality the point of each sample; null where the sample lacks the image. */
  readonly points: Readonly<Record<string, readonly (readonly [number, number] | null)[]>>;
  /** What samples can be coloured by, a word for each sample: label, subject, fold, columns of the manifest. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
}
