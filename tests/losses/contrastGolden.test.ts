import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  bankNce,
  bankSoftmax,
  type CrossModal,
  DECUR_WEIGHTS,
  type DecurTerms,
  decorrelation,
  decurTerms,
  denseContrast,
  denseCorrespondence,
  estimateNormalizer,
  globalContrastiveLoss,
  infoNce,
  modalityContrastiveLoss,
  ntXent,
  ntXentOfRows,
  queueContrast,
} from '../../src/losses/index.js';
import { type Dtype, ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';
import { relativeError, values } from '../golden/formula.js';
import { type Case, check } from './goldenCase.js';

interface Masked extends Case {
  /** Share of the entries that are excluded; null: no mask. */
  share: number | null;
}
interface WithZeros extends Masked {
  tau: number;
  zero: number[];
}
interface Golden {
  infoNce: (WithZeros & { shape: [number, number]; positive: 'once' | 'twice' })[];
  global: (Masked & { shape: [number, number] })[];
  modalities: (Masked & { crossModal: CrossModal })[];
  prediction: (Masked & { fixed: number[]; beta: number })[];
  decorrelation: (Case & { shape: [number, number] })[];
  decur: (Case & {
    gaps: number[][];
    components: number;
    lam: number;
    common: number;
    terms: Record<keyof DecurTerms, number | null>;
  })[];
  ntXentOfRows: (Case & { samples: number[]; groups: number[] | null })[];
  ntXent: (WithZeros & { views: number; shape: [number, number] })[];
  bankSoftmax: (WithZeros & { batch: number; rows: number; dimension: number })[];
  bankNce: (WithZeros & {
    batch: number;
    rows: number;
    dimension: number;
    drawn: number;
    normalizer: number;
    estimate: number | null;
  })[];
  queue: (WithZeros & { batch: number; size: number; dimension: number })[];
  dense: (WithZeros & {
    batch: number;
    channels: number;
    dimension: number;
    positions: number;
    size: number;
    match: number[][];
  })[];
}

const golden: Golden = JSON.parse(readFileSync(new URL('../golden/contrast.json', import.meta.url), 'utf8'));

/** The samples that have each of three modalities. */
const GAPS = [
  [0, 1, 2, 3, 4, 5],
  [0, 2, 3, 5],
  [1, 3, 4, 5],
];

const PAIRS = [
  [0, 1],
  [0, 2],
  [1, 2],
] as const;

function bothOf(first: number, second: number): number[] {
  return GAPS[first]!.filter((sample) => GAPS[second]!.includes(sample));
}

/** The embeddings of the un-augmented and of the augmented images of three modalities with gaps, as in contrast.py. */
function gapViews(): Float64Array[] {
  return Array.from({ length: 6 }, (_, v) => values([GAPS[v % 3]!.length, 4], 70 + v, -0.5, 1));
}

const shapesOf = (inputs: readonly Float64Array[]) => inputs.map(({ length }) => [length / 4, 4]);

function gapped(xs: readonly Tensor[], share: number | null) {
  const excluded = mask([6, 6], share).exclude;
  const among = (samples: readonly number[]): Tensor | undefined => {
    const index = i64([...samples], [samples.length]);
    return excluded && ops.indexSelect(ops.indexSelect(excluded, 0, index), 1, index);
  };
  const modalities = GAPS.map((samples, m) => {
    return { clean: xs[m]!, augmented: xs[3 + m]!, exclude: among(samples) };
  });
  const pairs = PAIRS.map(([first, second]) => {
    const both = bothOf(first, second);
    const places = (m: number) => both.map((sample) => GAPS[m]!.indexOf(sample));
    const rows = [first, second].map((m) => i64(places(m), [both.length])) as [Tensor, Tensor];
    return { first, second, rows, exclude: among(both) };
  });
  return { modalities, pairs };
}

// The inputs of contrast.py.
function unitRows(shape: [number, number], seed: number): Float64Array {
  const [rows, d] = shape;
  const made = values(shape, seed);
  for (let row = 0; row < rows; row += 1) {
    const vector = made.subarray(row * d, (row + 1) * d);
    const norm = Math.hypot(...vector);
    vector.forEach((x, i) => {
      vector[i] = x / norm;
    });
  }
  return made;
}

function mask(shape: [number, number], share: number | null): { exclude?: Tensor } {
  if (share === null) return {};
  const excluded = Array.from(values(shape, 99, 0, 1), (x) => x < share).fill(true, 0, shape[1]);
  return { exclude: tensor(excluded, shape, { dtype: 'bool' }) };
}

function zeroed(shape: readonly number[], seed: number, zero: readonly number[]): Float64Array {
  const made = values(shape, seed);
  const length = made.length / shape[0]!;
  for (const row of zero) made.fill(0, row * length, (row + 1) * length);
  return made;
}

const i64 = (data: number[], shape: number[]): Tensor => tensor(data, shape, { dtype: 'i64' });
const ownRows = (batch: number, n: number): number[] =>
  Array.from({ length: batch }, (_, b) => (3 * b + 1) % n);
const negativesOf = (rows: number[], drawn: number, n: number): Tensor =>
  i64(
    rows.flatMap((row) => Array.from({ length: drawn }, (_, k) => (row + 1 + k) % n)),
    [rows.length, drawn],
  );
const numbered = <T>(cases: T[]): [number, T][] => cases.map((c, i) => [i, c]);

describe('losses of the competing methods against float64 PyTorch', () => {
  test.each(numbered(golden.infoNce))(
    'infoNce without false negatives agrees in case %i',
    (_, { shape, zero, ...c }) => {
      check(
        c,
        [zeroed(shape, 3, zero), values(shape, 4)],
        [shape, shape],
        ([f, g]) => infoNce(f!, g!, { ...c, ...mask([shape[0], shape[0]], c.share) }),
        zero,
      );
    },
  );

  test.each(numbered(golden.global))(
    'globalContrastiveLoss without false negatives agrees in case %i',
    (_, c) => {
      const views = [0, 1, 2, 3].map((view) => values(c.shape, 20 + view, -0.5, 1));
      check(c, views, Array(4).fill(c.shape), ([a, b, aHat, bHat]) =>
        globalContrastiveLoss(
          { a: a!, b: b!, aHat: aHat!, bHat: bHat! },
          mask([c.shape[0], c.shape[0]], c.share),
        ),
      );
    },
  );

  test.each(numbered(golden.modalities))(
    'modalityContrastiveLoss of three modalities with gaps agrees in case %i',
    (_, { crossModal, share, ...c }) => {
      check(c, gapViews(), shapesOf(gapViews()), (xs) => {
        const { modalities, pairs } = gapped(xs, share);
        return modalityContrastiveLoss(modalities, pairs, { tau: 0.2, crossModal });
      });
    },
  );

  test.each(numbered(golden.prediction))(
    'modalityContrastiveLoss that predicts the mate agrees in case %i',
    (_, { fixed, beta, share, ...c }) => {
      const predictions = Array.from({ length: 6 }, (_, p) => {
        const [first, second] = PAIRS[Math.floor(p / 2)]!;
        return values([bothOf(first, second).length, 4], 90 + p, -0.5, 1);
      });
      const inputs = [...gapViews(), ...predictions];
      check(c, inputs, shapesOf(inputs), (xs) => {
        const { modalities, pairs } = gapped(xs, share);
        const predicting = pairs.map((pair, p) => ({
          ...pair,
          predicted: [xs[6 + 2 * p]!, xs[7 + 2 * p]!] as const,
          fixed: [fixed.includes(pair.first), fixed.includes(pair.second)] as const,
        }));
        const options = { tau: 0.2, crossModal: 'predict', crossModalWeight: beta } as const;
        return modalityContrastiveLoss(modalities, predicting, options);
      });
    },
  );

  test.each(numbered(golden.decorrelation))('decorrelation agrees in case %i', (_, { shape, ...c }) => {
    check(c, [values(shape, 60), values(shape, 61)], [shape, shape], ([f, g]) => decorrelation(f!, g!));
  });

  test.each(numbered(golden.decur))(
    'decurTerms agree in case %i, with gaps and single samples',
    (_, { gaps, components, lam, common, terms: expected, ...c }) => {
      const shapes = gaps.flatMap(({ length }) => Array<[number, number]>(2).fill([length, components]));
      const inputs = shapes.map((shape, v) => values(shape, 110 + v, -0.5, 1));
      const rowsOf = (m: number, both: readonly number[]) =>
        i64(
          both.map((sample) => gaps[m]!.indexOf(sample)),
          [both.length],
        );
      const numbersOf = gaps.map((_, m) => m);
      const mated = numbersOf.flatMap((first) => numbersOf.slice(first + 1).map((second) => [first, second]));
      check(c, inputs, shapes, (xs) => {
        const pairs = mated.map(([first, second]) => {
          const both = gaps[first!]!.filter((sample) => gaps[second!]!.includes(sample));
          return {
            first: first!,
            second: second!,
            rows: [rowsOf(first!, both), rowsOf(second!, both)] as const,
          };
        });
        const modalities = gaps.map((_, m) => [xs[2 * m]!, xs[2 * m + 1]!] as const);
        const terms = Object.entries(decurTerms(modalities, pairs, { common, lambda: lam }));
        // The golden values are 0 for a group without components, which has no term here.
        const wanted = Object.entries(expected).filter(([, value]) => value !== null && value !== 0);
        expect(terms.map(([name]) => name)).toEqual(wanted.map(([name]) => name));
        terms.forEach(([, value], i) => {
          const error = relativeError([value.item()], [wanted[i]![1]!]);
          expect(error).toBeLessThan(value.dtype === 'f64' ? 1e-11 : 1e-5);
        });
        const weighted = terms.map(([name, value]) => value.mul(DECUR_WEIGHTS[name as keyof DecurTerms]));
        return weighted.reduce((sum, value) => sum.add(value));
      });
    },
  );

  test.each(numbered(golden.ntXentOfRows))(
    'ntXentOfRows agrees in case %i, where one sample has a single view',
    (_, { samples, groups, ...c }) => {
      check(
        c,
        [values([samples.length, 5], 80)],
        [[samples.length, 5]],
        ([z]) => ntXentOfRows(z!, samples, { tau: 0.3, ...(groups && { groups }) })!,
      );
    },
  );

  test.each(numbered(golden.ntXent))('ntXent agrees in case %i', (_, { shape, views, zero, ...c }) => {
    const inputs = Array.from({ length: views }, (_, view) =>
      zeroed(shape, 30 + view, view === 0 ? zero : []),
    );
    check(
      c,
      inputs,
      Array(views).fill(shape),
      (xs) => ntXent(xs, { tau: c.tau, ...mask([shape[0], shape[0]], c.share) }),
      zero,
    );
  });

  test.each(numbered(golden.bankSoftmax))(
    'bankSoftmax agrees in case %i',
    (_, { batch, rows: n, dimension, zero, ...c }) => {
      check(
        c,
        [zeroed([batch, dimension], 40, zero)],
        [[batch, dimension]],
        ([f]) => {
          const bank = tensor(unitRows([n, dimension], 41), [n, dimension], { dtype: f!.dtype });
          const rows = i64(ownRows(batch, n), [batch]);
          return bankSoftmax(f!, bank, rows, { tau: c.tau, ...mask([batch, n], c.share) });
        },
        zero,
      );
    },
  );

  test.each(numbered(golden.bankNce))(
    'bankNce agrees in case %i',
    (_, { batch, rows: n, dimension, drawn, zero, ...c }) => {
      const rows = ownRows(batch, n);
      const bank = (dtype: Dtype) => tensor(unitRows([n, dimension], 41), [n, dimension], { dtype });
      check(
        c,
        [zeroed([batch, dimension], 40, zero)],
        [[batch, dimension]],
        ([f]) =>
          bankNce(f!, bank(f!.dtype), i64(rows, [batch]), negativesOf(rows, drawn, n), {
            tau: c.tau,
            normalizer: c.normalizer,
            ...mask([batch, drawn], c.share),
          }),
        zero,
      );
      if (c.estimate === null) return;
      tidy(() => {
        const f = tensor(zeroed([batch, dimension], 40, zero), [batch, dimension]);
        const estimate = estimateNormalizer(f, bank('f64'), negativesOf(rows, drawn, n), c.tau);
        expect(relativeError([estimate], [c.estimate!])).toBeLessThan(1e-11);
      });
    },
  );

  test.each(numbered(golden.queue))(
    'queueContrast agrees in case %i',
    (_, { batch, size, dimension, zero, ...c }) => {
      check(
        c,
        [zeroed([batch, dimension], 50, zero)],
        [[batch, dimension]],
        ([q]) => {
          const k = tensor(values([batch, dimension], 51), [batch, dimension], { dtype: q!.dtype });
          const queue = tensor(unitRows([size, dimension], 52), [size, dimension], { dtype: q!.dtype });
          return queueContrast(q!, k, queue, { tau: c.tau, ...mask([batch, size], c.share) });
        },
        zero,
      );
    },
  );

  test.each(numbered(golden.dense))('denseCorrespondence and denseContrast agree in case %i', (_, c) => {
    const { batch, channels, dimension, positions, size } = c;
    const shape = [batch, dimension, positions];
    check(
      c,
      [zeroed(shape, 62, c.zero)],
      [shape],
      ([q]) => {
        const backbone = [60, 61].map((seed) => {
          const grid = [batch, channels, positions];
          return tensor(values(grid, seed), grid, { dtype: q!.dtype });
        });
        const match = denseCorrespondence(backbone[0]!, backbone[1]!);
        expect(Array.from(match.toArray(), Number)).toEqual(c.match.flat());
        const k = tensor(values(shape, 63), shape, { dtype: q!.dtype });
        const queue = tensor(unitRows([size, dimension], 64), [size, dimension], { dtype: q!.dtype });
        return denseContrast(q!, k, match, queue, { tau: c.tau, ...mask([batch, size], c.share) });
      },
      c.zero,
    );
  });
});
