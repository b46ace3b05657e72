/**
 * The numbers of the paper, to show beside ours: its Tables 1 to 3, in per cent as printed. The notes tell what is odd
 * about these numbers, by arithmetic on them.
 */
import { UsageError } from '../../errors.js';
import { nearest } from '../../text/nearest.js';

/** The data that the paper's encoders were pretrained on. */
export type Pretrained = 'US-SWE' | 'Fundus-FFA';
/** The way in which the paper judges its encoders. */
export type PaperProtocol = 'linear classification' | 'finetuning';

/** A group of columns in a table: encoders that were pretrained on one data set and judged on one, in one way. */
export interface PaperBlock {
  readonly table: 1 | 2 | 3;
  readonly pretrained: Pretrained;
  /** The data that the encoders are judged on: that of pretraining, or the data set they are transferred to. */
  readonly data: Pretrained | 'BUSI' | 'iChallenge-PM';
  readonly protocol: PaperProtocol;
  /** The names of the columns; AUC is the first. */
  readonly metrics: readonly string[];
  readonly rows: Readonly<Record<string, readonly number[]>>;
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

const table1 = { table: 1, metrics: ['AUC', 'accuracy', 'F1'] } as const;
const ablation = {
  pretrained: 'US-SWE',
  data: 'US-SWE',
  protocol: 'linear classification',
  metrics: ['AUC', 'accuracy', 'precision'],
} as const;

const F1 =
  'F1 is that of the positive class: Fundus-FFA DenseCL (82.94, 58.69) is impossible as a macro average.';
const EPOCH =
  'The authors’ snapshot reports the epoch with the best test metrics, and the paper gives no intervals; a step of one standard error of AUC on US-SWE is about 1.2 points.';
const COPY = 'InstDis-All has AUC 88.27 on US-SWE under both protocols: possibly a slip of copying.';
const BUSI =
  'The BUSI accuracies fit counts out of 647 images: benign and malignant, without the normal ones.';
const PM =
  'The iChallenge-PM numbers fit counts out of 79 images, one fold and no mean over five: a step is 1.27 points.';
const PM_OURS =
  'Ours, finetuned on iChallenge-PM, has accuracy 91.35 with F1 95.23, which needs 86 % positives; F1 is 80/84, which goes with 75/79 = 94.94: probably a misprint.';
const PRECISION = 'Tables 2 and 3 print precision where Table 1 prints F1.';
const BEST =
  'The adopted settings are not the best of Table 3: hierarchies [2,3,4] have AUC 90.46, [4] has accuracy 83.12.';
const TWIN =
  'Rows [2,3,4] and (8,8)&(4,4) have the same accuracy and precision (82.16, 78.79): possibly a slip of copying.';

export const paperBlocks: readonly PaperBlock[] = [
  {
    ...table1,
    pretrained: 'US-SWE',
    data: 'US-SWE',
    protocol: 'linear classification',
    rows: {
      'InstDis-US': [81.77, 75.2, 69.77],
      'InstDis-SWE': [85.85, 78.16, 72.23],
      CMC: [86.77, 79.89, 74.57],
      SimCLR: [88.54, 77.77, 72.59],
      'InstDis-All': [88.27, 80.88, 77.26],
      DenseCL: [87.62, 80.95, 76.89],
      Ours: [90.11, 82.43, 78.46],
    },
    notes: [COPY, F1, EPOCH],
  },
  {
    ...table1,
    pretrained: 'US-SWE',
    data: 'BUSI',
    protocol: 'linear classification',
    rows: {
      'InstDis-US': [78.17, 74.03, 60.05],
      'InstDis-SWE': [74.88, 71.56, 54.34],
      CMC: [79.12, 74.17, 58.61],
      SimCLR: [79.8, 73.7, 59.11],
      'InstDis-All': [79.04, 73.87, 57.97],
      DenseCL: [79.56, 75.27, 62.81],
      Ours: [82.02, 76.81, 62.46],
    },
    notes: [BUSI, F1],
  },
  {
    ...table1,
    pretrained: 'US-SWE',
    data: 'US-SWE',
    protocol: 'finetuning',
    rows: {
      'w/o pretrain': [83.15, 74.86, 74.97],
      'InstDis-US': [84.87, 78.07, 73.04],
      'InstDis-SWE': [89.32, 82.21, 78.42],
      CMC: [91.1, 83.83, 79.66],
      SimCLR: [90.22, 81.76, 79.34],
      'InstDis-All': [88.27, 81.23, 77.76],
      DenseCL: [88.4, 80.52, 77.86],
      Ours: [91.68, 84.64, 81.25],
    },
    notes: [COPY, F1, EPOCH],
  },
  {
    ...table1,
    pretrained: 'US-SWE',
    data: 'BUSI',
    protocol: 'finetuning',
    rows: {
      'w/o pretrain': [85.11, 79.29, 66.97],
      'InstDis-US': [87.13, 81.75, 69.24],
      'InstDis-SWE': [86.99, 81.75, 70.81],
      CMC: [87.53, 81.9, 70.82],
      SimCLR: [88.94, 80.06, 68.16],
      'InstDis-All': [88.4, 81.6, 70.39],
      DenseCL: [88.44, 83.07, 71.05],
      Ours: [89.27, 83.77, 73.68],
    },
    notes: [BUSI, F1],
  },
  {
    ...table1,
    pretrained: 'Fundus-FFA',
    data: 'Fundus-FFA',
    protocol: 'linear classification',
    rows: {
      'InstDis-FFA': [82.79, 71.87, 55.59],
      'InstDis-Fundus': [83.22, 73.65, 56.16],
      CMC: [85.42, 78.9, 57.29],
      SimCLR: [82.06, 77.94, 53],
      'InstDis-All': [84.22, 79.42, 55.93],
      DenseCL: [84.27, 82.94, 58.69],
      Ours: [86.46, 81.43, 57.8],
    },
    notes: [F1],
  },
  {
    ...table1,
    pretrained: 'Fundus-FFA',
    data: 'iChallenge-PM',
    protocol: 'linear classification',
    rows: {
      'InstDis-FFA': [95.3, 84.81, 87.23],
      'InstDis-Fundus': [95.88, 87.34, 88.89],
      CMC: [95.32, 87.03, 88.74],
      SimCLR: [94.85, 83.54, 86.02],
      'InstDis-All': [95.32, 87.34, 88.25],
      DenseCL: [96.5, 86.07, 87.35],
      Ours: [96.32, 87.61, 89.09],
    },
    notes: [PM, F1],
  },
  {
    ...table1,
    pretrained: 'Fundus-FFA',
    data: 'Fundus-FFA',
    protocol: 'finetuning',
    rows: {
      'w/o pretrain': [79.24, 62.82, 48.23],
      'InstDis-FFA': [81.44, 77.87, 54.84],
      'InstDis-Fundus': [83.41, 69.13, 54.79],
      CMC: [87.04, 80.4, 58.76],
      SimCLR: [84.78, 79.89, 58.86],
      'InstDis-All': [84.13, 80.64, 55.66],
      DenseCL: [87.56, 77.43, 63.17],
      Ours: [88.58, 81.42, 62.5],
    },
    notes: [F1],
  },
  {
    ...table1,
    pretrained: 'Fundus-FFA',
    data: 'iChallenge-PM',
    protocol: 'finetuning',
    rows: {
      'w/o pretrain': [97.16, 87.34, 89.36],
      'InstDis-FFA': [95.75, 91.13, 91.56],
      'InstDis-Fundus': [98.06, 92.4, 92.85],
      CMC: [97.74, 93.67, 94.25],
      SimCLR: [97.68, 89.87, 90.69],
      'InstDis-All': [96.46, 91.13, 91.56],
      DenseCL: [97.68, 91.13, 92.13],
      Ours: [98.59, 91.35, 95.23],
    },
    notes: [PM, PM_OURS, F1],
  },
  {
    ...ablation,
    table: 2,
    rows: {
      Consistency: [75.99, 54.25, 49.77],
      Global: [87.89, 81.07, 79.7],
      'Consistency + Global': [90.11, 82.43, 80.84],
    },
    notes: [PRECISION, EPOCH],
  },
  {
    ...ablation,
    table: 3,
    rows: {
      'With Aug': [89.19, 81.97, 80.65],
      'Normed Correlation': [87.62, 80.99, 79.38],
      'Local Contrast': [88.7, 81.5, 81.94],
      KL: [88.5, 81.79, 81.22],
      '[4]': [89.9, 83.12, 80.05],
      '[3,4]': [89.24, 81.68, 77.42],
      '[2,3,4]': [90.46, 82.16, 78.79],
      '(8,8)': [89.48, 81.62, 79.83],
      '(8,8)&(4,4)': [89.82, 82.16, 78.79],
      Adopted: [90.11, 82.43, 80.84],
    },
    notes: [BEST, TWIN, PRECISION, EPOCH],
  },
];

/** A reference to a row of the paper's tables. */
export interface PaperReference {
  readonly table: PaperBlock['table'];
  /** The row's name as printed, or `InstDis-A` and `InstDis-B` of Table 1. */
  readonly row: string;
}

/** @throws UsageError when the table has no such row, with the nearest */
export function checkPaperReference({ table, row }: PaperReference): void {
  const blocks = paperBlocks.filter((block) => block.table === table);
  const printed = blocks.flatMap(({ rows }) => Object.keys(rows));
  const known = [...new Set([...printed, ...(table === 1 ? Object.keys(ALIASES['US-SWE']) : [])])];
  if (known.includes(row)) return;
  const meant = nearest(row, known);
  throw new UsageError(
    `the paper’s Table ${table} has no row "${row}", expected one of ${known.join(', ')}` +
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
  return paperBlocks.find(
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
