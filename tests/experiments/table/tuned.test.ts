/** Tuned rows, marks and comparisons, from stored predictions whose values are known. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { PairsResult } from '../../../src/evaluation/results/pairsResult.js';
import type { RowPredictions } from '../../../src/evaluation/results/predictions.js';
import { formatTable } from '../../../src/experiments/print/formatTable.js';
import { type Alternative, compose } from '../../../src/experiments/table/compose.js';
import { meanFoldAuc, pooledMetrics } from '../../../src/experiments/table/entries.js';
import { experimentTable } from '../../../src/experiments/table/experimentTable.js';
import type { TablePart } from '../../../src/experiments/table/model.js';
import { namedPairs } from '../../../src/experiments/table/pairs.js';
import { rocAuc } from '../../../src/metrics/areas/rocAuc.js';
import { temporaryFolder } from '../../training/tiny.js';
import { FOLDS, LABELS, protocols, SAMPLES, storeCells, storeExperiment } from '../storedCells.js';

const positive = LABELS.map((label) => (label === 'tumor' ? 1 : 0));
/** Scores that tell all apart in the folds named, and are the wrong way round in the others. */
const rightIn = (...folds: number[]) =>
  positive.map((label, i) => (folds.includes(FOLDS[i]!) === (label === 1) ? 0.9 : 0.1) + i * 1e-4);
/** Says nothing: the same of both classes. */
const blind = Array.from({ length: SAMPLES }, () => 0.5);
const all = { untrained: blind, thumbnail: blind };

const predictionsOf = (scores: readonly number[], ids = (i: number) => `P-${i}`): RowPredictions => ({
  ids: scores.map((_, i) => ids(i)),
  subjects: scores.map((_, i) => `S-${i >> 1}`),
  folds: FOLDS,
  labels: positive,
  classes: ['none', 'tumor'],
  probabilities: Float64Array.from(scores.flatMap((p) => [1 - p, p])),
});
const alternative = (
  candidate: string,
  scores: readonly number[],
  validation: readonly (number | null)[],
): Alternative => ({
  candidate,
  features: 'pooled',
  validation,
  predictions: predictionsOf(scores),
});

test('the mean of folds never ranks the scores of two probes against each other', () => {
  // In each fold every positive is above every negative, but those of fold 0 are all below those of fold 1.
  const scores = positive.map((label, i) => (i < SAMPLES / 2 ? 0.1 : 0.6) + 0.3 * label);
  const { judged } = compose([alternative('one', scores, [1, 1])], [0, 1]);
  expect(meanFoldAuc(judged)).toBe(1);
  expect(pooledMetrics(judged).auc).toBe(0.75);
  const oneClass = compose([alternative('one', scores, [1, 1])], [0, 1]).judged;
  const labels = oneClass.labels.map((label, i) => (i < SAMPLES / 2 ? 1 : label));
  expect(meanFoldAuc({ ...oneClass, labels })).toBeNull();
});

