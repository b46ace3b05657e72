import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PairsQuestion, refuseOtherPairs } from '../../src/evaluation/pairs/pairsQuestion.js';
import { type Question, refuseOtherQuestion } from '../../src/evaluation/question.js';
import { evaluationName } from '../../src/evaluation/saveEvaluation.js';
import { storeEvaluation } from '../report/storedRun.js';

let folder: string;
let results: string;
let stored: Question & Record<string, unknown>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'question-'));
  results = join(folder, 'evaluation');
  // The rows of a plain judgement, so that the file has the plain name.
  storeEvaluation(folder);
  const first = JSON.parse(readFileSync(join(results, 'logreg.json'), 'utf8'));
  const [row] = first.rows;
  const rows = ['run', 'untrained'].flatMap((source) =>
    ['pooled', 'head'].flatMap((features) =>
      [['a'], ['b'], ['a', 'b']].map((modalities) => {
        const key = [source, features, modalities.join('+')].join('/');
        return { ...row, key, source, features, modalities };
      }),
    ),
  );
  const folds = { ...first.folds, digest: 'aa' };
  storeEvaluation(folder, { rows, folds, differences: [], asked: {}, run: { ...first.run, seed: 0 } });
  stored = JSON.parse(readFileSync(join(results, 'logreg.json'), 'utf8'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an evaluation', () => {
  test('may take the place of one that answers the same question', () => {
    expect(evaluationName(stored)).toBe('logreg');
    expect(() => refuseOtherQuestion(results, stored)).not.toThrow();
    expect(() => refuseOtherQuestion(join(folder, 'empty'), stored)).not.toThrow();
  });

  test.each([
    ['other labels or images', { data: { dataHash: 'other' } }, 'content of the data'],
    [
      'the classes in another order',
      { data: { classes: ['<i>malignant</i>', 'benign'] } },
      'classes: benign, ',
    ],
    ['another seed', { folds: { seed: 1 } }, 'seed: 0 → 1'],
    ['another number of folds', { folds: { k: 3, judged: [0, 1, 2] } }, 'folds: 5 generated → 3 generated'],
    ['other folds of the same number', { folds: { digest: 'bb' } }, 'division into folds: aa → bb'],
    ['more bootstraps', { bootstrap: { replicates: 5000 } }, 'bootstraps: 2000 → 5000'],
    ['another precision', { run: { precision: 'fp32' } }, 'precision: bf16 → fp32'],
    ['another setting of the protocol', { asked: { k: 5 } }, 'k: not given → 5'],
  ])('does not, with %s', (_, different, told) => {
    const question = Object.fromEntries(
      Object.entries(stored).map(([name, value]) => {
        const own = (different as Record<string, object>)[name];
        return [name, own === undefined ? value : { ...(value as object), ...own }];
      }),
    ) as unknown as Question;
    const refused = expect(() => refuseOtherQuestion(results, question));
    refused.toThrow(`${join(results, 'logreg.json')} answers another question; --overwrite replaces it`);
    expect(() => refuseOtherQuestion(results, question)).toThrow(told);
  });

  test('of all kinds of features has another name than that of both', () => {
    const maps = stored.rows
      .filter(({ features }) => features === 'pooled')
      .map((row) => ({ ...row, key: row.key.replace('pooled', 'maps'), features: 'maps' as const }));
    const all = { ...stored, rows: [...stored.rows, ...maps] };
    expect(evaluationName(all)).toBe('logreg-pooled-head-maps');
    expect(evaluationName({ ...stored, rows: maps })).toBe('logreg-maps');
    expect(() => refuseOtherQuestion(results, all)).not.toThrow();
  });

  test('compares with an older result what that one stored', () => {
    const { asked: _, ...older } = stored;
    const { digest: __, ...folds } = stored.folds;
    writeFileSync(join(results, 'logreg.json'), JSON.stringify({ ...older, folds, settings: { k: 20 } }));
    expect(() => refuseOtherQuestion(results, { ...stored, asked: { k: 20, epochs: 3 } })).not.toThrow();
    expect(() => refuseOtherQuestion(results, { ...stored, asked: { k: 5 } })).toThrow('k: 20 → 5');
    writeFileSync(join(results, 'logreg.json'), '{');
    expect(() => refuseOtherQuestion(results, stored)).toThrow(/is not JSON.*--overwrite replaces it/);
    writeFileSync(join(results, 'logreg.json'), JSON.stringify(stored));
  });

  test('has the label and the positive class in its name, where these are not the run’s', () => {
    const named = (data: Partial<Question['data']>) =>
      evaluationName({ ...stored, data: { ...stored.data, ...data } });
    expect(named({ label: 'Tumour Grade' })).toBe('logreg-label-tumour-grade');
    expect(named({ positive: 'low' })).toBe('logreg-positive-low');
    expect(named({ label: '../../etc/<b>' })).toBe('logreg-label-etc-b');
  });
});

test('a measurement on pairs does not take the place of one of other pairs', () => {
  const data = {
    ...{ name: 'pairs', dataHash: 'abc', pairs: 40, subjects: 20, modalities: ['a', 'b'] },
    ...{ chosen: 'all' as const, setAside: 0, withLesion: 0 },
  };
  const question: PairsQuestion = {
    data: { ...data, modalities: ['a', 'b'] },
    seed: 0,
    run: { precision: 'fp32' },
    bootstrap: { replicates: 2000, confidence: 0.95, seed: 0 },
  };
  const file = join(folder, 'pairs.json');
  mkdirSync(folder, { recursive: true });
  const run = { name: 'r', recipe: 'x', seed: 0, size: 32, precision: 'fp32', device: 'cpu', encoders: [] };
  const exposure = { kind: 'transfer', seenTestSamples: 0, testSamples: 40 };
  const result = {
    ...question,
    version: 1,
    tool: 'x',
    protocol: 'pairs',
    run,
    exposure,
    settings: { seed: 0 },
  };
  writeFileSync(file, JSON.stringify({ ...result, measures: [], projections: [], examples: [], notes: [] }));
  expect(() => refuseOtherPairs(file, question)).not.toThrow();
  const refused = (different: Partial<PairsQuestion>) =>
    expect(() => refuseOtherPairs(file, { ...question, ...different }));
  refused({ data: { ...question.data, pairs: 10, subjects: 8 } }).toThrow('pairs: 40 → 10');
  refused({ data: { ...question.data, withLesion: 12 } }).toThrow('pairs with a known lesion: 0 → 12');
  refused({ seed: 1 }).toThrow('seed: 0 → 1');
  refused({ bootstrap: { ...question.bootstrap, replicates: 100 } }).toThrow('bootstraps: 2000 → 100');
});
