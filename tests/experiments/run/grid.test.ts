/**
 * Runs one tiny experiment with all that a grid can have, in real processes: it is killed, moved, continued and
 * confirmed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
let folder: string;

const YAML = `
name: grid
data: { path: 'phantom:breast,pairs=28,seed=0' }
common:
  data: { size: 32 }
  model: { width: 0.25 }
  training: { steps: 3, batchSize: 4, precision: fp32 }
  monitor: { pairs: 4, neighbours: 3, every: 100 }
  method: { patches: [2, 2], maps: [1, 2, 3] }
protocols: [logreg]
judge:
  - { name: More, data: { path: 'phantom:breast,pairs=12,seed=1' }, protocols: [{ protocol: logreg, features: all }] }
  - { name: Private, obtain: Ask its owner. }
evaluation: { replicates: 50 }
rows:
  - { name: Ours, variants: [{ name: 1 }, { name: 2, config: { training: { learningRate: 0.1 } } }] }
  - { name: L_Glo alone, config: { method: { consistencyWeight: 0 } } }
compare: { reference: Ours, against: [L_Glo alone] }
setAside: { reference: Ours, against: [best, untrained] }
`;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program. @param watch called now and then while the program runs */
function anatomy(words: readonly string[], watch: (kill: () => void) => void = () => {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...words], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', XDG_CACHE_HOME: join(folder, 'cache') },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const timer = setInterval(() => watch(() => child.kill('SIGKILL')), 20);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

const run = (...more: string[]) =>
  anatomy([
    'experiment',
    'run',
    'grid.yaml',
    '--splits',
    'splits.json',
    '--out',
    'out',
    '--jobs',
    '2',
    ...more,
  ]);
const done = () => {
  const cells = join(folder, 'out/cells');
  return existsSync(cells)
    ? readdirSync(cells, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'))
        .length
    : 0;
};
const keepCellsOnly = () => {
  for (const name of readdirSync(join(folder, 'out'))) {
    if (!['cells', 'experiment.json'].includes(name)) rmSync(join(folder, 'out', name), { recursive: true });
  }
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-grid-'));
  writeFileSync(join(folder, 'grid.yaml'), YAML);
  const data = ['--data', 'phantom:breast,pairs=28,seed=0'];
  const split = await anatomy([
    ...['data', 'split', ...data, '--folds', '2', '--set-aside', '7', '--duplicates', 'ignore'],
    ...['--out', 'splits.json'],
  ]);
  expect(split.stderr + split.code).toMatch(/0$/);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a grid of methods, seeds, protocols and data survives a kill, travels, and is confirmed once', async () => {
  const plan = await run('--dry-run');
  expect(plan.stdout.trim().split('\n')).toEqual([
    ...['Ours 1', 'Ours 2', 'L_Glo alone'].flatMap((name) =>
      [...['pretrain', 'logreg', 'More, logreg']].map((what) => `to do      ${name}, seed 0: ${what}`),
    ),
    'no data    Private: no path is given; give one with --judge Private=PATH. Ask its owner.',
  ]);

  const later = await run('--dry-run', '--confirm');
  expect(later.stderr).toContain('which row is best is known once all else is finished');
  expect(later.stdout.match(/.*set aside$/gm)).toEqual(
    ['Ours 1', 'Ours 2'].map((name) => `to do      ${name}, seed 0: logreg, set aside`),
  );

  writeFileSync(join(folder, 'other-folds.yaml'), YAML.replace('{ replicates: 50 }', '{ folds: 3 }'));
  const contradiction = await anatomy([
    ...['experiment', 'run', 'other-folds.yaml', '--splits', 'splits.json', '--out', 'none', '--dry-run'],
  ]);
  expect([contradiction.code, contradiction.stderr]).toEqual([
    2,
    expect.stringMatching(
      /evaluation\.folds is 3, but .*splits\.json has 2 folds; leave out the one or the other/,
    ),
  ]);

  // The program is killed once three cells are there. Finished cells stay, and cells at work are done again.
  await anatomy(
    ['experiment', 'run', 'grid.yaml', '--splits', 'splits.json', '--out', 'out', '--jobs', '2'],
    (kill) => {
      if (done() >= 3) kill();
    },
  );
  const kept = done();
  expect(kept).toBeGreaterThanOrEqual(3);
  const finished = await run();
  expect(finished.code, finished.stderr).toBe(0);
  expect(Number(/9 cells, (\d+) done before/.exec(finished.stderr)?.[1])).toBeGreaterThanOrEqual(kept);
  expect(finished.stderr).toContain('Private is not judged: no path is given');

  const table = finished.stdout;
  expect(table).toMatch(
    /^## Primary comparisons of Ours: logistic regression \(primary probe\), features chosen by inner folds, A\+B$/m,
  );
  expect(table).toMatch(
    /^Chosen for Ours, A\+B, seed 0: [12], (pooled|head) in (all folds|fold 0; [12], (pooled|head) in fold 1)\.$/m,
  );
  expect(table).toMatch(
    /^## AUC, More, logistic regression \(primary probe\), features chosen by inner folds$/m,
  );
  // More is judged on all three kinds of features, and the inner folds choose among them.
  const more = table.slice(table.indexOf('## AUC, More'));
  expect(more.match(/^## AUC, More, .*$/gm)).toHaveLength(4);
  expect(more).toMatch(
    /^## AUC, More, logistic regression \(primary probe\), features of the last three maps$/m,
  );
  expect(more).toMatch(/^Chosen for Ours, A\+B, seed 0: [12], (pooled|head|maps) in /m);
  expect(table).toContain('Private is not judged here: no path is given');
  expect(table).toMatch(
    /^\d+ pairs of \d+ subjects, of which \d+ pairs of 7 subjects are set aside; 2 folds/m,
  );
  expect(table).not.toMatch(/[Cc]onfirm/);
  expect(table).not.toContain('missing');

  // From experiment.json and cells/ alone come the same tables, with nothing left to do.
  keepCellsOnly();
  expect((await anatomy(['experiment', 'table', 'out'])).stdout).toBe(table);
  const again = await run();
  expect(again.stderr).toContain('9 cells, 9 done before');
  expect(again.stdout).toBe(table);
  expect(existsSync(join(folder, 'out/runs'))).toBe(false);

  // A missing evaluation needs its encoder, which is pretrained again, and no other.
  keepCellsOnly();
  rmSync(join(folder, 'out/cells/l-glo-alone/seed-0/logreg.json'));
  const mended = await run();
  expect(mended.stderr).toContain(
    'L_Glo alone, seed 0: pretrain: again, as its encoder is not here (runs/l-glo-alone/seed-0), and 1 evaluation needs it',
  );
  expect(mended.stdout).toBe(table);
  expect(readdirSync(join(folder, 'out/runs'))).toEqual(['l-glo-alone']);

  const early = await anatomy(['experiment', 'table', 'out', '--confirm']);
  expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('has not been judged')]);
  const look = await run('--confirm', '--dry-run');
  expect(look.stdout.match(/.*set aside$/gm)).toEqual(
    ['Ours 1', 'Ours 2', 'L_Glo alone'].map((name) => `to do      ${name}, seed 0: logreg, set aside`),
  );
  expect(existsSync(join(folder, 'out/cells/confirmation.json'))).toBe(false);
  const confirmed = await run('--confirm');
  expect(confirmed.code, confirmed.stderr).toBe(0);
  expect(confirmed.stdout).toContain('**Confirmatory: the samples that were set aside**');
  expect(confirmed.stdout).toMatch(/^\| L_Glo alone +\| [+−]?\d/m);
  expect(confirmed.stdout).toMatch(/^\| untrained +\| [+−]?\d/m);
  const record = () => readFileSync(join(folder, 'out/cells/confirmation.json'), 'utf8');
  const first = record();
  expect(JSON.parse(first).looks).toMatchObject([{ against: ['L_Glo alone', 'untrained'] }]);
  expect((await anatomy(['experiment', 'table', 'out'])).stdout).toBe(table);
  const same = await run('--confirm');
  expect(same.stdout).toBe(confirmed.stdout);
  expect(record()).toBe(first);
});
