/** What an evaluation left in a run, read back: the part of `evaluation/PROTOCOL.json` that a report shows. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../errors.js';

/** JSON has no NaN: a value that is undefined is null. */
const value = z.number().nullable();

const metric = z.object({
  mean: value,
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
  run: z.object({
    encoders: z.array(z.object({ weights: z.string(), step: z.number().optional() })),
  }),
  data: z.object({
    name: z.string(),
    samples: z.number(),
    subjects: z.number(),
    classes: z.array(z.string()),
    samplesPerClass: z.array(z.number()),
  }),
  folds: z.object({ k: z.number(), judged: z.array(z.number()) }),
  exposure: z.object({
    kind: z.enum(['transductive', 'in-fold', 'transfer', 'unknown', 'untrained']),
    seenTestSamples: z.number(),
    testSamples: z.number(),
  }),
  bootstrap: z.object({ replicates: z.number(), confidence: z.number() }),
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

/** The primary probe first. */
const ORDER = ['logreg', 'linear', 'finetune', 'knn'];

/** All evaluations of a run. @throws DataError naming the file that is not one */
export function readEvaluations(root: string): EvaluationRecord[] {
  const folder = join(root, 'evaluation');
  if (!existsSync(folder)) return [];
  const rank = ({ protocol }: EvaluationRecord) =>
    ORDER.includes(protocol) ? ORDER.indexOf(protocol) : ORDER.length;
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => parse(join(folder, name)))
    .sort((a, b) => rank(a) - rank(b));
}

function parse(file: string): EvaluationRecord {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new DataError(`${file}: is not JSON (${(error as Error).message}); run anatomy evaluate again`);
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DataError(
    `${file}: is no evaluation of this version (${issue!.path.join('.')}: ${issue!.message}); run anatomy evaluate again`,
  );
}
