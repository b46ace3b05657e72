/** Reads the paper's numbers from `experiments/paper/numbers.yaml`, to show them beside ours. */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { readYaml } from '../../config/index.js';
import { DataError, UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';

const NUMBERS = fileURLToPath(new URL('../../../experiments/paper/numbers.yaml', import.meta.url));

/** Data sets that the paper's encoders were pretrained on. */
const pretrained = z.enum(['US-SWE', 'Fundus-FFA']);
export type Pretrained = z.infer<typeof pretrained>;

/** The ways in which the paper judges its encoders. */
const protocol = z.enum(['linear classification', 'finetuning']);
export type PaperProtocol = z.infer<typeof protocol>;

const schema = z.strictObject({
  /** Texts by the names that blocks call them by. */
  notes: z.record(z.string(), z.string()),
  blocks: z.array(
    z
      .strictObject({
        table: z.literal([1, 2, 3]),
        pretrained,
        data: z.enum([...pretrained.options, 'BUSI', 'iChallenge-PM']),
        protocol,
        metrics: z.array(z.string()),
        notes: z.array(z.string()),
        rows: z.record(z.string(), z.array(z.number())),
      })
      .refine(({ rows, metrics }) => Object.values(rows).every(({ length }) => length === metrics.length), {
        message: 'every row needs one number for each metric',
      }),
  ),
});

/** A group of columns in a table: encoders that were pretrained on one data set and judged on one, in one way. */
export interface PaperBlock {
  readonly table: 1 | 2 | 3;
  readonly pretrained: Pretrained;
  /** The data that the encoders are judged on: that of pretraining, or the data set they are transferred to. */
  readonly data: Pretrained | 'BUSI' | 'iChallenge-PM';
  readonly protocol: PaperProtocol;
  /** The names of the columns; AUC is the first. */
  readonly metrics: readonly string[];
  /** Numbers in per cent, by the row's name as printed. */
  readonly rows: Readonly<Record<string, readonly number[]>>;
  /** Sentences on what is odd about the numbers. */
  readonly notes: readonly string[];
}

/**
 * Our names for rows of Table 1, which is printed with the names of the modalities; ours are A (US, Fundus) and B (SWE,
 * FFA).
 */
const ALIASES: Readonly<Record<Pretrained, Readonly<Record<string, string>>>> = {
  'US-SWE': { 'InstDis-A': 'InstDis-US', 'InstDis-B': 'InstDis-SWE' },
  'Fundus-FFA': { 'InstDis-A': 'InstDis-Fundus', 'InstDis-B': 'InstDis-FFA' },
};

let known: readonly PaperBlock[] | undefined;

/** All blocks, read when they are first asked for. */
export function paperBlocks(): readonly PaperBlock[] {
  known ??= readPaperBlocks(NUMBERS);
  return known;
}

/** @throws DataError when the file is damaged */
export function readPaperBlocks(file: string): PaperBlock[] {
  const damaged = (why: string): never => {
    throw new DataError(`${file}: the paper’s numbers are damaged (${why}); install anatomy-ssl again`);
  };
  const result = schema.safeParse(yamlOf(file, damaged));
  if (!result.success) {
    const [issue] = result.error.issues;
    return damaged(`${issue!.path.join('.')}: ${issue!.message}`);
  }
  const { notes, blocks } = result.data;
  return blocks.map((block) => ({
    ...block,
    notes: block.notes.map((name) => notes[name] ?? damaged(`there is no note "${name}"`)),
  }));
}

function yamlOf(file: string, damaged: (why: string) => never): unknown {
  try {
    return readYaml(file);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return damaged(error.message.slice(`${file}: `.length));
  }
}

/** A reference to a row of the paper's tables. */
export interface PaperReference {
  readonly table: PaperBlock['table'];
  /** The row's name as printed, or `InstDis-A` and `InstDis-B` of Table 1. */
  readonly row: string;
}

/** @throws UsageError when the table has no such row, with the nearest */
export function checkPaperReference({ table, row }: PaperReference): void {
  const blocks = paperBlocks().filter((block) => block.table === table);
  const printed = blocks.flatMap(({ rows }) => Object.keys(rows));
  const expected = [...new Set([...printed, ...(table === 1 ? Object.keys(ALIASES['US-SWE']) : [])])];
  if (expected.includes(row)) return;
  const meant = nearest(row, expected);
  throw new UsageError(
    `the paper’s Table ${table} has no row "${row}", expected one of ${expected.join(', ')}` +
      (meant === undefined ? '' : `; did you mean ${meant}?`),
  );
}

/** Finds the data set of the paper that a name means, or that data of ours stands in for. */
export function pretrainedOn(dataName: string): Pretrained {
  return /fundus/i.test(dataName) ? 'Fundus-FFA' : 'US-SWE';
}

export interface PaperGroup {
  readonly table: PaperBlock['table'];
  readonly pretrained: Pretrained;
  /** The data set that the encoders are transferred to; undefined for that of pretraining. */
  readonly transfer?: string;
  readonly protocol: PaperProtocol;
}

export function paperBlock({ table, pretrained, transfer, protocol }: PaperGroup): PaperBlock | undefined {
  return paperBlocks().find(
    (block) =>
      block.table === table &&
      block.pretrained === pretrained &&
      block.data === (transfer ?? pretrained) &&
      block.protocol === protocol,
  );
}

/** The numbers that a block prints for a row, in per cent by column; undefined when it has none. */
export function printedNumbers(
  { pretrained, rows, metrics }: PaperBlock,
  row: string,
): Readonly<Record<string, number>> | undefined {
  const values = rows[ALIASES[pretrained][row] ?? row];
  return values && Object.fromEntries(metrics.map((name, i) => [name, values[i]!]));
}