describe('the choice of a tuned row', () => {
  test('takes in each fold the predictions of the alternative with the highest validation, or the first of equals', () => {
    const { judged, choices } = compose(
      [
        alternative('one', rightIn(0), [0.7, 0.6]),
        alternative('two', rightIn(1), [0.6, 0.8]),
        alternative('three', rightIn(), [0.7, 0.8]),
      ],
      [0, 1],
    );
    expect(choices).toEqual([
      { fold: 0, candidate: 'one', features: 'pooled', validation: 0.7 },
      { fold: 1, candidate: 'two', features: 'pooled', validation: 0.8 },
    ]);
    const scores = Array.from({ length: SAMPLES }, (_, i) => judged.probabilities[2 * i + 1]!);
    expect(scores).toEqual(FOLDS.map((fold, i) => (fold === 0 ? rightIn(0) : rightIn(1))[i]));
    expect(rocAuc(scores, positive)).toBe(1);
  });

  test('ignores the test labels: the better alternative is left where the inner folds say otherwise', () => {
    const { judged } = compose(
      [alternative('right', rightIn(0, 1), [0.5, 0.5]), alternative('wrong', rightIn(), [0.51, 0.51])],
      [0, 1],
    );
    const scores = Array.from({ length: SAMPLES }, (_, i) => judged.probabilities[2 * i + 1]!);
    expect(rocAuc(scores, positive)).toBe(0);
  });

  test('puts an undefined validation below every other, and takes the first if all are undefined', () => {
    const { choices } = compose(
      [alternative('one', blind, [null, null]), alternative('two', blind, [0.1, null])],
      [0, 1],
    );
    expect(choices.map(({ candidate, validation }) => [candidate, validation])).toEqual([
      ['two', 0.1],
      ['one', null],
    ]);
  });

  test('refuses alternatives of other samples', () => {
    const other = {
      ...alternative('two', blind, [1, 1]),
      predictions: predictionsOf(blind, (i) => `Q-${i}`),
    };
    expect(() => compose([alternative('one', blind, [1, 1]), other], [0, 1])).toThrow(
      'two was judged on other samples, or in other folds, than one',
    );
  });
});

/** A tuned row of two candidates and a plain one. */
function tuned(different: Parameters<typeof storeExperiment>[1] = {}): string {
  const root = temporaryFolder('anatomy-tuned-');
  storeExperiment(root, {
    rows: [
      {
        name: 'Ours',
        folder: 'ours',
        candidates: [
          { name: 'Ours 1', folder: 'ours-1' },
          { name: 'Ours 2', folder: 'ours-2' },
        ],
      },
      { name: 'plain', folder: 'plain', candidates: [{ name: 'plain', folder: 'plain' }] },
    ],
    compare: { reference: 'Ours', against: ['plain', 'untrained', 'thumbnail'] },
    ...different,
  });
  return root;
}

/** Candidate 1’s head is best inside fold 0, candidate 2’s pooled features inside fold 1. */
function storeTuned(root: string): void {
  storeCells(root, 'ours-1', {
    auc: 0.9,
    validation: { pooled: [0.5, 0.5], head: [0.9, 0.5] },
    predictions: { ...all, run: rightIn(), 'run/head': rightIn(0) },
  });
  storeCells(root, 'ours-2', {
    auc: 0.9,
    validation: { pooled: [0.6, 0.7], head: [0.6, 0.6] },
    predictions: { ...all, run: rightIn(1), 'run/head': rightIn() },
  });
  storeCells(root, 'plain', {
    auc: 0.5,
    validation: { pooled: [0.9, 0.9], head: [0.5, 0.5] },
    predictions: { ...all, run: blind },
  });
}

