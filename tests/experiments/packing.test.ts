import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../training/tiny.js';

const script = fileURLToPath(new URL('../../experiments/results.mjs', import.meta.url));
const results = (...words: string[]) => spawnSync('node', [script, ...words], { encoding: 'utf8' });

const summary = {
  pooled: 0.7123456789012345,
  low: 0.6123456789,
  high: 0.8,
  mean: 0.7,
  std: 0.1,
  folds: [0.7, 0.8],
  skipped: 0,
};
const evaluation = {
  version: 1,
  kind: 'evaluate',
  result: {
    protocol: 'logreg',
    metrics: ['auc', 'brier'],
    rows: [{ key: 'run/pooled/a', validation: [0.123456789], metrics: { auc: summary, brier: summary } }],
    differences: [{ value: 0.1 }],
  },
};
const pairs = {
  version: 1,
  kind: 'pairs',
  result: {
    protocol: 'pairs',
    measures: [{ value: 0.123456789 }],
    projections: [{ a: [[12.3456, -0.98765]] }],
    examples: [{ position: 1234 }],
  },
};
const HEAD = 'id,subject,fold,label,run/pooled/a,thumbnail/pixels/a';
const BASELINE = ['-0.46900632', '1.2013635', '0', '1'];
const predictions = (scores: readonly string[]) =>
  `${[HEAD, ...scores.map((score, i) => `P-${i},S-${i},${i < 3 ? 0 : 1},none,${score},${BASELINE[i]}`)].join('\n')}\n`;

/** A folder with the files, and where its packed form goes. */
function folderOf(files: Readonly<Record<string, string>>) {
  const root = temporaryFolder('anatomy-packing-');
  const [full, packed, unpacked] = ['full', 'packed', 'unpacked'].map((name) => join(root, name));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(full!, file)), { recursive: true });
    writeFileSync(join(full!, file), text);
  }
  return { full: full!, packed: packed!, unpacked: unpacked! };
}

/** The column of the run's scores after a round trip. */
function scoresAfter(scores: readonly string[]) {
  const { full, packed, unpacked } = folderOf({ 'cells/logreg.csv': predictions(scores) });
  expect(results('pack', full, packed).stderr).toBe('');
  expect(results('unpack', packed, unpacked).stderr).toBe('');
  const lines = readFileSync(join(unpacked, 'cells/logreg.csv'), 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => line.split(',')[4]);
}

