import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset, Sample } from '../../src/data/sample.js';
import { makeSplits, type Splits, saveSplits } from '../../src/data/splits/splits.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import type { EvaluateOptions } from '../../src/evaluation/planEvaluation.js';
import { type Evaluation, primaryRow } from '../../src/evaluation/results/evaluationResult.js';
import { formatEvaluation } from '../../src/evaluation/results/evaluationTable.js';
import { predictionsOf, readPredictions } from '../../src/evaluation/results/predictions.js';
import { evaluationName, saveEvaluation } from '../../src/evaluation/saveEvaluation.js';
import { setThreads, threads } from '../../src/tensor/index.js';
import { gapped, packed, randomRun } from './gappedImages.js';

let folder: string;
let threadsBefore: number;
/** Of three modalities, b is missing in every odd sample, and c in the first two subjects of each six. */
let dataset: Dataset;
let gaps: string;
let evens: string;
let run: string;
let splits: string;
let evenSplits: string;

const hasImage = (modality: string, i: number) =>
  modality === 'a' || (modality === 'b' ? i % 2 === 0 : Math.floor(i / 2) % 6 > 1);

beforeAll(async () => {
  threadsBefore = threads();
  setThreads(1);
  folder = mkdtempSync(join(tmpdir(), 'gaps-'));
  dataset = gapped(['a', 'b', 'c'], 24, hasImage);
  gaps = await packed(folder, 'gaps', dataset);
  const samples = dataset.samples.filter((_, i) => i % 2 === 0);
  const alone = samples.map((sample) => ({ ...sample, images: { b: sample.images.b! } }));
  evens = await packed(folder, 'evens', { ...dataset, modalities: ['b'], samples: alone });
  run = await randomRun(join(folder, 'run'), gaps);
  const made = makeSplits(dataset, { folds: 2, seed: 1 });
  [splits, evenSplits] = [join(folder, 'splits.json'), join(folder, 'evens.json')];
  await saveSplits(made, splits);
  const even: Splits = {
    ...made,
    folds: Object.fromEntries(samples.map(({ id }) => [id, made.folds[id]!])),
  };
  await saveSplits(even, evenSplits);
});

afterAll(() => {
  setThreads(threadsBefore);
  rmSync(folder, { recursive: true, force: true });
});

function judge(options: Partial<EvaluateOptions>): Promise<Evaluation> {
  return evaluate({
    run,
    data: { path: gaps },
    splits,
    protocol: 'logreg',
    features: 'pooled',
    replicates: 50,
    precision: 'fp32',
    cacheFolder: join(folder, 'cache'),
    ...options,
  });
}

const rowOf = (result: Evaluation, key: string) => result.rows.find((row) => row.key === key)!;

describe('a row on images that some samples lack', () => {
  it.each([
    ['logreg', { labelFraction: 0.4 }],
    ['knn', { k: 5, untrained: false }],
    ['linear', { epochs: 3, untrained: false }],
    ['linear', { preset: 'simclr', epochs: 1, untrained: false }],
    ['finetune', { preset: 'simclr', epochs: 1, untrained: false }],
    ['logreg', { features: 'maps', labelFraction: 0.4 }],
    ['finetune', { preset: 'simclr', epochs: 1, untrained: false, features: 'maps' }],
  ] as const)('is judged by %s (%o) as data of the other samples alone are', async (protocol, settings) => {
    const among = await judge({ protocol, ...settings, images: ['b', 'any'] });
    const alone = await judge({
      protocol,
      ...settings,
      images: ['b'],
      data: { path: evens },
      splits: evenSplits,
    });
    const own = `run/${'features' in settings ? settings.features : 'pooled'}/b`;
    for (const key of [own, 'thumbnail/pixels/b']) {
      const { judgedOn, ...row } = rowOf(among, key);
      expect(row).toEqual(rowOf(alone, key));
      expect(judgedOn).toEqual({
        samples: 24,
        subjects: 24,
        samplesPerClass: [12, 12],
        subjectsPerClass: [12, 12],
      });
    }
    const against = (result: Evaluation) =>
      result.differences.find((one) => one.row === own && one.against === 'thumbnail/pixels/b')!;
    // Holm's correction is over all differences of the evaluation, and there are more of them.
    expect({ ...against(among), holm: null }).toEqual({ ...against(alone), holm: null });
  });
});