describe('a table with a tuned row', () => {
  const finished = () => {
    const root = tuned();
    storeTuned(root);
    return { root, table: experimentTable(root) };
  };

  test('composes it fold by fold, and says what was chosen', () => {
    const { table } = finished();
    const [part] = table.parts;
    expect(part).toMatchObject({ features: 'chosen', protocol: 'logreg', tested: true });
    const [ours, plain] = part!.rows;
    expect(ours!.values['a+b']).toMatchObject({ value: 1, low: 1, high: 1, seeds: 1, foldMean: 1 });
    expect(ours!.metrics['a+b']).toEqual({ accuracy: 1, f1: 1, precision: 1 });
    expect(ours!.choices!['a+b']!['0']).toEqual([
      { fold: 0, candidate: 'Ours 1', features: 'head', validation: 0.9 },
      { fold: 1, candidate: 'Ours 2', features: 'pooled', validation: 0.7 },
    ]);
    expect(plain!.values['a+b']!.value).toBe(0.5);
    expect(formatTable(table, 'markdown')).toContain(
      'Chosen for Ours, A+B, seed 0: 1, head in fold 0; 2, pooled in fold 1.',
    );
    expect(formatTable(table, 'markdown')).toContain('Chosen for plain, A+B, seed 0: pooled in all folds.');
  });

  test('chooses among three kinds of features where the protocol judges all', () => {
    const features = { features: 'all' } as const;
    const own = protocols('logreg').map((one) => ({ ...one, settings: features }));
    const root = tuned({ protocols: own });
    const kinds = ['pooled', 'head', 'maps'] as const;
    storeCells(root, 'ours-1', {
      ...{ auc: 0.9, kinds },
      validation: { pooled: [0.5, 0.5], head: [0.6, 0.6], maps: [0.9, 0.7] },
      predictions: { ...all, run: rightIn(), 'run/maps': rightIn(0) },
    });
    storeCells(root, 'ours-2', {
      ...{ auc: 0.9, kinds },
      validation: { pooled: [0.6, 0.8], head: [0.6, 0.6], maps: [0.8, 0.7] },
      predictions: { ...all, run: rightIn(1), 'run/maps': rightIn() },
    });
    storeCells(root, 'plain', {
      ...{ auc: 0.5, kinds },
      validation: { pooled: [0.5, 0.5], head: [0.5, 0.5], maps: [0.6, 0.6] },
      predictions: { ...all, run: blind, 'run/maps': rightIn(0, 1) },
    });
    const table = experimentTable(root);
    expect(table.parts.map((part) => part.features)).toEqual(['chosen', ...kinds]);
    const [ours, plain] = table.parts[0]!.rows;
    expect([ours!.values['a+b']!.value, plain!.values['a+b']!.value]).toEqual([1, 1]);
    const text = formatTable(table, 'markdown');
    expect(text).toContain('Chosen for Ours, A+B, seed 0: 1, maps in fold 0; 2, pooled in fold 1.');
    expect(text).toContain('Chosen for plain, A+B, seed 0: maps in all folds.');
    expect(text).toContain('logistic regression (primary probe), features of the last three maps');
    const family = { reference: 'Ours', against: ['plain'], features: 'maps' as const };
    const maps = tuned({ protocols: own, compare: family });
    cpSync(join(root, 'cells'), join(maps, 'cells'), { recursive: true });
    expect(experimentTable(maps).family).toMatchObject({ features: 'maps', missing: [] });
  });

  test('chooses only the candidate within one kind of features', () => {
    const { table } = finished();
    const head = table.parts.find(({ features }) => features === 'head')!.rows[0]!;
    expect(head.choices!['a+b']!['0']!.map(({ candidate }) => candidate)).toEqual(['Ours 1', 'Ours 2']);
    // Candidate 2’s head is wrong in fold 1.
    expect(head.values['a+b']!.value).toBeLessThan(1);
  });

  test('compares it on the same draws of subjects, by Holm over the family', () => {
    const { table } = finished();
    expect(table.family).toMatchObject({ reference: 'Ours', features: 'chosen', images: 'a+b', missing: [] });
    const p = 2 / 2001;
    const [plain, untrained, thumbnail] = table.family!.comparisons;
    expect(thumbnail!.holm).toBe(3 * p);
    for (const one of [plain!, untrained!]) {
      expect(one).toMatchObject({ value: 0.5, low: 0.5, high: 0.5, minimumDetectable: 0 });
      expect([one.pValue, one.holm]).toEqual([p, 3 * p]);
    }
    expect(formatTable(table, 'markdown')).toContain(
      '## Primary comparisons of Ours: logistic regression (primary probe), features chosen by inner folds, A+B',
    );
  });

  test('chooses nothing without the validation, and says so', () => {
    const old = tuned();
    for (const row of ['ours-1', 'ours-2', 'plain']) {
      storeCells(old, row, { auc: 0.9, predictions: { ...all, run: rightIn(0) } });
    }
    const { parts, notes, family } = experimentTable(old);
    expect(parts[0]!.rows[0]!.values).toEqual({});
    expect(notes[0]).toMatch(/^logreg: nothing could be chosen for Ours, plain, as .* are not here/);
    expect(family!.missing).toEqual(['plain', 'untrained', 'thumbnail']);
    // A plain row still has its own numbers where nothing is to be chosen.
    expect(parts[1]!.rows[1]!.values['a+b']!.value).toBe(0.9);
  });

  test('leaves the row empty where a candidate is missing, and names it', () => {
    const partial = tuned();
    storeTuned(partial);
    rmSync(join(partial, 'cells/ours-2'), { recursive: true });
    const { parts, missing, expected } = experimentTable(partial);
    expect(parts[0]!.rows[0]!.values).toEqual({});
    expect([missing, expected]).toEqual([['Ours 2, seed 0: logreg'], 3]);
  });

  test('needs only experiment.json and cells/', () => {
    const { root, table } = finished();
    const travelled = temporaryFolder('anatomy-travelled-');
    mkdirSync(join(travelled, 'cells'));
    cpSync(join(root, 'experiment.json'), join(travelled, 'experiment.json'));
    cpSync(join(root, 'cells'), join(travelled, 'cells'), { recursive: true });
    expect(experimentTable(travelled)).toEqual(table);
  });
});

