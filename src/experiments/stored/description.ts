/** The content of `experiment.json`: all that the tables need to know of the experiment file. */
import { z } from 'zod';
import { protocols } from '../../evaluation/protocols/registry.js';
import { ENCODER_FEATURES } from '../../evaluation/results/featureKinds.js';
import type { ComparisonFamily } from '../file/fileSchema.js';
import type { PaperReference } from '../file/paperNumbers.js';
import type { ExperimentProtocol } from '../file/protocols.js';

export interface ExperimentDescription {
  /**
   * In version 2, digests had no key: from a list of patients, labels could be found by trying. Such a description is
   * still read, and the next run of the experiment writes version 3.
   */
  readonly version: 2 | 3;
  readonly name: string;
  readonly description?: string;
  readonly smoke: boolean;
  readonly data: DescribedData;
  readonly seeds: readonly number[];
  readonly protocols: readonly ExperimentProtocol[];
  readonly rows: readonly DescribedRow[];
  /** Further data that the rows are judged on. */
  readonly judge: readonly DescribedSet[];
  /** The folds of each data set, by its slug; the empty slug is the data of pretraining. */
  readonly folds: Readonly<Record<string, DescribedFolds>>;
  readonly compare?: ComparisonFamily;
  readonly setAside?: ComparisonFamily;
  /** The ids of all cells but those that `--confirm` adds. Older versions did not list them. */
  readonly cells?: readonly string[];
}

export interface DescribedData {
  readonly name: string;
  readonly pairs: number;
  readonly subjects: number;
  /**
   * A digest that changes with the ids, subjects, labels or images, keyed with the images; see `KeyedSet`. Older
   * versions kept none.
   */
  readonly digest?: string;
  /** The size of the part of the data that is set aside. */
  readonly setAside?: { readonly pairs: number; readonly subjects: number };
}

export interface DescribedFolds {
  /** A name for people, such as `5 of pairs, drawn with seed 0`. */
  readonly name: string;
  /** A digest of the fold of each id, keyed like that of the samples. */
  readonly digest: string;
}

export interface DescribedSet {
  readonly name: string;
  readonly slug: string;
  readonly protocols: readonly ExperimentProtocol[];
  /** The paper's name for the data. */
  readonly paper?: string;
  readonly data?: DescribedData;
  /** The reason why the data was not there, and how to get it. */
  readonly absent?: string;
}

export interface DescribedRow {
  readonly name: string;
  readonly folder: string;
  readonly paper?: PaperReference;
  /** The seeds that the row is pretrained with, where they are not those of the experiment. */
  readonly seeds?: readonly number[];
  /** The candidates that the row is chosen from; a row that is not tuned has one. */
  readonly candidates: readonly { readonly name: string; readonly folder: string }[];
}

const paper = z.object({ table: z.literal([1, 2, 3]), row: z.string() });
const count = z.int().min(0);
const seeds = z.array(z.int());
const protocol = z.object({
  protocol: z.string(),
  name: z.string(),
  slug: z.string(),
  settings: z.record(z.string(), z.unknown()),
  draws: z.int().min(1),
  seeds: seeds.optional(),
});
const data = z.object({
  name: z.string(),
  pairs: count,
  subjects: count,
  digest: z.string().optional(),
  setAside: z.object({ pairs: count, subjects: count }).optional(),
});
const family = z.object({
  reference: z.string(),
  against: z.array(z.string()).min(1),
  protocol: z.string().optional(),
  features: z.enum(['chosen', ...ENCODER_FEATURES]).optional(),
  images: z.string().optional(),
});
const named = z.object({ name: z.string(), folder: z.string() });
const common = { name: z.string(), description: z.string().optional(), smoke: z.boolean(), data, seeds };

const schema = z.object({
  version: z.literal([2, 3]),
  ...common,
  protocols: z.array(protocol),
  rows: z.array(
    named.extend({ paper: paper.optional(), seeds: seeds.optional(), candidates: z.array(named).min(1) }),
  ),
  judge: z.array(
    z.object({
      name: z.string(),
      slug: z.string(),
      protocols: z.array(protocol),
      paper: z.string().optional(),
      data: data.optional(),
      absent: z.string().optional(),
    }),
  ),
  folds: z.record(z.string(), z.object({ name: z.string(), digest: z.string() })),
  compare: family.optional(),
  setAside: family.optional(),
  cells: z.array(z.string()).optional(),
});

/** Version 1, which had no candidates, no further data and no settings of protocols. */
const firstSchema = z.object({
  version: z.literal(1),
  ...common,
  protocols: z.array(z.string()),
  rows: z.array(named.extend({ paper: paper.optional() })),
});

/** Reads a description of any version. @throws z.ZodError naming the first field that is wrong */
export function parseDescription(content: unknown): ExperimentDescription {
  const { version } = (content ?? {}) as { version?: unknown };
  return version === 1
    ? upgraded(firstSchema.parse(content))
    : (schema.parse(content) as ExperimentDescription);
}

function upgraded(first: z.infer<typeof firstSchema>): ExperimentDescription {
  return {
    ...first,
    version: 2,
    protocols: protocols
      .map(({ name }) => name)
      .filter((name) => first.protocols.includes(name))
      .map((protocol) => ({
        protocol,
        name: protocol,
        slug: protocol,
        settings: {},
        draws: 1,
      })),
    rows: first.rows.map(({ name, folder, paper }) => ({
      name,
      folder,
      paper: paper && { table: paper.table, row: paper.row },
      candidates: [{ name, folder }],
    })),
    judge: [],
    folds: {},
  };
}
