/** What the server tells the page. Only types, as the page holds no code of Node. */

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

/** What changed since the last message. */
export interface RunsChange {
  readonly changed: readonly RunSummary[];
  readonly removed: readonly string[];
}

/** The measurements of one step; only numbers. */
export type MetricLine = Readonly<Record<string, number>>;

export interface MetricLines {
  readonly lines: readonly MetricLine[];
  /** Where to go on reading. */
  readonly next: number;
  /** Whether the file was cut since, so that what was read before no longer counts. */
  readonly again: boolean;
}