describe('packing', () => {
  const files = {
    'experiment.json': JSON.stringify({ name: 'tiny', rows: [] }),
    'cells/ours/seed-0/logreg.json': JSON.stringify(evaluation, null, 1),
    'cells/ours/seed-0/logreg.csv': predictions(['0.123456', '0.5678', '0.9', '0.25']),
    'cells/ours/seed-0/pairs.json': JSON.stringify(pairs),
    'cells/ours/seed-0/pretrain.jsonl': '{"step":1,"loss":55.2061}\n{"step":2,"loss":1}\n',
    'cells/simclr/seed-0/logreg.csv': predictions(['0.3', '0.2', '0.1', '0.7']),
  };

  test('gives back every file, with the numbers that are kept', () => {
    // The configs of a run tell folders of the machine.
    const { full, packed, unpacked } = folderOf({ ...files, 'configs/ours/seed-0/pretrain.yaml': 'seed: 0' });
    expect(results('pack', full, packed).stderr).toBe('');
    expect(results('unpack', packed, unpacked).stderr).toBe('');
    const read = (file: string) => readFileSync(join(unpacked, file), 'utf8');
    const names = readdirSync(unpacked, { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    expect(names).toHaveLength(Object.keys(files).length);
    expect(JSON.parse(read('experiment.json'))).toEqual({ name: 'tiny', rows: [] });
    expect(read('cells/ours/seed-0/pretrain.jsonl')).toBe(files['cells/ours/seed-0/pretrain.jsonl']);
    expect(read('cells/ours/seed-0/logreg.csv')).toBe(
      `${HEAD}\nP-0,S-0,0,none,0.123,-0.469\nP-1,S-1,0,none,0.568,1.2\nP-2,S-2,0,none,0.9,0\nP-3,S-3,1,none,0.25,1\n`,
    );
    const [row] = JSON.parse(read('cells/ours/seed-0/logreg.json')).result.rows;
    expect(row.validation).toEqual([0.123456789]);
    expect(row.metrics.auc).toEqual({ ...summary, std: null, folds: [] });
    expect(row.metrics.brier).toEqual({
      ...summary,
      low: null,
      high: null,
      mean: null,
      std: null,
      folds: [],
    });
    expect(JSON.parse(read('cells/ours/seed-0/pairs.json')).result).toEqual({
      ...pairs.result,
      projections: [{ a: [[12, -0.99]] }],
    });
  });

  test('stores baselines and sample columns that are equal between cells once', () => {
    const { full, packed } = folderOf(files);
    expect(results('pack', full, packed).stderr).toBe('');
    const stored = JSON.parse(brotliDecompressSync(readFileSync(join(packed, 'cells.json.br'))).toString());
    expect(stored.samples).toHaveLength(1);
    expect(stored.columns).toEqual([4, 4, 4]);
  });

  test('keeps three significant digits of a score, near 1 of the rest to one', () => {
    expect(scoresAfter(['0.00001234567', '0.99987654', '0.123456', '4.568e-250'])).toEqual([
      ...['0.0000123', '0.999877', '0.123', '1e-11'],
    ]);
  });

  test('leaves a score on its side of one half, so that the predicted class stays', () => {
    expect(scoresAfter(['0.49987', '0.50012', '0.5', '0.7'])).toEqual(['0.499', '0.501', '0.5', '0.7']);
  });

  test('keeps more digits where three would make ties of most scores of a fold', () => {
    expect(scoresAfter(['0.23411', '0.23421', '0.23433', '0.7'])).toEqual([
      '0.2341',
      '0.2342',
      '0.2343',
      '0.7',
    ]);
  });

  test('keeps the scores of a training that diverged, which are no numbers', () => {
    expect(scoresAfter(['NaN', 'NaN', 'NaN', 'NaN'])).toEqual(['NaN', 'NaN', 'NaN', 'NaN']);
  });
});

describe('errors say what to do', () => {
  const packedFolder = () => {
    const folders = folderOf({ 'cells/logreg.csv': predictions(['0.1', '0.2', '0.3', '0.4']) });
    results('pack', folders.full, folders.packed);
    return folders;
  };

  test('a file whose checksum is another is named, and nothing is unpacked', () => {
    const { packed, unpacked } = packedFolder();
    appendFileSync(join(packed, 'scores.br'), 'x');
    const { status, stderr } = results('unpack', packed, unpacked);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `${join(packed, 'scores.br')} is damaged: its checksum is not the one in ${join(packed, 'SHA256SUMS')}; put it back with git checkout -- ${join(packed, 'scores.br')}\n`,
    );
    expect(existsSync(unpacked)).toBe(false);
    expect(results('check', packed).stderr).toBe(stderr);
  });

  test('a missing file is named', () => {
    const { packed } = packedFolder();
    rmSync(join(packed, 'scores.br'));
    expect(results('check', packed).stderr).toMatch(/scores\.br is missing; put it back with git checkout/);
  });

  test('what exists already is not overwritten', () => {
    const { full, packed } = packedFolder();
    expect(results('unpack', packed, full).stderr).toMatch(/full exists: choose another folder/);
    expect(results('pack', full, packed).stderr).toMatch(/cells\.json\.br exists: delete it first/);
  });

  test('a folder without packed results, a file of another kind and a wrong command are told', () => {
    const { full } = packedFolder();
    expect(results('check', full).stderr).toMatch(/no packed results here/);
    const { full: other, packed } = folderOf({ 'notes.txt': 'hello' });
    expect(results('pack', other, packed).stderr).toMatch(
      /notes\.txt: neither JSON, JSON lines nor predictions/,
    );
    expect(results('open', full)).toMatchObject({ status: 1, stderr: expect.stringMatching(/^Usage:/) });
    expect(results('--help')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Usage:/) });
  });
});
