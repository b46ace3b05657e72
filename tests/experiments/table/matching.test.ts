/**
 * The AUC among samples that are alike in a column: linked to the data by who holds it, and put in place of the AUC.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { pseudonym, published } from '../../../src/data/pseudonym.js';
import { formatTable } from '../../../src/experiments/print/formatTable.js';
import { experimentPaths } from '../../../src/experiments/stored/folder.js';
import { experimentTable } from '../../../src/experiments/table/experimentTable.js';
import { type Matching, readMatching } from '../../../src/experiments/table/matching.js';
import { MessageConsole } from '../../../src/log/console.js';
import { csv } from '../../../src/text/csv.js';
import { tinyPairs } from '../../evaluation/tinyPairs.js';
import { FOLDS, LABELS, protocols, SAMPLES, storeCells, storeExperiment } from '../storedCells.js';

let folder: string;
let root: string;
let manifest: string;
let dataHash: string;
let ids: readonly string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'matching-'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  const pairs = await tinyPairs(join(folder, 'images'), 4);
  ids = pairs.ids;
  manifest = join(folder, 'images', 'columns.csv');
  const lines = ids.map((id, i) => [
    ...[id, pairs.subjects[i]!, `${id}-a.png`, `${id}-b.png`, pairs.labels[i]!],
    ...[i === 0 ? '' : String(i), '4', 'left'],
  ]);
  writeFileSync(manifest, csv([['id', 'subject', 'a', 'b', 'label', 'slice', 'count', 'side'], ...lines]));
  const dataset = await openDataset({ path: manifest });
  ({ dataHash } = await openImageCache(dataset, { size: 128 }));
  root = join(folder, 'out');
  storeExperiment(root);
  storeCells(root, 'ours', { auc: 0.8, dataHash: published(dataHash) });
});

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const read = (column: string, within = 1, path = manifest) =>
  readMatching(root, { column, within, data: { path }, console: new MessageConsole({ quiet: true }) });

describe('the column that is matched by', () => {
  test('is linked to the pseudonyms, as a quotient too, and what has no number has no value', async () => {
    const { values } = await read('slice');
    expect(values.size).toBe(ids.length - 1);
    expect(values.get(pseudonym('sample', ids[3]!, dataHash))).toBe(3);
    const quotient = await read('slice/count');
    expect(quotient.values.get(pseudonym('sample', ids[3]!, dataHash))).toBe(0.75);
  });

  test.each([
    ['slise', 'no further column slise, expected one of slice, count, side; did you mean slice?'],
    ['slice/coutn', 'no further column coutn, expected one of slice, count, side; did you mean count?'],
    ['slice/count/side', 'expected a column, or a quotient of two such as slice/n_slices'],
    ['side', '--matched side: no sample of columns has a number there; name another column'],
  ])('%s is refused by name', async (column, message) => {
    await expect(read(column)).rejects.toThrow(message);
  });

  test('needs the place of the data for a cell of another machine, and counts draws of few labels as judged', async () => {
    const few = {
      protocol: 'logreg',
      name: 'few',
      slug: 'few',
      settings: { labelFraction: 0.1 },
      draws: 2,
    } as const;
    const travelled = join(folder, 'travelled');
    storeExperiment(travelled, { protocols: [few] });
    storeCells(travelled, 'ours', {
      auc: 0.8,
      name: { draw: 0 },
      slug: 'few',
      dataHash: published(dataHash),
    });
    const cell = experimentPaths(travelled).cell('ours/seed-0/few-draw-0');
    writeFileSync(cell, readFileSync(cell, 'utf8').replaceAll('phantom:breast', '../pairs.csv'));
    const quiet = new MessageConsole({ quiet: true });
    const readIn = (data: { path?: string }) =>
      readMatching(travelled, { column: 'slice', within: 1, data, console: quiet });
    await expect(readIn({})).rejects.toThrow('name it with --data');
    expect((await readIn({ path: manifest })).values.size).toBe(ids.length - 1);
  });

  test('is refused if it belongs to other data, and so is a width below 0', async () => {
    await expect(read('slice', 1, join(folder, 'images', 'pairs.csv'))).rejects.toThrow(
      'no further column slice, and no other',
    );
    await tinyPairs(join(folder, 'others'), 4, 8);
    const other = join(folder, 'others', 'pairs.csv');
    await expect(read('slice', 1, other)).rejects.toThrow('pairs is not the data that');
    const asked = (positive: string) =>
      readMatching(root, {
        column: 'slice',
        within: 1,
        data: { path: manifest, positive },
        console: new MessageConsole({ quiet: true }),
      });
    await expect(asked('benign')).rejects.toThrow(
      `--positive is benign, but ${root} was judged with tumor as the positive class; leave it out`,
    );
    await expect(read('slice', -1)).rejects.toThrow('--within is -1, expected 0 or more, in units of slice');
    const empty = join(folder, 'empty');
    storeExperiment(empty);
    await expect(
      readMatching(empty, {
        column: 'slice',
        within: 1,
        data: {},
        console: new MessageConsole({ quiet: true }),
      }),
    ).rejects.toThrow('nothing has been judged yet; run the experiment first');
  });
});

test('gives a matched AUC that replaces the AUC in the table, with its own intervals, marks and comparisons', () => {
  const table = join(folder, 'table');
  const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });
  storeExperiment(table, {
    rows: [row('place'), row('both')],
    compare: { reference: 'both', against: ['place'] },
  });
  // Tumors lie high and the others low, but for the overlap in the middle.
  const positive = LABELS.map((label) => (label === 'tumor' ? 1 : 0));
  const place = positive.map((label, i) => label * 5 + (i % 10));
  const blind = positive.map(() => 0.5);
  const base = { untrained: blind, thumbnail: blind };
  storeCells(table, 'place', { auc: 0.9, predictions: { ...base, run: place.map((at) => at / 20) } });
  storeCells(table, 'both', {
    auc: 0.9,
    predictions: { ...base, run: place.map((at, i) => (at + 4 * positive[i]!) / 20) },
  });
  const values = new Map(place.map((at, i) => [`P-${i}`, at]));
  const matching: Matching = { column: 'place', within: 0, values };
  const plain = experimentTable(table);
  const matched = experimentTable(table, { matching });
  const of = ({ parts }: typeof plain, name: string) =>
    parts[0]!.rows.find((one) => one.name === name)!.values['a+b']!;
  expect(of(plain, 'place').value).toBe(0.9);
  // At the very same place who knows the place alone knows nothing.
  expect(of(matched, 'place')).toMatchObject({ value: 0.5, low: 0.5, high: 0.5 });
  expect(of(matched, 'both')).toMatchObject({ value: 1, low: 1, high: 1 });
  expect(matched.metric).toBe('matchedAuc');
  // The column alone, learned in the other folds: of equal places equal scores.
  const { auc, matched: left } = matched.matching!.alone!;
  expect(auc.value).toBeGreaterThan(0.8);
  expect(auc.low).toBeGreaterThan(0.5);
  expect(left).toMatchObject({ value: 0.5, low: 0.5, high: 0.5 });
  expect(matched.family!.comparisons[0]).toMatchObject({ against: 'place', value: 0.5, low: 0.5, high: 0.5 });
  const text = formatTable(matched, 'markdown');
  expect(text).toContain('## Matched comparisons of both');
  expect(text).toContain('## Matched AUC, logistic regression (primary probe), pooled features');
  expect(text).toContain(`whose place is at most 0 away, so that what place alone tells`);
  expect(text).toMatch(/That column alone, .* in the same folds: AUC 0\.\d{3} \[.*\], matched 0\.500 \[/);
  expect(text).toContain(`${SAMPLES} of 1,866 have a value there`);
  expect(text).not.toContain('Beside the paper');
  const { positives, matched: found, pairs } = matched.matching!.compared!;
  expect(text).toContain(
    `Of ${positives} positives ${found} have such a negative; ${pairs} pairs are compared.`,
  );
  expect([positives, found > 0 && found < positives]).toEqual([20, true]);
  expect(text).not.toContain('Not matched');
});

test('makes the table say where nothing is alike, and which data it leaves out', () => {
  const table = join(folder, 'apart');
  const row = (name: string) => ({ name, folder: name, candidates: [{ name, folder: name }] });
  storeExperiment(table, {
    rows: [row('r'), row('s')],
    compare: { reference: 'r', against: ['s'] },
    judge: [{ name: 'BUSI', slug: 'busi', protocols: protocols('logreg') }],
  });
  const scores = LABELS.map((_, i) => (i % 7) / 7);
  for (const name of ['r', 's']) {
    storeCells(table, name, { auc: 0.7, predictions: { run: scores, untrained: scores, thumbnail: scores } });
  }
  const values = new Map(LABELS.map((_, i) => [`P-${i}`, i]));
  const matched = experimentTable(table, { matching: { column: 'place', within: 0, values } });
  const text = formatTable(matched, 'markdown');
  expect(text).toContain(
    'No positive has a negative within 0 of place in its test fold, so there is nothing to compare: give a larger --within.',
  );
  expect(text).toContain('r could not be compared with s: no positive has a negative to be compared with.');
  expect(text).not.toContain('are not here');
  expect(text).toContain('Not matched, and so not shown here: BUSI. --matched is of pairs alone');
});

test('never ranks the scores of two folds against each other', () => {
  const table = join(folder, 'folds');
  storeExperiment(table, { rows: [{ name: 'r', folder: 'r', candidates: [{ name: 'r', folder: 'r' }] }] });
  // Right in each fold; every score of the first lies below every one of the second.
  const shifted = LABELS.map((label, i) => (FOLDS[i] === 0 ? 0.1 : 0.6) + (label === 'tumor' ? 0.3 : 0));
  const flat = LABELS.map(() => 0.5);
  storeCells(table, 'r', { auc: 0.75, predictions: { run: shifted, untrained: flat, thumbnail: flat } });
  const values = new Map(LABELS.map((_, i) => [`P-${i}`, 0]));
  const { parts } = experimentTable(table, { matching: { column: 'place', within: 0, values } });
  expect(parts[0]!.rows[0]!.values['a+b']).toMatchObject({ value: 1, low: 1, high: 1 });
});
