/** What `anatomy evaluate pairs` left in a run, read back: the part that tables and figures show. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../errors.js';

/** JSON has no NaN: a value that is undefined is null. */
const value = z.number().nullable();
const interval = z.object({ value, low: value, high: value });
const contrast = interval.extend({ kind: z.enum(['ratio', 'difference']) });

const measure = interval.extend({
  key: z.string(),
  claim: z.enum(['consistency', 'global', 'distance', 'retrieval', 'agreement']),
  source: z.enum(['run', 'untrained', 'pixels']),
  features: z.string(),
  direction: z.string().optional(),
  grid: z.number().optional(),
  zone: z.enum(['all', 'inside', 'around', 'rest']).optional(),
  pairs: z.number(),
  subjects: z.number(),
  chance: interval,
  againstChance: contrast,
  againstRest: contrast.optional(),
});

const encoderSource = z.enum(['run', 'untrained']);
const points = z.array(z.tuple([z.number(), z.number()]));
const similarityMap = z.object({
  source: encoderSource,
  map: z.number(),
  grid: z.number(),
  anchor: z.number(),
  a: z.array(z.number()),
  b: z.array(z.number()),
});

const schema = z.object({
  version: z.literal(1),
  protocol: z.literal('pairs'),
  run: z.object({ name: z.string(), method: z.string() }),
  data: z.object({
    name: z.string(),
    dataHash: z.string(),
    pairs: z.number(),
    subjects: z.number(),
    modalities: z.tuple([z.string(), z.string()]),
    chosen: z.enum(['held-out', 'set-aside', 'all']),
    withLesion: z.number(),
  }),
  exposure: z.object({
    kind: z.enum(['transductive', 'in-fold', 'transfer', 'unknown', 'untrained']),
    seenTestSamples: z.number(),
    testSamples: z.number(),
  }),
  bootstrap: z.object({ replicates: z.number(), confidence: z.number() }),
  measures: z.array(measure),
  projections: z.array(
    z.object({ source: encoderSource, kind: z.enum(['pca', 'tsne', 'umap']), a: points, b: points }),
  ),
  examples: z.array(
    z.object({
      position: z.number(),
      lesion: z.boolean(),
      anchors: z.array(
        z.object({
          x: z.number(),
          y: z.number(),
          rule: z.enum(['lesion', 'centre', 'elsewhere']),
          maps: z.array(similarityMap),
        }),
      ),
    }),
  ),
  notes: z.array(z.string()),
});

export type PairsRecord = z.infer<typeof schema>;
export type PairMeasureRecord = z.infer<typeof measure>;

/** A record under the name that tables and figures show it by. */
export interface NamedPairs {
  readonly name: string;
  readonly record: PairsRecord;
}

/** The claims of a run; undefined where they have not been measured. @throws DataError when the file is none */
export function readPairs(root: string): PairsRecord | undefined {
  const file = join(root, 'evaluation', 'pairs.json');
  return existsSync(file) ? pairsRecord(readFileSync(file, 'utf8'), file) : undefined;
}

/** @param file for the error. @throws DataError when the text is no result of this version */
export function pairsRecord(text: string, file: string): PairsRecord {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new DataError(
      `${file}: is not JSON (${(error as Error).message}); run anatomy evaluate pairs again`,
    );
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DataError(
    `${file}: holds no claims of this version (${issue!.path.join('.')}: ${issue!.message}); run anatomy evaluate pairs again`,
  );
}
