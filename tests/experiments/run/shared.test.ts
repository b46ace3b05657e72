/** Plants marked names in the data of an experiment, and searches what may be shared of it. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { MARK, ours, telling } from '../../training/telling.js';
import { temporaryFolder, writePairs } from '../../training/tiny.js';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

test('experiment.json, cells, tables and the page of an experiment tell no names and no places', async () => {
  const folder = temporaryFolder();
  const home = temporaryFolder(`anatomy-${MARK}-`);
  const written = await writePairs(home, { pairs: 12 });
  // The name of the data may be told: that of the file, and of the folder where it is called manifest.csv.
  const plain = join(home, 'pairs.csv');
  renameSync(join(home, 'images'), join(home, `${MARK}-images`));
  const manifest = readFileSync(written, 'utf8').replace(/\bimages\//g, `${MARK}-images/`);
  writeFileSync(
    plain,
    manifest.replace(/pair-|patient-/g, (word) => `${MARK}-${word}`),
  );
  writeFileSync(
    join(folder, 'one.yaml'),
    `
name: one
data: { path: '${plain}' }
common:
  data: { size: 32 }
  model: { width: 0.25 }
  method: { maps: [1, 2, 3], patches: [2, 2] }
  training: { steps: 2, batchSize: 4, precision: fp32 }
  monitor: { pairs: 4, neighbours: 3, every: 100 }
protocols: [logreg, pairs]
evaluation: { replicates: 50, folds: 2 }
rows:
  - { name: paper, paper: { table: 1, row: Ours } }
`,
  );
  const environment = { ...process.env, OMP_NUM_THREADS: '1', XDG_CACHE_HOME: join(home, 'cache') };
  const anatomy = (...words: string[]) =>
    promisify(execFile)(process.execPath, [main, ...words], { cwd: folder, env: environment });
  const { stdout } = await anatomy('experiment', 'run', 'one.yaml', '--out', 'done');
  await anatomy('report', 'done');
  writeFileSync(join(folder, 'done', 'table.md'), stdout);
  const words = [MARK, folder.toLowerCase(), ...ours];
  const shared = readdirSync(join(folder, 'done')).filter((name) => !/^(logs|configs|splits.*)$/.test(name));
  expect(shared).toEqual(expect.arrayContaining(['cells', 'experiment.json', 'report', 'runs', 'table.md']));
  for (const name of shared) expect(telling(join(folder, 'done', name), words), name).toEqual([]);
  // The folders that are said to name samples and places do.
  expect(telling(join(folder, 'done', 'configs'), words)).not.toEqual([]);
});