describe('the marks of a table', () => {
  /** `share` of the subjects right, the others blind. */
  const partly = (share: number) =>
    positive.map((label, i) => ((i >> 1) % 10 < share * 10 ? (label === 1 ? 0.9 : 0.1) : 0.5) + i * 1e-5);
  const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });

  test('share the best mark among rows that cannot be told from the best, and the second among the others', () => {
    const root = temporaryFolder('anatomy-marks-');
    const names = ['best', 'equal', 'below', 'blind'];
    storeExperiment(root, { rows: names.map(row) });
    const scores = [partly(1), partly(0.9), rightIn(), rightIn()];
    const aucs = [1, 0.97, 0.02, 0.01];
    names.forEach((name, i) => {
      storeCells(root, name, { auc: aucs[i]!, predictions: { ...all, run: scores[i]! } });
    });
    const { parts } = experimentTable(root);
    const marks = parts[0]!.rows.map(({ name, marks: own }) => [name, own['a+b']]);
    expect(marks.slice(0, 4)).toEqual([
      ['best', 'best'],
      ['equal', 'best'],
      ['below', 'second'],
      ['blind', 'second'],
    ]);
    expect(formatTable(experimentTable(root), 'markdown')).toContain(
      'all that are not significantly below it (paired over subjects, two-sided 5 %, Holm',
    );
  });

  test('skip rows with fewer seeds, and rows that learned from labels', () => {
    const root = temporaryFolder('anatomy-marks-');
    storeExperiment(root, {
      seeds: [0, 1],
      rows: [{ ...row('once'), seeds: [0] }, row('labels'), row('ours')],
    });
    for (const seed of [0, 1]) {
      storeCells(root, 'ours', { seed, auc: 0.5, predictions: { ...all, run: blind } });
      const supervised = { method: 'supervised', predictions: { ...all, run: rightIn(0, 1) } };
      storeCells(root, 'labels', { seed, auc: 1, ...supervised });
    }
    storeCells(root, 'once', { seed: 0, auc: 1, predictions: { ...all, run: rightIn(0, 1) } });
    const { parts } = experimentTable(root);
    const marks = parts[0]!.rows.slice(0, 3).map(({ name, marks: own }) => [name, own['a+b']]);
    expect(marks).toEqual([
      ['once', undefined],
      ['labels', undefined],
      ['ours', 'best'],
    ]);
  });

  test('go by value alone without predictions, and the table says so', () => {
    const root = temporaryFolder('anatomy-marks-');
    storeExperiment(root, { rows: ['best', 'equal'].map(row) });
    storeCells(root, 'best', { auc: 0.9 });
    storeCells(root, 'equal', { auc: 0.9 - 1e-6 });
    const table = experimentTable(root);
    expect(table.parts[0]!.tested).toBe(false);
    expect(table.parts[0]!.rows.map(({ marks }) => marks['a+b'])).toEqual([
      'best',
      'second',
      undefined,
      undefined,
    ]);
    expect(formatTable(table, 'markdown')).toContain('not all predictions are here to test it');
  });
});

