import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { formatTable } from '../../../src/experiments/print/formatTable.js';
import { Entry } from '../../../src/experiments/table/entries.js';
import { experimentTable } from '../../../src/experiments/table/experimentTable.js';
import { description, LABELS, storeCells, storeExperiment } from '../storedCells.js';

const root = mkdtempSync(join(tmpdir(), 'few-experiment-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });
const right = LABELS.map((label) => (label === 'tumor' ? 0.9 : 0.1));
const blind = LABELS.map((_, i) => 0.5 + 0.1 * Math.sin(i));

/** Two rows that differ as much as they can, judged on so many subjects. */
function tableOf(subjects: number) {
  const folder = join(root, String(subjects));
  storeExperiment(folder, {
    ...description,
    rows: [row('a'), row('b')],
    compare: { reference: 'a', against: ['b'], features: 'pooled' },
  });
  const predictions = { untrained: blind, thumbnail: blind };
  storeCells(folder, 'a', { auc: 1, subjects, predictions: { ...predictions, run: right } });
  storeCells(folder, 'b', { auc: 0.5, subjects, predictions: { ...predictions, run: blind } });
  return experimentTable(folder);
}

describe('an experiment judged on six subjects', () => {
  const table = tableOf(6);

  test('compares no rows by a test, and marks none', () => {
    expect(table.family).toMatchObject({
      few: '6 subjects',
      comparisons: [{ pValue: null, holm: null, minimumDetectable: null }],
    });
    for (const { marks } of table.parts[0]!.rows) expect(marks).toEqual({});
    expect(table.notes[0]).toMatch(/^Only 6 subjects: /);
  });

  test.each(['markdown', 'latex'] as const)('warns before each table in %s', (format) => {
    const text = formatTable(table, format);
    const tables = text.match(format === 'latex' ? /\\begin\{table\}/g : /^\|-/gm)!.length;
    expect(text.match(/Only 6 subjects: /g)!.length).toBeGreaterThanOrEqual(tables);
    expect(text).not.toMatch(/95 \\?% interval|Minimum detectable|highest value/);
    expect(text).toContain('In brackets the interval over only 6 subjects');
  });

  test('warns in each line of the CSV', () => {
    const [head, ...lines] = formatTable(table, 'csv').trim().split('\n');
    expect(head).toContain(',warning,');
    for (const line of lines) expect(line).toContain('only 6 subjects: too few');
  });
});

test('an experiment judged on enough subjects is tested, and its CSV has no column of warnings', () => {
  const table = tableOf(20);
  expect(table.family!.few).toBeUndefined();
  expect(table.family!.comparisons[0]!.holm).toBeLessThan(0.05);
  expect(formatTable(table, 'csv')).not.toContain('warning');
  expect(formatTable(table, 'markdown')).toContain('95 % interval');
});

test('a p-value is no smaller than so few subjects can give', () => {
  expect(tableOf(10).family!.comparisons[0]!.pValue).toBe(2 / 2 ** 10);
});

test('a row judged on too few subjects of a class names the class', () => {
  const subjects = Array.from({ length: 12 }, (_, i) => `P${i}`);
  const labels = subjects.map((_, i) => (i < 4 ? 1 : 0));
  const probabilities = Float64Array.from(labels.flatMap((label) => [1 - label, label]));
  const judged = { probabilities, labels, subjects, folds: labels, classes: 2, probabilistic: true };
  const predicted = { ids: subjects, judged, classes: ['benign', 'malignant'] };
  const entry = new Entry([{ seed: 0, metrics: { auc: 1 }, predicted }], {
    metric: 'auc',
    bootstrap: { replicates: 50, confidence: 0.95, seed: 0 },
  });
  expect(entry.few).toBe('4 of class malignant');
});
