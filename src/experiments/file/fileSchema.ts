/** The schema of an experiment file. */
import { z } from 'zod';
import { configSchema, parseStrictly, readYaml, type Tree } from '../../config/index.js';
import { ENCODER_FEATURES } from '../../evaluation/results/featureKinds.js';
import { FEWEST_REPLICATES } from '../../metrics/replicates.js';
import { asEntries, protocolSchema } from './protocols.js';

const settings = z.record(z.string(), z.unknown());

/** The keys of the config’s `data` that say what is read. Relative paths are relative to the file. */
const data = configSchema.shape.data
  .pick({
    path: true,
    pathB: true,
    folders: true,
    modalities: true,
    imageRoot: true,
    subject: true,
    columns: true,
    positive: true,
    classes: true,
    spellings: true,
    drop: true,
    preprocess: true,
    volumes: true,
    maxBytes: true,
  })
  .extend({ volumes: configSchema.shape.data.shape.volumes.partial() })
  .partial();

export type DataSettings = z.infer<typeof data>;
export const dataKeys = Object.keys(data.shape);

const evaluation = z.strictObject({
  folds: z.int().min(2).optional().describe('Folds to draw; default: 5, or as published with the data.'),
  seed: z.int().min(0).optional().describe('Of folds, probes and bootstrap; default 0.'),
  replicates: z
    .int()
    .min(FEWEST_REPLICATES, `expected at least ${FEWEST_REPLICATES}, of which an interval can be made`)
    .optional()
    .describe('Bootstraps of the intervals; default 2000.'),
});

const seeds = z
  .array(z.int().min(0))
  .min(1)
  .refine((items) => new Set(items).size === items.length, 'expected each once');

const variant = z.strictObject({
  name: z.union([z.string().min(1), z.number()]).transform(String),
  config: settings.optional().describe('Any part of a config, on top of the row’s.'),
});

const row = z.strictObject({
  name: z.string().regex(/\S/, 'expected a name'),
  method: z.string().optional().describe('method.name of the config.'),
  config: settings.optional().describe('Any part of a config, on top of `common`.'),
  fold: z.enum(['none', 'all']).optional().describe('all: pretrained once a fold, without the fold.'),
  variants: z
    .array(variant)
    .min(1)
    .optional()
    .describe('Candidates: in each fold the one is taken that is best inside its training patients.'),
  seeds: seeds.optional().describe('Those that it is pretrained with; default: all of the experiment.'),
  paper: z
    .strictObject({ table: z.literal([1, 2, 3]), row: z.string() })
    .optional()
    .describe('The row of the paper to stand beside this one.'),
});

const protocols = z.array(protocolSchema).min(1);

const family = z.strictObject({
  reference: z.string().describe('A row.'),
  against: z.array(z.string()).min(1).describe('Rows; also untrained, thumbnail, or best: of the others.'),
  protocol: z.string().optional().describe('By name; default: the first.'),
  features: z
    .enum(['chosen', ...ENCODER_FEATURES])
    .optional()
    .describe(
      'Default: chosen by inner folds where rows are tuned, else the first that the protocol judges.',
    ),
  images: z.string().optional().describe('Default: all modalities side by side.'),
});

const masks = z.string().min(1).optional();

const judged = z.strictObject({
  name: z.string().min(1),
  data: data.optional().describe('Left out, or with path null: --judge NAME=PATH.'),
  masks: masks.describe('As those of `data`.'),
  splits: z.string().min(1).optional(),
  protocols: protocols.optional().describe('Default: those of the experiment.'),
  evaluation: evaluation.optional(),
  obtain: z.string().optional().describe('How to get the data, for who has not.'),
  paper: z.enum(['BUSI', 'iChallenge-PM']).optional().describe('Its name as a transfer set of the paper.'),
});

const schema = z.strictObject({
  name: z.string().min(1),
  description: z.string().optional(),
  data,
  splits: z.string().min(1).optional().describe('Splits file; else folds are published or drawn.'),
  masks: masks.describe('Folder of the lesions of `data`, ID.png, for pairs; phantoms know their own.'),
  common: settings.optional().describe('Any part of a config, under every row.'),
  rows: z.array(row).min(1),
  seeds: seeds.optional().describe('Of the pretrainings; default [0].'),
  protocols: protocols.optional().describe('Default: logreg and linear.'),
  evaluation: evaluation.optional(),
  judge: z.array(judged).optional().describe('Further data that every row is judged on.'),
  compare: family.optional().describe('The primary comparisons, by Holm corrected together.'),
  setAside: z
    .union([z.boolean(), family], { error: 'expected true, false or { reference, against }' })
    .optional()
    .describe(
      'What --confirm judges on the samples that the splits file sets aside; true: as `compare`, false: nothing.',
    ),
  smoke: z
    .strictObject({
      data: data.optional(),
      judge: z.record(z.string(), data).optional().describe('By name of the judged data.'),
      seeds: seeds.optional(),
      variants: z.int().min(1).optional().describe('So many of each row.'),
      epochs: z.int().min(1).optional().describe('Of protocols that train by SGD.'),
      evaluation: evaluation.optional(),
      config: settings.optional().describe('Any part of a config, over every row.'),
    })
    .optional()
    .describe('What --smoke changes: a size that only shows that everything runs.'),
});

export type ExperimentFile = z.infer<typeof schema>;
export type RowEntry = z.infer<typeof row>;
export type JudgedEntry = z.infer<typeof judged>;
export type ComparisonFamily = z.infer<typeof family>;

/** Reads and checks an experiment file. @throws UsageError naming the file and the key of what is wrong */
export function readExperimentFile(file: string): ExperimentFile {
  return parseStrictly(schema as z.ZodType<ExperimentFile>, withEntries(readYaml(file)), file);
}

/** Replaces the names in lists of protocols with objects, so that messages speak of one form only. */
function withEntries(tree: Tree): Tree {
  const own = tree.protocols === undefined ? {} : { protocols: asEntries(tree.protocols) };
  if (!Array.isArray(tree.judge)) return { ...tree, ...own };
  const judge = (tree.judge as unknown[]).map((one) =>
    typeof one === 'object' && one !== null && 'protocols' in one
      ? { ...one, protocols: asEntries(one.protocols) }
      : one,
  );
  return { ...tree, ...own, judge };
}