test('treat draws of the labels like seeds', () => {
  const root = temporaryFolder('anatomy-draws-');
  const few = {
    protocol: 'logreg',
    name: 'few',
    slug: 'few',
    settings: { labelFraction: 0.1 },
    draws: 2,
  } as const;
  storeExperiment(root, {
    protocols: [few],
    rows: [{ name: 'r', folder: 'r', candidates: [{ name: 'r', folder: 'r' }] }],
  });
  [0.6, 0.8].forEach((auc, draw) => {
    storeCells(root, 'r', { auc, name: { draw }, slug: 'few' });
  });
  const { parts, missing } = experimentTable(root);
  expect(missing).toEqual([]);
  const { value, deviation, seeds } = parts[0]!.rows[0]!.values['a+b']!;
  expect([value, seeds]).toEqual([0.7, 2]);
  expect(deviation).toBeCloseTo(0.2 / Math.SQRT2, 12);
});

test('several seeds have one interval: subjects are resampled, and the mean of the seeds is judged', () => {
  const root = temporaryFolder('anatomy-seeds-');
  storeExperiment(root, {
    seeds: [0, 1],
    rows: [{ name: 'r', folder: 'r', candidates: [{ name: 'r', folder: 'r' }] }],
  });
  // In every draw one seed has AUC 1 and the other 0.
  storeCells(root, 'r', { seed: 0, auc: 1, predictions: { ...all, run: rightIn(0, 1) } });
  storeCells(root, 'r', { seed: 1, auc: 0, predictions: { ...all, run: rightIn() } });
  const table = experimentTable(root);
  const [own] = table.parts[0]!.rows;
  expect(own!.values['a+b']).toMatchObject({ value: 0.5, low: 0.5, high: 0.5, seeds: 2 });
  expect(own!.values['a+b']!.deviation).toBeCloseTo(Math.SQRT1_2, 12);
  expect(own!.against.untrained['a+b']).toMatchObject({ low: 0, high: 0, minimumDetectable: 0, seeds: 2 });
  expect(formatTable(table, 'markdown')).toContain(
    'Mean ± standard deviation over the seeds. In brackets the 95 % interval',
  );
});

test('a protocol that judges one seed of two misses nothing, and its table names the seed', () => {
  const root = temporaryFolder('anatomy-seeds-');
  const [plain] = protocols('logreg');
  storeExperiment(root, {
    seeds: [0, 1],
    protocols: [plain!, { ...plain!, name: 'once', slug: 'once', seeds: [1] }],
    rows: [{ name: 'r', folder: 'r', candidates: [{ name: 'r', folder: 'r' }] }],
  });
  for (const seed of [0, 1]) storeCells(root, 'r', { seed, auc: 0.8 });
  storeCells(root, 'r', { seed: 1, auc: 0.9, slug: 'once' });
  const table = experimentTable(root);
  expect(table.missing).toEqual([]);
  expect(table.expected).toBe(3);
  expect(table.parts.map(({ rows }) => rows[0]!.values['a+b']!.seeds)).toEqual([2, 2, 1, 1]);
  const headings = formatTable(table, 'markdown').match(/^## .*/gm);
  expect(headings).toContain('## AUC, once, pooled features, seed 1');
  expect(headings).toContain('## AUC, logistic regression (primary probe), pooled features');
});

test('a row of one seed of two misses nothing, and a note says so', () => {
  const root = temporaryFolder('anatomy-seeds-');
  const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });
  storeExperiment(root, { seeds: [0, 1], rows: [row('r'), { ...row('once'), seeds: [1] }] });
  for (const seed of [0, 1]) storeCells(root, 'r', { seed, auc: 0.8 });
  storeCells(root, 'once', { seed: 1, auc: 0.9, untrained: 0.6 });
  const { parts, missing, expected, notes } = experimentTable(root);
  expect([missing, expected]).toEqual([[], 3]);
  expect(notes.join(' ')).not.toContain('own untrained encoder');
  // Of the rows that have all seeds the best: 'once' is a reference.
  const others = { reference: 'r', against: ['best'] };
  storeExperiment(root, { seeds: [0, 1], rows: [row('r'), { ...row('once'), seeds: [1] }], compare: others });
  expect(experimentTable(root).family).toMatchObject({ comparisons: [], missing: ['best'] });
  expect(parts[0]!.rows.slice(0, 2).map(({ values }) => values['a+b']!.seeds)).toEqual([2, 1]);
  expect(notes).toContain('Of seed 1 only: once.');
});

