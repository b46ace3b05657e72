import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureIn } from '../../../src/experiments/stored/cellLog.js';
import { readDescription } from '../../../src/experiments/stored/folder.js';

/** Runs the built program, as experiments are processes of processes. */
const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const STEPS = 20;
let folder: string;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}
type Child = ReturnType<typeof spawn>;

function anatomy(words: readonly string[], react: (child: Child) => void = () => {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, 'experiment', ...words], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: join(folder, 'cache') },
  });
  const ended: Ended = { code: null, signal: null, stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    ended.stdout += text;
  });
  child.stderr.on('data', (text) => {
    ended.stderr += text;
  });
  react(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ ...ended, code, signal }));
  });
}

const experiment = (different = '') => `
name: two
data: { path: 'phantom:breast,pairs=16,seed=0' }
common:
  data: { size: 32 }
  model: { width: 0.25 }
  method: { maps: [1, 2, 3], patches: [2, 2] }
  training: { steps: ${STEPS}, batchSize: 4, checkpointEvery: 2, precision: fp32 }
  monitor: { pairs: 4, neighbours: 3, every: 100 }
protocols: [logreg, linear]
evaluation: { replicates: 50, folds: 2 }
rows:
  - { name: paper, paper: { table: 1, row: Ours } }
  - { name: L_C alone, config: { method: { alpha: 0 } } }
${different}`;
const run = (out: string, ...more: string[]) => ['run', 'two.yaml', '--out', out, '--jobs', '2', ...more];

/** Calls `act` once the first row's run in `out` has done this many steps. */
const afterStep = (out: string, steps: number, act: (child: Child) => void) => (child: Child) => {
  const file = join(folder, out, 'runs/paper/seed-0/metrics.jsonl');
  const timer = setInterval(() => {
    if (!existsSync(file) || readFileSync(file, 'utf8').split('\n').length <= steps) return;
    clearInterval(timer);
    act(child);
  }, 5);
  child.on('close', () => clearInterval(timer));
};

/** All cells without their times. */
function cells(out: string): Record<string, unknown> {
  const root = join(folder, out, 'cells');
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.json'),
  );
  return Object.fromEntries(
    names.sort().map((name) => {
      const { seconds: _, ...cell } = JSON.parse(readFileSync(join(root, name), 'utf8'));
      return [name, cell];
    }),
  );
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-experiments-'));
  writeFileSync(join(folder, 'two.yaml'), experiment());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('an experiment that was interrupted and killed comes to the same cells as one left alone', async () => {
  const plan = await anatomy(run('alone', '--dry-run'));
  expect([plan.code, plan.stdout.split('\n')[0]]).toEqual([0, 'to do      paper, seed 0: pretrain']);
  expect(existsSync(join(folder, 'alone'))).toBe(false);

  const alone = await anatomy(run('alone'));
  expect(alone.stderr).toContain('6 cells are done: alone');
  expect(alone.stderr).toMatch(/^6\/6 · .* · \d+s · ETA 0s$/m);
  expect(alone.code).toBe(0);
  expect(alone.stdout).toMatch(/^\| L_C alone +\| transductive +\|/m);
  expect(Object.keys(cells('alone'))).toEqual(
    ['l-c-alone', 'paper'].flatMap((row) =>
      ['linear', 'logreg', 'pretrain'].map((cell) => `${row}/seed-0/${cell}.json`),
    ),
  );

  const interrupted = await anatomy(
    run('stopped'),
    afterStep('stopped', 1, (child) => child.kill('SIGINT')),
  );
  expect(interrupted).toMatchObject({ code: 130, signal: null, stdout: '' });
  expect(interrupted.stderr).toMatch(
    /SIGINT: \d of 6 cells (is|are) done; the same command goes on from there/,
  );
  const log = () => readFileSync(join(folder, 'stopped/logs/paper/seed-0/pretrain.log'), 'utf8');
  const saved = Number(/SIGINT: saved after step (\d+);/.exec(log())?.[1]);
  expect(saved).toBeGreaterThanOrEqual(1);
  const unfinished = await anatomy(run('stopped', '--dry-run', '--json'));
  expect(JSON.parse(unfinished.stdout)[0]).toMatchObject({
    id: 'paper/seed-0/pretrain',
    state: 'unfinished',
  });

  const killed = await anatomy(
    run('stopped'),
    afterStep('stopped', saved + 1, (child) => child.kill('SIGKILL')),
  );
  expect(killed).toMatchObject({ code: null, signal: 'SIGKILL' });

  const finished = await anatomy(run('stopped'));
  expect(finished.code).toBe(0);
  // The killed program could tell nobody, but its children saw that it was gone.
  expect(log()).toMatch(
    /resuming after step \d+ of 20[\s\S]*SIGTERM: saved after step \d+;[\s\S]*resuming after step \d+ of 20/,
  );
  expect(finished.stdout).toBe(alone.stdout);
  expect(cells('stopped')).toEqual(cells('alone'));
  expect(existsSync(join(folder, 'stopped/running.json'))).toBe(false);

  const again = await anatomy(run('stopped', '--json'));
  expect(again.stderr).toContain('6 cells, 6 done before');
  expect(JSON.parse(again.stdout)).toMatchObject({ name: 'two', missing: [], metric: 'auc' });
  const table = await anatomy(['table', 'stopped', '--format', 'csv']);
  expect([table.code, table.stdout.split('\n')[0]]).toEqual([0, expect.stringMatching(/^row,source,/)]);
});

