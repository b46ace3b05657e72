import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EvaluationResult } from '../../src/evaluation/results/evaluationResult.js';
import { shellWords } from '../../src/text/shell.js';
import { findProgram } from '../../tools/command.mjs';
import { type TinyPairs, tinyPairs, writeManifest } from '../evaluation/tinyPairs.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder: string;
let pairs: TinyPairs;
let run: string;

function anatomy(...words: string[]) {
  return spawnSync(process.execPath, [main, ...words], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evaluate-cli-'));
  pairs = await tinyPairs(join(folder, 'images'), 12);
  run = join(folder, 'run');
  const settings = [
    'data.size=32',
    'model.width=0.25',
    'method.patches=[2,2]',
    'method.maps=[1,2,3]',
    'training.batchSize=8',
  ];
  const { status, stderr } = anatomy(
    'pretrain',
    '--data',
    pairs.manifest,
    '--set',
    ...settings,
    '--steps',
    '1',
    '--out',
    run,
  );
  expect(stderr).toContain('finished');
  expect(status).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('prints tables, or with --json only the JSON that it also wrote', () => {
  const words = [
    'evaluate',
    'knn',
    '--run',
    run,
    '--k',
    '5',
    '--folds',
    '2',
    '--replicates',
    '50',
    '--features',
    'pooled',
  ];
  const table = anatomy(...words);
  expect(table.status).toBe(0);
  expect(table.stdout).toMatch(/^\| run, transductive +\| pooled +\| A\+B/m);
  expect(table.stdout).toContain('Minimum detectable difference');
  const written = readFileSync(join(run, 'evaluation', 'knn-pooled.json'), 'utf8');

  const { status, stdout } = anatomy(...words, '--json');
  expect(status).toBe(0);
  const result = JSON.parse(stdout) as EvaluationResult;
  expect(result.protocol).toBe('knn');
  expect(result.data.name).toBe('pairs');
  expect(stdout).toBe(written);
  expect(stdout).not.toContain(folder);
  expect(stdout).not.toContain('patient ');
});

it.skipIf(findProgram('script') === null)(
  'says the results in short before the tables on a terminal, none of which is wider than it',
  () => {
    const words = ['evaluate', 'knn', '--run', run, '--k', '5', '--folds', '2', '--replicates', '50'];
    const command = shellWords([process.execPath, main, '-q', ...words, '--features', 'pooled']);
    const { stdout } = spawnSync('script', ['-qec', `stty cols 80; ${command}`, '/dev/null'], {
      encoding: 'utf8',
      env: { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') },
    });
    const lines = stdout.split('\r\n');
    expect(lines.slice(0, 3)).toEqual([
      '## In short',
      '',
      expect.stringMatching(/^- .*few|^- AUC of the run’s encoder/),
    ]);
    expect(lines.findIndex((line) => /^## run on pairs: .*transductive/.test(line))).toBeGreaterThan(3);
    const tables = lines.filter((line) => line.startsWith('|'));
    expect(tables.length).toBeGreaterThan(20);
    expect(tables.filter((line) => line.length > 80)).toEqual([]);
  },
);

it('never puts the answer to another question in the place of a stored one, unless asked', () => {
  const words = [
    'evaluate',
    'knn',
    '--run',
    run,
    '--folds',
    '2',
    '--replicates',
    '50',
    '--features',
    'pooled',
  ];
  const file = join(run, 'evaluation', 'knn-pooled.json');
  const before = readFileSync(file, 'utf8');
  const { status, stdout, stderr } = anatomy(...words, '--k', '3');
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(`${file} answers another question`);
  expect(stderr).toContain('k: 5 → 3');
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(anatomy(...words, '--k', '3', '--overwrite').status).toBe(0);
  expect(JSON.parse(readFileSync(file, 'utf8')).settings.k).toBe(3);
});

it('judges the averages of the last three maps with --features maps, and names the nearest word of a slip', () => {
  const words = ['evaluate', 'linear', '--run', run, '--folds', '2', '--replicates', '50', '--epochs', '2'];
  const { status, stdout } = anatomy(...words, '--features', 'maps', '--images', 'a+b', '--json');
  expect(status).toBe(0);
  expect(readFileSync(join(run, 'evaluation', 'linear-a+b-maps.json'), 'utf8')).toBe(stdout);
  const { rows } = JSON.parse(stdout) as EvaluationResult;
  expect(rows.map(({ key }) => key)).toEqual(['run/maps/a+b', 'untrained/maps/a+b', 'thumbnail/pixels/a+b']);
  const slip = anatomy(...words, '--features', 'map');
  expect([slip.status, slip.stdout]).toEqual([2, '']);
  expect(slip.stderr).toContain('--features is map, expected one of pooled, head,');
  expect(slip.stderr).toContain('did you mean maps?');
});

it('takes the data to judge on, and how it is read, from --data-config', () => {
  const file = join(folder, 'other.yaml');
  const words = ['evaluate', 'knn', '--run', run, '--k', '3', '--folds', '2', '--replicates', '50', '--json'];
  const judge = (text: string) => {
    writeFileSync(file, text);
    return anatomy(...words, '--data-config', file, '--out', join(folder, 'other'));
  };
  const { stdout } = judge(
    `data: { path: ${pairs.manifest}, preprocess: { a: { intensity: { kind: minmax } } } }`,
  );
  const { data } = JSON.parse(stdout) as EvaluationResult;
  const own = JSON.parse(
    readFileSync(join(run, 'evaluation', 'knn-pooled.json'), 'utf8'),
  ) as EvaluationResult;
  expect(data.samples).toBe(own.data.samples);
  // Other intensities make other images.
  expect(data.dataHash).not.toBe(own.data.dataHash);
  expect(judge('data: { size: 32 }').stderr).toContain('no data; name it with --data');
});

it('finds the data of a run outside its project again on this machine, while the run does not say where they are', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'evaluate-elsewhere-'));
  const away = join(folder, 'away');
  const judge = (...words: string[]) =>
    anatomy(
      'evaluate',
      'knn',
      '--run',
      away,
      '--k',
      '3',
      '--folds',
      '2',
      '--replicates',
      '50',
      '--json',
      ...words,
    );
  try {
    const { manifest } = await tinyPairs(join(elsewhere, 'images'), 10);
    const settings = ['data.size=32', 'model.width=0.25', 'method.name=random'];
    expect(anatomy('pretrain', '--data', manifest, '--set', ...settings, '--out', away).status).toBe(0);
    for (const file of ['config.yaml', 'provenance.json', 'train.log']) {
      expect(readFileSync(join(away, file), 'utf8')).not.toContain(elsewhere);
    }
    const { status, stdout } = judge();
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as EvaluationResult).data.samples).toBe(20);
    expect(stdout).not.toContain(elsewhere);
    const places = join(folder, 'cache', 'anatomy-ssl', 'places');
    renameSync(places, `${places}-forgotten`);
    expect(judge().stderr).toContain('--data');
    rmSync(places, { recursive: true, force: true });
    renameSync(`${places}-forgotten`, places);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

it('exits with 2 for a wrong command and with 3 for data it cannot judge on', () => {
  expect(anatomy('evaluate', 'knn').status).toBe(2);
  expect(anatomy('evaluate', 'guess', '--run', run).status).toBe(2);
  expect(anatomy('evaluate', 'knn', '--run', folder).stderr).toContain('no run here');
  const file = join(run, 'config.yaml');
  expect(anatomy('evaluate', 'knn', '--run', file).stderr).toContain(`${file}: no run here`);
  const taken = anatomy('evaluate', 'knn', '--run', run, '--out', file);
  expect([taken.status, taken.stderr]).toEqual([2, expect.stringContaining('it is a file; choose a folder')]);
  expect(anatomy('evaluate', 'knn', '--run', join(folder, 'nowhere')).status).toBe(2);
  const many = anatomy('evaluate', 'knn', '--run', run, '--k', '1000');
  expect([many.status, many.stderr]).toEqual([2, expect.stringContaining('--k is 1000')]);
  const one = anatomy('evaluate', 'knn', '--run', run, '--replicates', '1');
  expect([one.status, one.stderr]).toEqual([2, expect.stringContaining('Expected a whole number from 50.')]);
  const unlabelled = writeManifest(
    join(folder, 'images', 'none.csv'),
    pairs,
    pairs.ids.map(() => ''),
  );
  const { status, stdout, stderr } = anatomy('evaluate', 'logreg', '--run', run, '--data', unlabelled);
  expect([status, stdout]).toEqual([3, '']);
  expect(stderr).toContain('no sample has a label');
});