describe('data with missing images', () => {
  let result: Evaluation;
  beforeAll(async () => {
    result = await judge({});
  });

  it('are judged by any of the images too, and each row on the samples that have its images', () => {
    expect(evaluationName(result)).toBe('logreg-pooled');
    const images = ['a', 'b', 'c', 'a+b+c', 'any'];
    expect(result.rows.map(({ key }) => key)).toEqual(
      ['run/pooled', 'untrained/pooled', 'thumbnail/pixels'].flatMap((row) =>
        images.map((one) => `${row}/${one}`),
      ),
    );
    expect(result.data.images).toEqual({ a: 48, b: 24, c: 32 });
    const judgedOn = result.rows.slice(0, 5).map((row) => [row.judgedOn?.samples, row.judgedOn?.subjects]);
    expect(judgedOn).toEqual([
      [undefined, undefined],
      [24, 24],
      [32, 16],
      [16, 16],
      [undefined, undefined],
    ]);
    expect(primaryRow(result)!.key).toBe('run/pooled/any');
    expect(result.differences.map(({ row, against }) => `${row} ${against}`)).toHaveLength(10);
  });

  it('are told of in notes and tables', () => {
    const text = formatEvaluation(result);
    expect(text).toContain('; images: A 48, B 24, C 32;');
    expect(text).toMatch(/\| run, transductive|untrained \| pooled +\| A\+B\+C +\| 16 \(16\) +\|/);
    expect(text).toMatch(/\| pooled +\| C +\| 16 of 24 +\|/);
    expect(result.notes).toContain(
      'any is any of A, B, C: the mean of the features of those images that a sample has.',
    );
    expect(result.notes.join('\n')).toContain(
      'of 48 samples (24 subjects), B on 24 (24), C on 32 (16), A+B+C on 16 (16)',
    );
  });

  it('leave empty cells among the predictions, which are read again', () => {
    const saved = saveEvaluation(join(folder, 'stored'), result);
    const [, first, second] = readFileSync(saved.predictions, 'utf8').split('\n');
    expect(
      [first, second].map((line) =>
        line!
          .split(',')
          .slice(4)
          .map((cell) => cell !== ''),
      ),
    ).toEqual([
      Array.from({ length: 3 }, () => [true, true, false, false, true]).flat(),
      Array.from({ length: 3 }, () => [true, false, false, false, true]).flat(),
    ]);
    const stored = readPredictions(saved.predictions, result)!;
    const own = predictionsOf(stored, 'run/pooled/a+b+c')!;
    expect(own.ids).toHaveLength(16);
    expect(predictionsOf(stored, 'run/pooled/any')!.ids).toHaveLength(48);
  });

  it('are judged on sets of several modalities on request, whose row is the same beside others', async () => {
    const some = await judge({ images: ['a+b', 'any', 'a'], untrained: false });
    expect(some.rows.filter(({ source }) => source === 'run').map(({ key }) => key)).toEqual([
      'run/pooled/a',
      'run/pooled/a+b',
      'run/pooled/any',
    ]);
    expect(evaluationName(some)).toBe('logreg-a-a+b-any-pooled-alone');
    expect(rowOf(some, 'run/pooled/any')).toEqual(rowOf(result, 'run/pooled/any'));
    await expect(judge({ images: ['a+d'] })).rejects.toThrow(
      '--images has a+d, expected one or more of a, b, c, a+b+c, any, or others of them joined by + in this order',
    );
  });
});