test('two processes share the cells of one folder, and each prints the table of one that ran alone', async () => {
  // The order of tests is that of the file, but each may be run by itself.
  if (!existsSync(join(folder, 'alone'))) await anatomy(run('alone'));
  const table = await anatomy(['table', 'alone']);
  // The second one begins while the first is at work.
  let second: Promise<Ended> | undefined;
  const begin = afterStep('together', 1, () => {
    second = anatomy(run('together', '--jobs', '1'));
  });
  const first = await anatomy(run('together', '--jobs', '1'), begin);
  for (const ended of [first, await second!]) {
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout.trim()).toBe(table.stdout.trim());
    expect(ended.stderr).toMatch(/^\d\/6 · .* in another process · ETA/m);
  }
  expect(cells('together')).toEqual(cells('alone'));
  // Each cell was begun once.
  for (const name of Object.keys(cells('together'))) {
    const log = readFileSync(join(folder, 'together/logs', name.replace('.json', '.log')), 'utf8');
    expect([name, log.match(/^\$ OMP_NUM_THREADS/gm)!.length]).toEqual([name, 1]);
  }
  expect(readdirSync(join(folder, 'together')).sort()).toEqual(
    ['cells', 'configs', 'experiment.json', 'logs', 'runs', 'splits.json'].sort(),
  );
});

test('other settings are refused with the difference, and so are other folds and other folders', async () => {
  // One row has other settings, and a third one cannot run.
  writeFileSync(
    join(folder, 'two.yaml'),
    experiment("  - { name: broken, config: { model: { initFrom: 'nowhere.safetensors' } } }").replace(
      'alpha: 0',
      'alpha: 1',
    ),
  );
  const refused = await anatomy(run('alone'));
  expect([refused.code, refused.stdout]).toEqual([2, '']);
  expect(refused.stderr).toMatch(
    /alone holds cells of other settings.*\n {2}L_C alone, seed 0: pretrain\n {4}method\.alpha: 0 → 1/,
  );
  expect(refused.stderr).not.toContain('paper, seed 0');

  const overwritten = await anatomy(run('alone', '--overwrite'));
  expect(overwritten.code).toBe(1);
  expect(overwritten.stderr).toContain('9 cells, 3 done before');
  expect(overwritten.stderr).toMatch(
    /broken, seed 0: pretrain: exit \d: .*nowhere\.safetensors.*; log: alone\/logs\/broken\/seed-0\/pretrain\.log/,
  );
  expect(overwritten.stderr).toContain('1 of 9 cells failed, 2 wait for it; the same command tries it again');
  // The reason stays in the folder, where the live page finds it.
  const log = readFileSync(join(folder, 'alone/logs/broken/seed-0/pretrain.log'), 'utf8');
  expect(failureIn(log)).toMatch(/^exit \d: .*nowhere\.safetensors/);
  expect(readDescription(join(folder, 'alone')).cells).toHaveLength(9);
  expect(overwritten.stdout).toContain('2 of 6 evaluations are missing (—): broken, seed 0: logreg;');
  expect(cells('alone')['l-c-alone/seed-0/logreg.json']).toMatchObject({
    settings: { pretraining: { method: { alpha: 1 } } },
  });

  const folds = await anatomy(run('alone', '--data', 'phantom:breast,pairs=20'));
  expect([folds.code, folds.stderr]).toEqual([
    2,
    expect.stringContaining('holds an experiment in other folds'),
  ]);
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'other/notes.txt'), '');
  const other = await anatomy(run('other'));
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('exists and holds no experiment')]);
  writeFileSync(
    join(folder, 'far.yaml'),
    experiment().replace('[logreg, linear]', '[{ protocol: knn, k: 9 }]'),
  );
  for (const more of [[], ['--dry-run']]) {
    const far = await anatomy(['run', 'far.yaml', '--out', 'far', ...more]);
    expect([far.code, far.stderr]).toEqual([
      2,
      expect.stringContaining('protocol knn: k is 9, expected 1 to'),
    ]);
    expect(existsSync(join(folder, 'far'))).toBe(false);
  }
  const matched = await anatomy(['table', 'alone', '--matched', 'age']);
  expect([matched.code, matched.stderr]).toEqual([
    2,
    expect.stringContaining('--matched age: how far apart is alike? Add --within WIDTH, in units of age'),
  ]);
  const within = await anatomy(['table', 'alone', '--within', '5']);
  expect([within.code, within.stderr]).toEqual([2, expect.stringContaining('are for --matched COLUMN')]);
  const format = await anatomy(['table', 'alone', '--format', 'html']);
  expect([format.code, format.stderr]).toEqual([
    2,
    expect.stringContaining('expected one of markdown, csv, latex'),
  ]);
});
