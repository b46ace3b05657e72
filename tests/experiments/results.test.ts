/** The stored numbers, from what `experiments/results` keeps of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { afterAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const kept = join(root, 'experiments/results');
const folder = mkdtempSync(join(tmpdir(), 'anatomy-results-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const node = (...words: string[]) => execFileSync('node', words, { cwd: root, encoding: 'utf8' });

/** The experiment's folder, unpacked once. */
function unpacked(name: string): string {
  const to = join(folder, name);
  if (!existsSync(to)) node('experiments/results.mjs', 'unpack', join(kept, name), to);
  return to;
}

/**
 * Scores are kept with three significant digits, which changes an area under the curve or an end of an interval that
 * is computed from them by at most 0.0007; tables show three decimals.
 */
const TOLERANCE = 0.001;

/** Columns that come from the scores whatever the row: differences from a baseline, paired over patients. */
const PAIRED = /^(untrained|thumbnail)_/;

describe('what is kept', () => {
  const names = readdirSync(kept, { withFileTypes: true }).flatMap((one) =>
    one.isDirectory() ? one.name : [],
  );

  test('is twenty-six folders, each as its checksums say', () => {
    expect(names.sort()).toEqual([
      ...['cpu-twin', 'large', 'set-aside-pairs', 'study', 'study-2-brain', 'study-2-breast'],
      ...['study-2-fundus', 'transfer-breast', 'transfer-fundus', 'tuning'],
      ...[
        'unaligned-breast-0',
        'unaligned-breast-elastic-8',
        'unaligned-breast-rigid-8',
        'unaligned-fundus-0',
        'unaligned-tenth-brain-0',
        'unaligned-tenth-brain-rigid-8',
        'unaligned-tenth-brain-second-round',
        'unaligned-tenth-fundus-0',
        'unaligned-tenth-fundus-back',
        'unaligned-tenth-fundus-elastic-8',
        'unaligned-tenth-fundus-rigid-1',
        'unaligned-tenth-fundus-rigid-2',
        'unaligned-tenth-fundus-rigid-4',
        'unaligned-tenth-fundus-rigid-8',
        'unaligned-tenth-fundus-second-round',
        'unaligned-tenth-fundus-second-round-again',
      ],
    ]);
    for (const name of names) node('experiments/results.mjs', 'check', join(kept, name));
  });

  test('takes at most 9 MB', () => {
    const sizes = names.flatMap((name) =>
      readdirSync(join(kept, name)).map((file) => readFileSync(join(kept, name, file)).length),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(9e6);
  });
});

test.each([
  ['transfer-breast', 'every row has one candidate, so its own values are stored exactly', PAIRED],
  ['tuning', 'rows are composed from the scores of their candidates', /./],
])('the table of %s can be made again (%s)', (name, _, computed) => {
  const read = (text: string): Record<string, string>[] => parse(text, { columns: true });
  const again = read(node('dist/cli/main.js', 'experiment', 'table', unpacked(name), '--format', 'csv'));
  const stored = read(readFileSync(join(kept, name, 'table.csv'), 'utf8'));
  expect(again).toHaveLength(stored.length);
  for (const [i, row] of stored.entries()) {
    for (const [column, value] of Object.entries(row)) {
      const found = again[i]![column]!;
      const isNumber = value !== '' && Number.isFinite(Number(value));
      if (!isNumber || !computed.test(column)) expect([column, found]).toEqual([column, value]);
      else expect(Math.abs(Number(found) - Number(value)), `${row.row}, ${column}`).toBeLessThan(TOLERANCE);
    }
  }
});

test('what docs/results.md says beside the tables comes from the stored cells', () => {
  const analysis = (...words: string[]) => node('experiments/analysis.mjs', ...words);
  const study = analysis(unpacked('tuning'), unpacked('study'));
  expect(study.match(/^## .*/gm)).toHaveLength(4);
  expect(study).toMatch(
    /Finetuned, less from random weights[^#]*Ours − w\/o pretrain +\| −0\.003 \[−0\.035, \+0\.029\]/,
  );
  expect(analysis('transfer', unpacked('transfer-breast'))).toMatch(
    /BUSI, a +\| Ours − InstDis all +\| −0\.064 \[−0\.102, −0\.027\]/,
  );
});

describe('what PROTOCOL-2.md asks of finished cells', () => {
  const recipe = (...words: string[]) => {
    const command = ['experiments/recipe.mjs', ...words];
    const { status, stdout, stderr } = spawnSync('node', command, { cwd: root, encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  test('is the row less the best other one, on each of the images', () => {
    const { stdout } = recipe(unpacked('transfer-breast'), '--chosen', 'Ours');
    expect(stdout.match(/^## .*/gm)).toHaveLength(5);
    // Less each other row: on A, on B, where it is the best other one, and on A+B.
    expect(stdout).toMatch(/\| InstDis all +\| [^|]*\| \+0\.005 \[−0\.009, \+0\.020\] \|/);
    expect(stdout).toMatch(
      /phantom:breast, B +\| InstDis all \| \+0\.005 \[−0\.009, \+0\.020\] \| yes +\| no +\| 1\.000/,
    );
  });

  test.each([
    [[], 'error: usage: node experiments/recipe.mjs RUN'],
    [['nowhere'], 'error: nowhere: no experiment here'],
    [['--chose', 'Ours'], "error: Unknown option '--chose'"],
  ])('is refused in words where the command is wrong: %j', (words, message) => {
    const { status, stderr } = recipe(...words);
    expect([status, stderr.slice(0, message.length)]).toEqual([2, message]);
    expect(stderr).not.toContain('    at ');
  });

  test('is refused for a row that is not there, with those that are', () => {
    const { status, stderr } = recipe(unpacked('transfer-breast'), '--chosen', 'Our');
    expect(status).toBe(2);
    expect(stderr).toContain(
      '--chosen is Our, expected a row that all data sets have: "Ours", "L_Glo alone"',
    );
  });
});

describe('what PROTOCOL-unaligned.md asks of finished cells', () => {
  const steps = (...words: string[]) =>
    spawnSync('node', ['experiments/unaligned.mjs', ...words], { cwd: root, encoding: 'utf8' });

  test('is each row less itself where pairs are aligned, and less Eq. 5 at the same step', () => {
    const { stdout } = steps(unpacked('unaligned-breast-0'), unpacked('unaligned-breast-rigid-8'));
    expect(stdout.match(/^## .*/gm)).toHaveLength(5);
    const lines = stdout.split('\n').filter((line) => line.startsWith('| recommended'));
    expect(lines[0]).toMatch(/\| 0\.818 +\| 0\.841 +\|/);
    expect(lines[1]).toMatch(/\| +\| \+0\.023 \[\+0\.008, \+0\.038\] +\|/);
    expect(lines[2]).toMatch(/\| \+0\.023 \[\+0\.005, \+0\.041\] \| \+0\.044 \[\+0\.027, \+0\.062\] +\|/);
    expect(lines[4]).toMatch(/\| 0\.056 \[0\.037, 0\.077\] +\| 0\.075 \[0\.052, 0\.099\] +\|/);
  });

  test.each([
    [[], 'error: usage: node experiments/unaligned.mjs ALIGNED STEP'],
    [['nowhere'], 'error: nowhere: no experiment here'],
  ])('is refused in words where the command is wrong: %j', (words, message) => {
    const { status, stderr } = steps(...words);
    expect([status, stderr.slice(0, message.length)]).toEqual([2, message]);
    expect(stderr).not.toContain('    at ');
  });

  test('is refused for another experiment', () => {
    const { status, stderr } = steps(unpacked('transfer-breast'));
    expect(status).toBe(2);
    expect(stderr).toContain('nothing is judged on "aligned"');
  });
});
