import { expect, test } from 'vitest';
import { type ResultRow, resultTable } from '../../../src/evaluation/results/resultTable.js';
import { markdownTable } from '../../../src/text/table/markdown.js';

const found = (value: number, low: number | null = null, high: number | null = null) => ({
  ...{ value, low, high, deviation: null, seeds: 1, foldMean: null, minimumDetectable: null },
});

const row: ResultRow = {
  name: 'Ours',
  source: 'run',
  exposure: 'in-fold',
  values: { a: found(0.7), 'a+b': found(0.8, 0.7, 0.9) },
  against: { untrained: { 'a+b': { ...found(0.1, 0.02, 0.18), minimumDetectable: 0.12 } }, thumbnail: {} },
  marks: { 'a+b': 'best' },
};

const cells = (rows: readonly ResultRow[]) =>
  markdownTable(resultTable(['a', 'a+b'], rows))
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

test('a row has its values, and its differences on the widest images', () => {
  const [header, , ours] = cells([row]);
  expect(header).toEqual([
    ...['row', 'exposure', 'A', 'A+B', 'A+B − untrained', 'detectable', 'A+B − thumbnail', 'detectable'],
  ]);
  expect(ours).toEqual([
    ...['Ours', 'in-fold', '0.700', '**0.800** [0.700, 0.900]', '+0.100 [+0.020, +0.180]', '0.120', '—', '—'],
  ]);
});

test('a row without results has dashes, and a baseline has no differences at all', () => {
  const none = { values: {}, against: { untrained: {}, thumbnail: {} }, marks: {} };
  const [, , waiting, baseline] = cells([
    { name: 'Other', source: 'run', ...none },
    { name: 'untrained', source: 'untrained', ...none, values: { a: found(0.6) } },
  ]);
  expect(waiting).toEqual(['Other', '—', '—', '—', '—', '—', '—', '—']);
  expect(baseline).toEqual(['untrained', '', '0.600', '—', '', '', '', '']);
});

test('the mean of the folds has a column where any row has one', () => {
  const folded = { ...row, values: { 'a+b': { ...found(0.8), foldMean: 0.75 } } };
  const [header, , ours, other] = cells([folded, row]);
  const column = header!.indexOf('A+B, mean of folds');
  expect([ours![column], other![column]]).toEqual(['0.750', '–']);
});