describe('sets of images that too few samples have', () => {
  it('are left out with a note by default, and refused where they are asked for', async () => {
    // No sample has all three; c is of one malignant subject.
    const lonely = gapped(['a', 'b', 'c'], 12, (modality, i) => {
      if (modality === 'c') return [0, 2, 4].includes(Math.floor(i / 2)) || i === 2;
      return modality === 'a' ? i !== 2 : i > 5;
    });
    const path = await packed(folder, 'lonely', lonely);
    const own = { data: { path }, splits: undefined, folds: 2, untrained: false };
    const result = await judge(own);
    expect(result.leftOut).toEqual([
      { images: 'c', reason: 'class "malignant" has 1 subject with them, expected at least 2' },
      { images: 'a+b+c', reason: expect.stringContaining('subject') },
    ]);
    expect(result.notes).toContain(
      'C is not judged: class "malignant" has 1 subject with them, expected at least 2.',
    );
    expect(evaluationName(result)).toBe('logreg-pooled-alone');
    await expect(judge({ ...own, images: ['a', 'c'] })).rejects.toThrow(
      '--images has c, which cannot be judged: class "malignant" has 1 subject with them',
    );
  });

  it('may be missing in a fold, which is then skipped', async () => {
    // The folds are by subject, so that c is missing in all of fold 0 and b has few subjects.
    const fold = (i: number) => Math.floor(i / 4) % 3;
    const some = gapped(['a', 'c'], 36, (modality, i) => modality === 'a' || (fold(i) > 0 && i < 60));
    const path = await packed(folder, 'skipped', some);
    const file = join(folder, 'skipped.json');
    const made = makeSplits(some, { folds: 3, seed: 1 });
    await saveSplits(
      { ...made, folds: Object.fromEntries(some.samples.map(({ id }, i) => [id, fold(i)])) },
      file,
    );
    for (const options of [{}, { protocol: 'linear', preset: 'simclr', epochs: 1 }] as const) {
      const result = await judge({
        data: { path },
        splits: file,
        untrained: false,
        images: ['c'],
        ...options,
      });
      const [own] = result.rows;
      expect(own!.metrics.auc!.folds[0]).toBeNull();
      expect(own!.metrics.auc!.folds.slice(1).every((value) => value !== null)).toBe(true);
      expect(own!.metrics.auc!.skipped).toBe(1);
      expect(own!.chosen?.length ?? 3).toBe(3);
      expect(result.notes).toContain(
        'AUC and macro averages of C are undefined in fold 0, which lacks a class; their mean is over the other folds.',
      );
    }
  });

  it('have no tests and a warning where only they have too few subjects', async () => {
    const few = gapped(['a', 'b'], 12, (modality, i) => modality === 'a' || i < 16);
    const path = await packed(folder, 'few', few);
    const { differences, notes } = await judge({
      data: { path },
      splits: undefined,
      folds: 2,
      untrained: false,
    });
    const p = Object.fromEntries(differences.map(({ row, pValue, holm }) => [row, [pValue, holm]]));
    expect(p['run/pooled/b']).toEqual([null, null]);
    expect(p['run/pooled/any']![1]).toBeGreaterThan(0);
    expect(notes.filter((note) => note.startsWith('B: Only 8 subjects'))).toHaveLength(1);
  });
});

it('any is the mean of the features of the images that a sample has, thumbnails too', async () => {
  // B is the same picture as A, so the mean of both is each.
  const twin = gapped(['a', 'b'], 12, () => true);
  const samples = twin.samples.map((sample, i): Sample => {
    const a = sample.images.a!;
    return { ...sample, images: i % 2 === 0 ? { a, b: a } : { a } };
  });
  const path = await packed(folder, 'twins', { ...twin, samples });
  const result = await judge({
    data: { path },
    splits: undefined,
    folds: 2,
    untrained: false,
    images: ['a', 'any'],
  });
  const { probabilities } = result.predictions;
  expect(probabilities['thumbnail/pixels/any']).toEqual(probabilities['thumbnail/pixels/a']);
  const [own, any] = ['a', 'any'].map((images) => probabilities[`run/pooled/${images}`]!);
  any!.forEach((value, i) => {
    expect(value).toBeCloseTo(own![i]!, 4);
  });
});
