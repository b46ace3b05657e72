/** What an evaluation left in a run, read back: the part of `evaluation/PROTOCOL.json` that a report shows. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../errors.js';
import { readPredictions, type StoredPredictions } from './predictions.js';

/** JSON has no NaN: a value that is undefined is null. */
const value = z.number().nullable();

const metric = z.object({
  mean: value,
  /** Of an older version there is no interval of the mean. */
  meanLow: value.optional(),
  meanHigh: value.optional(),
  std: value,
  pooled: value,
  low: value,
  high: value,
});

const row = z.object({
  key: z.string(),
  source: z.enum(['run', 'untrained', 'thumbnail']),
  features: z.string(),
  modalities: z.array(z.string()),
  columns: z.number().optional(),
  metrics: z.record(z.string(), metric),
  /** Best-test-epoch numbers of a probe that has epochs. */
  paperStyle: z
    .object({
      label: z.string(),
      epochs: z.array(z.number()),
      metrics: z.record(z.string(), z.object({ mean: value, folds: z.array(value) })),
    })
    .optional(),
});

const schema = z.object({
  version: z.literal(1),
  protocol: z.string(),
  preset: z.string().optional(),
  labels: z.object({ fraction: z.number(), samples: z.unknown() }).optional(),
  setAside: z.boolean().optional(),
  run: z.object({
    encoders: z.array(z.object({ weights: z.string(), step: z.number().optional() })),
  }),
  data: z.object({
    name: z.string(),
    samples: z.number(),
    subjects: z.number(),
    classes: z.array(z.string()),
    samplesPerClass: z.array(z.number()),
    dataHash: z.string().optional(),
  }),
  folds: z.object({ k: z.number(), judged: z.array(z.number()) }),
  exposure: z.object({
    kind: z.enum(['transductive', 'in-fold', 'transfer', 'unknown', 'untrained']),
    seenTestSamples: z.number(),
    testSamples: z.number(),
  }),
  bootstrap: z.object({ replicates: z.number(), confidence: z.number(), seed: z.number().default(0) }),
  metrics: z.array(z.string()),
  rows: z.array(row),
  differences: z.array(
    z.object({
      row: z.string(),
      against: z.string(),
      metric: z.string(),
      value,
      low: value,
      high: value,
      pValue: value,
      minimumDetectable: value,
      holm: value.optional(),
      deLong: z.object({ value, low: value, high: value, pValue: value }).optional(),
    }),
  ),
  patients: z
    .array(
      z.object({
        aggregation: z.string(),
        subjects: z.number(),
        positives: z.number().optional(),
        rows: z.array(row),
      }),
    )
    .optional(),
  notes: z.array(z.string()),
});

export type EvaluationRecord = z.infer<typeof schema>;
export type EvaluationRow = EvaluationRecord['rows'][number];
export type MetricRecord = z.infer<typeof metric>;

/** An evaluation as it lies in a folder. */
export interface StoredEvaluation {
  readonly record: EvaluationRecord;
  /** Name of its file without `.json`: `logreg`, `linear-moco`. */
  readonly name: string;
  /** Undefined where the file is not there. */
  readonly predictions?: StoredPredictions;
}

/** The primary probe first. */
const ORDER = ['logreg', 'linear', 'finetune', 'knn'];

/** What judges pairs without labels, and so is no evaluation of this kind. */
const PAIRS = ['pairs.json', 'pairs-set-aside.json'];

/** All evaluations of a run that judge by labels. @throws DataError naming the file that is not one */
export function readEvaluations(root: string): StoredEvaluation[] {
  const folder = join(root, 'evaluation');
  if (!existsSync(folder)) return [];
  const rank = ({ record }: StoredEvaluation) => {
    const known = ORDER.indexOf(record.protocol);
    return known < 0 ? ORDER.length : known;
  };
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json') && !PAIRS.includes(name))
    .sort()
    .map((file) => {
      const record = parse(join(folder, file));
      const name = basename(file, '.json');
      const predictions = readPredictions(join(folder, `${name}-predictions.csv`), record.data);
      return { record, name, predictions };
    })
    .sort((a, b) => rank(a) - rank(b));
}

function parse(file: string): EvaluationRecord {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new DataError(`${file}: is not JSON (${(error as Error).message}); run anatomy evaluate again`);
  }
  return parseEvaluation(content, file);
}

/** @param where the file, for messages; @throws DataError when it is no evaluation of this version */
export function parseEvaluation(content: unknown, where: string): EvaluationRecord {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DataError(
    `${where}: is no evaluation of this version (${issue!.path.join('.')}: ${issue!.message}); run anatomy evaluate again`,
  );
}

/**
 * The row that stands for the run: pooled features of all modalities, or what comes nearest. Chosen beforehand, not for its
 * number.
 */
export function primaryRow({ rows }: EvaluationRecord): EvaluationRow | undefined {
  const own = rows.filter(({ source }) => source === 'run');
  const pooled = own.filter(({ features }) => features === 'pooled');
  return (pooled.length > 0 ? pooled : own).reduce<EvaluationRow | undefined>(
    (most, row) => (most === undefined || row.modalities.length > most.modalities.length ? row : most),
    undefined,
  );
}

/** The untrained encoder's and the thumbnail's rows that a row is compared with. */
export function baselinesOf(
  { rows }: EvaluationRecord,
  { features, modalities }: EvaluationRow,
): EvaluationRow[] {
  const images = modalities.join('+');
  return rows.filter(
    (row) =>
      row.modalities.join('+') === images &&
      (row.source === 'thumbnail' || (row.source === 'untrained' && row.features === features)),
  );
}