test('the claims of a tuned row come from the candidate that most folds chose', () => {
  const pair = (row: string, of: string) => ({ row, of, seed: 0, record: {} as PairsResult });
  const pairs = [pair('Ours 1', 'Ours'), pair('Ours 2', 'Ours'), pair('SimCLR', 'SimCLR')];
  const shown = (folds: number[]) => {
    const choices = folds.map((number, fold) => ({
      fold,
      candidate: `Ours ${number}`,
      features: 'head',
      validation: 1,
    }));
    const row = { name: 'Ours', choices: { a: { 0: [] }, 'a+b': { 0: choices } } };
    const part = { features: 'chosen', images: ['a', 'a+b'], rows: [row] } as unknown as TablePart;
    return namedPairs({ pairs, parts: [part] }).flatMap(({ results }) => results.map(({ name }) => name));
  };
  expect(shown([1, 2, 2])).toEqual(['Ours 2', 'SimCLR']);
  expect(shown([2, 1])).toEqual(['Ours 2', 'SimCLR']);
  expect(shown([])).toEqual(['Ours 1', 'Ours 2', 'SimCLR']);
});

describe('an incomplete table', () => {
  const right = rightIn(0, 1);
  const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });

  test('takes differences to the baselines from the same seeds on both sides', () => {
    const root = tuned({ seeds: [0, 1], compare: undefined });
    // At seed 0 the second candidate is missing, so the row has seed 1 alone.
    storeCells(root, 'ours-1', { auc: 0.9, untrained: 0.9, predictions: { ...all, run: right } });
    for (const name of ['ours-1', 'ours-2']) {
      storeCells(root, name, {
        ...{ seed: 1, auc: 1, untrained: 0.5, predictions: { ...all, run: right } },
        validation: { pooled: [0.9, 0.9], head: [0.5, 0.5] },
      });
    }
    const part = experimentTable(root).parts.find(({ features }) => features === 'pooled')!;
    expect(part.rows[0]!.against.untrained['a+b']).toMatchObject({
      value: 0.5,
      low: 0.5,
      high: 0.5,
      seeds: 1,
    });
  });

  test('lets a thumbnail learn from each draw of the labels', () => {
    const root = temporaryFolder('anatomy-draws-');
    const settings = { labelFraction: 0.1 };
    const few = { protocol: 'logreg', name: 'few', slug: 'few', settings, draws: 2 } as const;
    const paper = { table: 1, row: 'Ours' } as const;
    storeExperiment(root, { protocols: [few], rows: [{ ...row('r'), paper }], seeds: [0, 1] });
    for (const seed of [0, 1]) {
      for (const draw of [0, 1]) {
        const predictions = { run: right, untrained: blind, thumbnail: draw === 0 ? right : blind };
        storeCells(root, 'r', { seed, auc: 1, name: { draw }, slug: 'few', predictions });
      }
    }
    const table = experimentTable(root);
    const thumbnail = table.parts[0]!.rows.find(({ source }) => source === 'thumbnail')!;
    expect(thumbnail.values['a+b']!.seeds).toBe(2);
    const text = formatTable(table, 'markdown');
    expect(text).toContain('over the seeds and the draws of few labels');
    // The paper has no numbers of few labels.
    expect(text).not.toContain('Beside the paper');
  });

  test('counts missing comparisons in Holm’s correction', () => {
    const root = temporaryFolder('anatomy-family-');
    storeExperiment(root, {
      rows: ['a', 'b', 'c', 'd'].map(row),
      compare: { reference: 'a', against: ['b', 'c', 'd'] },
    });
    storeCells(root, 'a', { auc: 1, predictions: { ...all, run: right } });
    storeCells(root, 'b', { auc: 0.5, predictions: { ...all, run: blind } });
    const { comparisons, missing } = experimentTable(root).family!;
    expect(missing).toEqual(['c', 'd']);
    expect(comparisons[0]!.holm).toBeCloseTo(3 * comparisons[0]!.pValue!, 12);
  });

  test('is made although a finetuning diverged and has no value', () => {
    const root = temporaryFolder('anatomy-diverged-');
    const finetune = { protocol: 'finetune', name: 'finetune', slug: 'finetune', draws: 1 } as const;
    storeExperiment(root, {
      protocols: [{ ...finetune, settings: { features: 'pooled' } }],
      rows: ['a', 'b'].map(row),
      compare: { reference: 'a', against: ['b', 'untrained'] },
    });
    const nothing = right.map(() => Number.NaN);
    const name = { slug: 'finetune', protocol: 'finetune' } as const;
    storeCells(root, 'a', { ...name, auc: 1, predictions: { ...all, run: right } });
    storeCells(root, 'b', { ...name, auc: Number.NaN, predictions: { ...all, run: nothing } });
    const table = experimentTable(root);
    expect(table.parts[0]!.rows.map(({ values }) => values['a+b']!.value)).toEqual([1, null, 0.7, 0.81]);
    expect(table.family!.comparisons.map(({ against }) => against)).toEqual(['untrained']);
    expect(formatTable(table, 'markdown')).toContain('a could not be compared with b');
  });
});

