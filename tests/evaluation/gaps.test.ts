import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/sample.js';
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
    ['logreg', {}],
    ['logreg', { labelFraction: 0.4 }],
    ['knn', { k: 5 }],
    ['linear', { epochs: 3 }],
    ['linear', { preset: 'simclr', epochs: 1 }],
    ['finetune', { preset: 'simclr', epochs: 1, untrained: false }],
  ] as const)('is judged by %s (%o) as data of the other samples alone are', async (protocol, settings) => {
    const among = await judge({ protocol, ...settings, images: ['b', 'any'] });
    const alone = await judge({
      protocol,
      ...settings,
      images: ['b'],
      data: { path: evens },
      splits: evenSplits,
    });
    for (const key of ['run/pooled/b', 'thumbnail/pixels/b']) {
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
      result.differences.find((one) => one.row === 'run/pooled/b' && one.against === 'thumbnail/pixels/b')!;
    // Holm's correction is over all differences of the evaluation, and there are more of them.
    expect({ ...against(among), holm: null }).toEqual({ ...against(alone), holm: null });
  });
});
