import { rmSync, writeFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { formatTable } from '../../../src/experiments/print/formatTable.js';
import { evaluationId, experimentPaths } from '../../../src/experiments/stored/folder.js';
import { experimentTable } from '../../../src/experiments/table/experimentTable.js';
import { temporaryFolder } from '../../training/tiny.js';
import { description, LABELS, protocols, storeCells, storeExperiment } from '../storedCells.js';

function twoOfThree(): string {
  const root = temporaryFolder('anatomy-table-');
  storeExperiment(root);
  storeCells(root, 'ours', { auc: 0.781 });
  storeCells(root, 'l-c-alone', { auc: 0.76 });
  return root;
}

const markdown = (root: string) => formatTable(experimentTable(root), 'markdown');
/** Cells of the line that begins with the name, of the given table. */
function line(text: string, name: string, part = 0): string[] {
  const lines = text.split('\n').filter((one) => one.startsWith(`| ${name} `));
  return lines[part]!.split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

describe('a table of one seed', () => {
  test('shows values with intervals, differences, detectable differences, the best and second best, and the paper beside', () => {
    const text = markdown(twoOfThree());
    expect(line(text, 'row')).toEqual([
      ...['row', 'exposure', 'A', 'B', 'A+B', 'A+B, mean of folds'],
      ...['A+B − untrained', 'detectable', 'A+B − thumbnail', 'detectable'],
    ]);
    expect(line(text, 'Ours')).toEqual([
      ...['Ours', 'transductive'],
      ...['**0.741** [0.691, 0.781]', '**0.761** [0.711, 0.801]', '**0.781** [0.731, 0.821]'],
      ...['0.791', '+0.081 [+0.051, +0.111]', '0.042', '−0.029 [−0.059, +0.001]', '0.059'],
    ]);
    expect(line(text, 'L_C alone')[4]).toBe('*0.760* [0.710, 0.800]');
    // Our own metrics beside the paper’s of its table; ours have no F1 and no precision here to set beside.
    expect(line(text, 'row', 1)).toEqual([
      ...['row', 'paper', 'AUC', 'paper', 'difference', 'accuracy', 'paper', 'difference'],
    ]);
    expect(line(text, 'Ours', 1)).toEqual([
      ...['Ours', 'Table 1, Ours, US-SWE', '0.781', '0.901', '−0.120'],
      ...['0.681', '0.824', '−0.143'],
    ]);
    expect(line(text, 'L_C alone', 1)).toEqual([
      ...['L_C alone', 'Table 2, Consistency, US-SWE', '0.760', '0.760', '0.000'],
      ...['0.660', '0.542', '+0.118'],
    ]);
    expect(text).toContain(
      '- About the paper’s numbers: Tables 2 and 3 print precision where Table 1 prints F1.',
    );
    expect(text).not.toContain('BUSI');
    // Once each, unmarked although the thumbnail beats all rows.
    expect(line(text, 'thumbnail ridge, 12×12')[4]).toBe('0.810 [0.760, 0.850]');
    expect(line(text, 'untrained, calibrated')[4]).toBe('0.700 [0.650, 0.740]');
    expect(text.match(/thumbnail ridge/g)).toHaveLength(2);
    expect(line(text, 'Ours', 2)[4]).toBe('**0.779** [0.729, 0.819]');
  });

  test('says in its header what was run, on which data, and who had seen it', () => {
    const text = markdown(twoOfThree());
    expect(text).toMatch(/^# methods on pairs\n\nTwo rows & a missing one\.\n/);
    expect(text).toContain(
      '1,866 pairs of 80 subjects; 5 folds by subject; 600 steps; batches of 128; 64²; width 0.25; bf16; seed 0.',
    );
    expect(text).toMatch(
      /^What the encoders had seen: \*transductive\* \(pretrained on the very images it is tested on.*\): all rows\.$/m,
    );
    expect(text).toContain('the 95 % interval over subjects (2,000 bootstraps), of one seed');
    expect(text).toContain(
      'The paper’s numbers are on US-SWE, by its linear classification, at 200 epochs (2,000 on Fundus-FFA); ours are on pairs.',
    );
    expect(text).toContain('Minimum detectable difference to the untrained encoder, A+B: 0.042 (');
    expect(text).not.toContain('smoke');
  });

  test('counts the missing results and shows a dash for each', () => {
    const root = twoOfThree();
    const text = markdown(root);
    expect(line(text, 'authors')).toEqual(['authors', ...Array.from({ length: 9 }, () => '—')]);
    expect(text).toContain('- 1 of 3 evaluations is missing (—): authors, seed 0: logreg.');
    expect(experimentTable(root).missing).toEqual(['authors, seed 0: logreg']);
  });

  test('has every row, empty, while nothing is finished', () => {
    const root = temporaryFolder('anatomy-table-');
    storeExperiment(root, { protocols: protocols('logreg', 'linear') });
    const text = markdown(root);
    expect(text).toContain('6 of 6 evaluations are missing');
    expect(line(text, 'Ours')).toContain('—');
    expect(text).toMatch(/\| row − untrained +\|/);
    expect(text).not.toMatch(/paper’s|Beside|Detectable:/);
    expect(experimentTable(root).parts).toHaveLength(4);
    for (const format of ['csv', 'latex'] as const)
      expect(formatTable(experimentTable(root), format)).not.toBe('');
  });

  test('says where rows differ in what they saw, in steps or in their untrained encoder', () => {
    const root = twoOfThree();
    storeCells(root, 'authors', {
      auc: 0.9,
      exposure: 'in-fold',
      steps: 300,
      untrained: 0.73,
      notes: ['Mind.'],
    });
    const text = markdown(root);
    expect(line(text, 'authors')[1]).toBe('in-fold');
    expect(text).toMatch(
      /\*transductive\* \(.*\): all rows but those that follow; \*in-fold\* \(.*\): authors\./,
    );
    expect(text).toContain('600 steps (authors: 300)');
    expect(text).toContain(
      '- logreg, pooled: differences are to each row’s own untrained encoder, which is another for authors 0.730 (a+b).',
    );
    expect(text).toContain('- Mind. (authors)');
  });

  test('does not call a row pretrained that was not', () => {
    const root = twoOfThree();
    storeCells(root, 'authors', { auc: 0.7, exposure: 'untrained' });
    const text = markdown(root);
    expect(line(text, 'authors')[1]).toBe('untrained');
    expect(text).toContain('*untrained* (not pretrained here: ');
  });

  test('states the notes of all rows once, and compares nothing across different data', () => {
    const root = temporaryFolder('anatomy-table-');
    storeExperiment(root, { smoke: true });
    storeCells(root, 'ours', { auc: 0.78, notes: ['Mind.'] });
    storeCells(root, 'authors', { auc: 0.7, notes: ['Mind.'], dataHash: 'other' });
    const text = markdown(root);
    expect(text).toMatch(/^- Mind\.$/m);
    expect(text).toContain('judged on different versions of the data');
    expect(text).toContain('**A smoke run: far too small to mean anything.**');
  });
});

test('compares a row of fewer seeds over the seeds that both have, and names these', () => {
  const root = temporaryFolder('anatomy-table-');
  const scores = (shift: number) => LABELS.map((label, i) => (label === 'tumor' ? shift : 0) + (i % 7) / 7);
  const rows = ['ours', 'other', 'third'].map((name) => ({
    name,
    folder: name,
    candidates: [{ name, folder: name }],
    ...(name === 'other' && { seeds: [0] }),
  }));
  storeExperiment(root, {
    seeds: [0, 1],
    rows,
    compare: { reference: 'ours', against: ['other', 'third'] },
  });
  for (const [name, seed, auc] of [
    ['ours', 0, 0.7],
    ['ours', 1, 0.8],
    ['other', 0, 0.7],
    ['third', 0, 0.7],
    ['third', 1, 0.7],
  ] as const) {
    const [run, blind] = [scores(auc), scores(0)];
    storeCells(root, name, { seed, auc, predictions: { run, untrained: blind, thumbnail: blind } });
  }
  const table = experimentTable(root);
  const [other, third] = table.family!.comparisons;
  expect(other).toMatchObject({ against: 'other', value: 0, low: 0, high: 0, seeds: [0] });
  expect(third!.value).toBeCloseTo(0.05, 12);
  expect(third).not.toHaveProperty('seeds');
  expect(formatTable(table, 'markdown')).toMatch(/^\| other \(seed 0\) +\| 0\.000/m);
});

describe('tables of further data', () => {
  function judgedElsewhere(): string {
    const root = temporaryFolder('anatomy-table-');
    const set = { name: 'BUSI', slug: 'busi', paper: 'BUSI', protocols: protocols('logreg') };
    storeExperiment(root, { judge: [set], rows: description.rows.slice(0, 1) });
    storeCells(root, 'ours', { auc: 0.78 });
    storeCells(root, 'ours', { auc: 0.7, exposure: 'transfer', samples: 647, name: { set: 'busi' } });
    return root;
  }

  test('name their data, and say what the encoders had seen of it', () => {
    const text = markdown(judgedElsewhere());
    expect(text).toMatch(
      /\n## AUC, BUSI, logistic.*\n\n647 samples of 80 subjects, 5 folds by subject\. What the encoders had seen: \*transfer\* \(pretrained on other data\): all rows\.\n\n\|/,
    );
    expect(text).toContain('What the encoders had seen of pairs: *transductive*');
    expect(text).toContain('ours are on pairs and BUSI.');
    expect(text.match(/647 samples/g)).toHaveLength(2);
  });

  test('tell in each LaTeX caption of their own data alone, and say once how to read them', () => {
    const text = formatTable(experimentTable(judgedElsewhere()), 'latex');
    const captions = [...text.matchAll(/^\\caption.*/gm)].map(([caption]) => caption);
    expect(captions).toHaveLength(8);
    expect(captions[0]).toContain('1,866 samples of 80 subjects');
    const own = captions.filter((caption) => caption.includes('AUC, BUSI'));
    expect(own).toHaveLength(4);
    for (const caption of own) expect(caption).not.toMatch(/1,866|transductive|on pairs/);
    expect(own[0]).toContain('647 samples of 80 subjects');
    expect(own[1]).toContain('ours are on BUSI.');
    for (const once of [
      '1,866 pairs',
      '95 \\% interval',
      'four times of five',
      '\\textbf{bold} is the highest',
    ])
      expect(text.split(once)).toHaveLength(2);
    expect(text.indexOf('underlined')).toBeLessThan(text.indexOf('\\begin{table}'));
    expect(text).toContain('\\emph{transductive} (pretrained on the very images');
    expect(text).not.toMatch(/(?<!\w)\*|\*(?!\w)/);
  });

  test('do not say that set-aside samples have been seen', () => {
    const root = temporaryFolder('anatomy-table-');
    storeExperiment(root, { data: { ...description.data, setAside: { pairs: 1, subjects: 1 } } });
    storeCells(root, 'ours', { auc: 0.78 });
    const text = markdown(root);
    expect(text).toContain('of which 1 pair of 1 subject is set aside');
    expect(text).toContain('What the encoders had seen of pairs, but for what is set aside: *transductive*');
  });
});

test('a table of several seeds shows mean ± deviation and says so', () => {
  const root = temporaryFolder('anatomy-table-');
  storeExperiment(root, { seeds: [0, 1, 2] });
  storeCells(root, 'ours', { seed: 0, auc: 0.78, untrained: 0.7 });
  storeCells(root, 'ours', { seed: 1, auc: 0.8, untrained: 0.72 });
  storeCells(root, 'ours', { seed: 2, auc: 0.76, untrained: 0.68 });
  storeCells(root, 'authors', { seed: 1, auc: 0.77 });
  const text = markdown(root);
  expect(line(text, 'Ours').slice(4, 8)).toEqual(['**0.780** ± 0.020', '0.790', '+0.080 ± 0.000', '0.042']);
  // One seed of three keeps the interval that its evaluation gave.
  expect(line(text, 'authors')[4]).toBe('*0.770* [0.720, 0.810]');
  expect(line(text, 'untrained, calibrated')[4]).toBe('0.700 ± 0.020');
  // A thumbnail has no seed: its interval stays.
  expect(line(text, 'thumbnail ridge, 12×12')[4]).toBe('0.810 [0.760, 0.850]');
  expect(text).toContain('Mean ± standard deviation over the seeds.');
  expect(text).toContain('seeds 0, 1, 2.');
  expect(text).toContain('5 of 9 evaluations are missing');
  const value = experimentTable(root).parts[0]!.rows[0]!.values['a+b']!;
  expect(value).toMatchObject({ low: null, high: null, seeds: 3 });
  expect(value.deviation).toBeCloseTo(0.02, 12);
});

describe('the other forms of a table', () => {
  test('CSV has a line for each value, with numbers unrounded', () => {
    const records: Record<string, string>[] = parse(formatTable(experimentTable(twoOfThree()), 'csv'), {
      columns: true,
    });
    expect(records).toHaveLength(2 * 5 * 3);
    const found = records.find(
      ({ row, features, images }) => row === 'Ours' && features === 'pooled' && images === 'a+b',
    )!;
    expect(found).toMatchObject({
      source: 'run',
      exposure: 'transductive',
      protocol: 'logreg',
      metric: 'auc',
      value: '0.781',
      deviation: '',
      seeds: '1',
      untrained_detectable: '0.042',
      paper_table: '1',
      paper_data: 'US-SWE',
      paper_auc_percent: '90.11',
    });
    expect(Number(found.thumbnail_difference)).toBeCloseTo(-0.029, 12);
    const missing = records.find(({ row }) => row === 'authors')!;
    expect([missing.value, missing.untrained_low]).toEqual(['', '']);
    expect(records.find(({ row }) => row === 'thumbnail ridge, 12×12')).toMatchObject({
      source: 'thumbnail',
    });
  });

  test('LaTeX is escaped, with the best and second best marked', () => {
    const text = formatTable(experimentTable(twoOfThree()), 'latex');
    expect(text.match(/\\begin\{table\}/g)).toHaveLength(4);
    expect(text).toContain('L\\_C alone & transductive & \\underline{0.720}');
    expect(text).toContain(
      '\\textbf{0.781} [0.731, 0.821] & 0.791 & +0.081 [+0.051, +0.111] & 0.042 & $-$0.029',
    );
    expect(text).toContain('95 \\% interval');
    expect(text).not.toMatch(/[−±×²—’]|\*\*|(?<!\\)[%_#]/);
    const rows = text.split('\n').filter((one) => one.endsWith('\\\\'));
    expect(new Set(rows.map((row) => row.split(' & ').length))).toEqual(new Set([10, 8]));
  });
});

describe('the table of an experiment folder', () => {
  test('is refused where there is no experiment, and names a damaged cell', () => {
    const root = twoOfThree();
    const cell = experimentPaths(root).cell(evaluationId('ours', 0, { protocol: 'logreg' }));
    writeFileSync(cell, '{"version": 1, ');
    expect(() => experimentTable(root)).toThrow(
      `${cell}: is not of this version, or damaged (it is not JSON); delete it`,
    );
    writeFileSync(cell, '{"version": 1, "kind": "evaluate"}');
    expect(() => experimentTable(root)).toThrow(`${cell}: is not of this version, or damaged (settings: `);
    rmSync(experimentPaths(root).description);
    expect(() => experimentTable(root)).toThrow('no experiment here (no experiment.json)');
  });

  test('has every row of the description, in its order', () => {
    const { parts } = experimentTable(twoOfThree());
    for (const { rows } of parts) {
      expect(rows.slice(0, 3).map(({ name }) => name)).toEqual(description.rows.map(({ name }) => name));
    }
  });
});
