import { parseHTML } from 'linkedom';
import { expect, test } from 'vitest';
import type { ResultRow } from '../../../src/evaluation/results/resultTable.js';
import { resultsSection } from '../../../src/report/judged/tables.js';

const found = (value: number, deviation: number | null = null) => ({
  ...{ value, low: value - 0.1, high: value + 0.1, deviation, seeds: 3, foldMean: null },
  minimumDetectable: 0.07,
});

const row: ResultRow = {
  name: 'Ours',
  source: 'run',
  exposure: 'in-fold',
  values: { 'a+b': found(0.8, 0.02) },
  against: { untrained: { 'a+b': found(0.2, 0.03) }, thumbnail: {} },
  marks: {},
};

const waiting: ResultRow = {
  ...{ name: 'Other', source: 'run', values: {}, marks: {} },
  against: { untrained: {}, thumbnail: {} },
};

const sectionOf = (rows: readonly ResultRow[]) =>
  parseHTML(
    `<html><body>${resultsSection({ title: 'AUC', metric: 'AUC', caption: '', images: ['a+b'], rows })}</body></html>`,
  ).document;

test('a value has its deviation over the runs, and a difference its interval alone', () => {
  const cells = [...sectionOf([row]).querySelectorAll('tbody td')].map(({ innerHTML }) => innerHTML);
  expect(cells).toEqual([
    '0.800<br><small>0.700 to 0.900</small><br><small>± 0.020, 3 runs</small>',
    '+0.200<br><small>+0.100 to +0.300</small>',
    '0.070',
  ]);
});

test('rows without a result stand below the table, and baselines without one have no column', () => {
  const page = sectionOf([row, waiting]);
  expect(page.querySelectorAll('tbody tr')).toHaveLength(1);
  expect(page.querySelector('p.notes')!.textContent).toBe('No result yet: Other.');
  expect([...page.querySelectorAll('thead th')].map(({ textContent }) => textContent)).toEqual([
    ...['Method', 'AUC, A+B', '− untrained, A+B', 'Detectable'],
  ]);
});

test('exposure is a label of the table, or of each row where rows differ', () => {
  expect(sectionOf([row]).querySelector('h3 .tag')!.textContent).toBe('in-fold');
  const both = sectionOf([row, { ...row, name: 'Other', exposure: 'transfer' }]);
  expect(both.querySelector('h3 .tag')).toBeNull();
  expect([...both.querySelectorAll('th .tag')].map(({ textContent }) => textContent)).toEqual([
    'in-fold',
    'transfer',
  ]);
});
