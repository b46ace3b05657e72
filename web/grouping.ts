/** What a table of runs shows of many: the settings that differ, and runs that differ in their seed alone as one row. */
import type { ExperimentSummary, RunResult, RunSummary } from '../src/server/messages.js';

/** A row: one run, or several of one configuration. */
export interface Group {
  /** The first run's id stands for the group. */
  readonly key: string;
  readonly runs: readonly RunSummary[];
  /** The row of an experiment that they are the runs of. */
  readonly row?: string;
  /** Results that no single run of it holds. */
  readonly results?: readonly RunResult[];
}

/** A part of the table: an experiment with its rows, or a row by itself. */
export interface Section {
  readonly key: string;
  readonly experiment?: ExperimentSummary;
  readonly groups: readonly Group[];
}

/**
 * The runs of each experiment together, and all others as they are.
 *
 * @param grouped whether runs of one configuration, or of one row of an experiment, are one row
 */
export function sectionsOf(
  runs: readonly RunSummary[],
  experiments: readonly ExperimentSummary[],
  grouped: boolean,
): Section[] {
  const inside = new Map(experiments.map(({ id }) => [id, [] as RunSummary[]]));
  const others: RunSummary[] = [];
  for (const run of runs) {
    const own = experimentOf(run, experiments);
    (own === undefined ? others : inside.get(own.id)!).push(run);
  }
  const alone = (some: readonly RunSummary[]): Group[] => some.map((run) => ({ key: run.id, runs: [run] }));
  const sections: Section[] = [
    ...experiments.map((experiment) => {
      const own = inside.get(experiment.id)!;
      return { key: experiment.id, experiment, groups: grouped ? byRow(own, experiment) : alone(own) };
    }),
    ...(grouped ? groupBySettings(others) : alone(others)).map((group) => ({
      key: group.key,
      groups: [group],
    })),
  ];
  return sections.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The experiment that a run belongs to; of two that lie in each other the inner one. */
export function experimentOf(
  run: RunSummary,
  experiments: readonly ExperimentSummary[],
): ExperimentSummary | undefined {
  return experiments
    .filter(({ id }) => id === '.' || run.id.startsWith(`${id}/`))
    .reduce<ExperimentSummary | undefined>(
      (inner, one) => (inner === undefined || one.id.length > inner.id.length ? one : inner),
      undefined,
    );
}

/** The runs of each row over its seeds and folds; those of no row by their settings. */
function byRow(runs: readonly RunSummary[], { rows }: ExperimentSummary): Group[] {
  const rowOf = ({ id }: RunSummary) => rows.find((row) => id.startsWith(row.runs));
  const others = runs.filter((run) => rowOf(run) === undefined);
  return [
    ...rows.flatMap((row): Group[] => {
      const own = runs.filter((run) => rowOf(run) === row);
      const [first] = own;
      return first === undefined ? [] : [{ key: first.id, runs: own, row: row.name, results: row.results }];
    }),
    ...groupBySettings(others),
  ];
}

/** The settings in which the runs differ, in the order of their names. One that a run lacks differs too. */
export function differingSettings(runs: readonly RunSummary[]): string[] {
  const names = new Set(runs.flatMap(({ settings }) => Object.keys(settings)));
  return [...names].filter((name) => new Set(runs.map(({ settings }) => settings[name])).size > 1).sort();
}

/** Runs whose settings are the same but for the seed. Those that cannot be read stand alone. */
export function groupBySettings(runs: readonly RunSummary[]): Group[] {
  const groups = new Map<string, RunSummary[]>();
  for (const run of runs) {
    const words = Object.entries(run.settings).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = run.state === 'unreadable' ? run.id : JSON.stringify(words);
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  return [...groups.values()].map((own) => ({ key: own[0]!.id, runs: own }));
}

/** A number of a row with an interval: that of its run over subjects, or that of the mean over its runs. */
export interface Value {
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
  /** The number of runs that have it. */
  readonly runs: number;
}

/** The value of a result in a group; undefined where no run has it. */
export function resultOf({ runs, results: shared = [] }: Group, result: string): Value | undefined {
  const all = [...runs.flatMap(({ results }) => results), ...shared];
  const found = all.filter((one) => resultKey(one) === result);
  const [first] = found;
  if (first === undefined) return undefined;
  if (found.length === 1) return { value: first.value, low: first.low, high: first.high, runs: 1 };
  return { ...meanInterval(found.map(({ value }) => value)), runs: found.length };
}

/** The name by which a result is chosen: one protocol may judge by several metrics. */
export function resultKey({ name, metric }: RunResult): string {
  return `${name} · ${metric}`;
}

/** The quantiles t₀.₉₇₅ of Student's distribution for 1, 2, … degrees of freedom. */
const T = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** The mean of two or more values and its 95 % interval by Student's t. */
export function meanInterval(values: readonly number[]): { value: number; low: number; high: number } {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = (T[n - 2] ?? 1.96) * Math.sqrt(squares / (n - 1) / n);
  return { value: mean, low: mean - half, high: mean + half };
}

/**
 * Whether a row has all words of a search, in its folder, state, method, problem or settings.
 *
 * @param experiment the name of the one that it belongs to
 */
export function matches(run: RunSummary, search: string, experiment = ''): boolean {
  const settings = Object.entries(run.settings).map(([name, value]) => `${name}=${value}`);
  const text = [experiment, run.id, run.state, run.method, run.problem, ...settings].join(' ').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
