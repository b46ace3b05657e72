// npm run bench:processes: pretraining by one process with two threads beside two processes with one thread each, alternating
// in one run: the whole loop, data and augmentation included.
// Options: --rounds 5 --steps 8 --only 0,1,2 --json
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interval, median } from './alternate.mjs';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  rounds: { type: 'string', default: '5' },
  steps: { type: 'string', default: '8' },
  only: { type: 'string' },
  json: { type: 'boolean', default: false },
});
const [rounds, steps] = [options.rounds, options.steps].map(Number);
const shapes = [
  { width: 0.25, size: 64, pairs: 128 },
  { width: 0.25, size: 224, pairs: 16 },
  { width: 1, size: 112, pairs: 8 },
].filter((_, i) => !options.only || options.only.split(',').includes(String(i)));
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'anatomy-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Trains so many steps. @returns the pairs per second of a step, the first two left out */
function train({ width, size, pairs }, processes, norms) {
  const out = join(folder, 'run');
  const threads = processes === 1 ? 2 : 1;
  const words = [
    'pretrain',
    '--data',
    `phantom:breast,pairs=${2 * pairs},seed=0`,
    '--out',
    out,
    '--overwrite',
  ];
  words.push('--steps', String(steps), '--quiet', '--set', `data.size=${size}`, `model.width=${width}`);
  words.push(`training.batchSize=${pairs}`, `training.threads=${threads}`, 'training.learningRate=0.001');
  words.push('monitor.every=1000', 'monitor.pairs=8', `data.cacheFolder=${join(folder, 'cache')}`);
  if (processes > 1) words.push('--processes', String(processes), '--batch-norm', norms);
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n').slice(2, -1);
  return median(lines.map((line) => JSON.parse(line).pairsPerSecond));
}

const rows = shapes.map((shape) => {
  const contenders = [
    ['one process, 2 threads', () => train(shape, 1)],
    ['two processes, batch norm over both', () => train(shape, 2, 'sync')],
    ['two processes, batch norm of each', () => train(shape, 2, 'local')],
  ];
  const speeds = contenders.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const order = [...contenders.keys()];
    if (round % 2) order.reverse();
    for (const i of order) speeds[i].push(contenders[i][1]());
  }
  return contenders.map(([name], i) => {
    const ratios = speeds[i].map((speed, round) => speed / speeds[0][round]);
    const [low, high] = interval(ratios);
    return { ...shape, name, pairsPerSecond: median(speeds[i]), ratio: median(ratios), low, high };
  });
});

if (options.json) console.log(JSON.stringify({ rounds, steps, rows: rows.flat() }, null, 2));
else {
  for (const { width, size, pairs, name, pairsPerSecond, ratio, low, high } of rows.flat()) {
    const shape = `×${width}, ${pairs} pairs, ${size}²`.padEnd(24);
    console.log(
      `${shape}${name.padEnd(38)}${pairsPerSecond.toFixed(1).padStart(7)} pairs/s  ${ratio.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`,
    );
  }
}