test('compares over the seeds that both rows have', () => {
  const root = temporaryFolder('anatomy-seeds-');
  const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });
  const compare = { reference: 'r', against: ['other'] };
  storeExperiment(root, { seeds: [0, 1], rows: [row('r'), row('other')], compare });
  storeCells(root, 'r', { seed: 0, auc: 1, predictions: { ...all, run: rightIn(0, 1) } });
  storeCells(root, 'r', { seed: 1, auc: 0, predictions: { ...all, run: rightIn() } });
  storeCells(root, 'other', { seed: 1, auc: 0, predictions: { ...all, run: rightIn() } });
  // Its mean over both seeds is 0.5; at seed 1 the two are alike.
  const [found] = experimentTable(root).family!.comparisons;
  expect(found).toMatchObject({ against: 'other', value: 0, low: 0, high: 0 });
});

test('chooses for few labels by as few: by the logistic regression that learned from the same labels', () => {
  const [linear, logreg] = (['linear', 'logreg'] as const).map((protocol) => ({
    ...protocols(protocol)[0]!,
    name: `${protocol} few`,
    slug: `${protocol}-few`,
    settings: { labelFraction: 0.1 },
  }));
  const root = tuned({ protocols: [...protocols('logreg'), logreg!, linear!], compare: undefined });
  // All labels would choose the first candidate, few choose the second.
  for (const [i, name] of ['ours-1', 'ours-2'].entries()) {
    const validated = (value: number) => ({ pooled: [value, value], head: [0.1, 0.1] });
    storeCells(root, name, { auc: 0.9, validation: validated(i === 0 ? 0.9 : 0.5) });
    storeCells(root, name, { auc: 0.9, validation: validated(i === 0 ? 0.5 : 0.9), slug: 'logreg-few' });
    const predictions = { ...all, run: rightIn(0, 1) };
    storeCells(root, name, { auc: 0.9, protocol: 'linear', slug: 'linear-few', predictions });
  }
  const part = experimentTable(root).parts.find(({ name }) => name === 'linear few')!;
  const choices = part.rows[0]!.choices!['a+b']!['0']!;
  expect(choices.map(({ candidate }) => candidate)).toEqual(['Ours 2', 'Ours 2']);
});
