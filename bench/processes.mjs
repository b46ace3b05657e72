// npm run bench:processes: pretraining by one process with two threads beside two processes with one thread each, alternating
// in one run: the whole loop, data and augmentation included. Then what the messages of a step should take by the link that
// two processes have here, and what they took.
// Options: --rounds 5 --steps 8 --only 0,1,2 --json
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensorsHeader } from '../dist/export/safetensors.js';
import { ProcessGroup, tensor, tidy } from '../dist/tensor/index.js';
import { interval, median } from './alternate.mjs';
import { parseOptions } from './options.mjs';

if (process.env.ANATOMY_LINK_PORT !== undefined) {
  console.log(JSON.stringify(measureLink(Number(process.env.RANK), Number(process.env.ANATOMY_LINK_PORT))));
  process.exit(0);
}
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

/** What one of two processes measures of the link between them: seconds for a small message, and bytes/s of a large sum. */
function measureLink(rank, port) {
  const place = { host: '127.0.0.1', port, opensStore: rank === 0, rank, size: 2 };
  const group = new ProcessGroup({ ...place, timeout: 60_000, prefix: 'link' });
  const seconds = (call) => {
    const times = Array.from({ length: 15 }, () => {
      group.sumNumbers([0]);
      const before = group.seconds;
      tidy(call);
      return group.seconds - before;
    });
    return median(times);
  };
  const bytes = 2 ** 26;
  return {
    latency: seconds(() => group.sumNumbers([0])),
    bandwidth: bytes / seconds(() => group.sum(tensor(new Float32Array(bytes / 4), [bytes / 4]))),
  };
}

/** Two processes measure their link. @returns what the first one found */
async function linkOfTwo() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  const told = ['0', '1'].map(
    (rank) =>
      new Promise((resolve, reject) => {
        const env = { ...process.env, RANK: rank, ANATOMY_LINK_PORT: String(port), OMP_NUM_THREADS: '1' };
        const stdio = ['ignore', 'pipe', 'inherit'];
        const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], { env, stdio });
        let text = '';
        child.stdout.on('data', (chunk) => {
          text += chunk;
        });
        child.on('close', (code) => (code === 0 ? resolve(JSON.parse(text)) : reject(new Error(text))));
      }),
  );
  return (await Promise.all(told))[0];
}

/**
 * What the messages of a step should take: the sum of the gradients, and for each batch norm a gather forward and a sum
 * backward. Other small messages, of losses, embeddings and signals, are about ten.
 */
function predicted({ parameters, norms }, { latency, bandwidth }) {
  return (4 * parameters) / bandwidth + (2 * norms + 10) * latency;
}

/** The numbers of parameters and of batch norms in the encoder of a run. */
function sizeOf(run) {
  const tensors = [...readSafetensorsHeader(join(run, 'encoder.safetensors')).tensors];
  const isState = (name) => /running_(mean|var)$|num_batches_tracked$/.test(name);
  const count = ({ shape }) => shape.reduce((product, side) => product * side, 1);
  return {
    parameters: tensors.reduce((sum, [name, one]) => sum + (isState(name) ? 0 : count(one)), 0),
    norms: tensors.filter(([name]) => name.endsWith('running_mean')).length,
  };
}

/** Trains so many steps. @returns the speed and the share of messages, medians over the steps but the first two */
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
  const of = (name) => median(lines.map((line) => JSON.parse(line)[name] ?? 0));
  return { speed: of('pairsPerSecond'), share: of('communicationShare'), ...sizeOf(out) };
}

const link = await linkOfTwo();
const rows = shapes.map((shape) => {
  const contenders = [
    ['one process, 2 threads', () => train(shape, 1)],
    ['two processes, batch norm over both', () => train(shape, 2, 'sync')],
    ['two processes, batch norm of each', () => train(shape, 2, 'local')],
  ];
  const runs = contenders.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const order = [...contenders.keys()];
    if (round % 2) order.reverse();
    for (const i of order) runs[i].push(contenders[i][1]());
  }
  return contenders.map(([name], i) => {
    const ratios = runs[i].map(({ speed }, round) => speed / runs[0][round].speed);
    const [low, high] = interval(ratios);
    const [{ parameters, norms }] = runs[i];
    const own = { parameters, norms: name.endsWith('both') ? norms : 0 };
    return {
      ...{ ...shape, name, ratio: median(ratios), low, high },
      pairsPerSecond: median(runs[i].map(({ speed }) => speed)),
      messages: i === 0 ? 0 : median(runs[i].map(({ share, speed }) => (share * shape.pairs) / speed)),
      predicted: i === 0 ? 0 : predicted(own, link),
    };
  });
});

if (options.json) console.log(JSON.stringify({ rounds, steps, link, rows: rows.flat() }, null, 2));
else {
  const milliseconds = (seconds) => `${(1000 * seconds).toFixed(seconds < 0.001 ? 2 : 0)} ms`;
  console.log(
    `the link: ${milliseconds(link.latency)} a message, sums of ${(link.bandwidth / 1e9).toFixed(2)} GB/s`,
  );
  for (const {
    width,
    size,
    pairs,
    name,
    pairsPerSecond,
    ratio,
    low,
    high,
    messages,
    ...row
  } of rows.flat()) {
    const shape = `×${width}, ${pairs} pairs, ${size}²`.padEnd(24);
    const share = ((messages * pairsPerSecond) / pairs) * 100;
    const told =
      messages === 0
        ? ''
        : `, ${milliseconds(messages)} a step in messages (${share.toFixed(0)} %), ${milliseconds(row.predicted)} by the link`;
    console.log(
      `${shape}${name.padEnd(38)}${pairsPerSecond.toFixed(1).padStart(7)} pairs/s  ${ratio.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]${told}`,
    );
  }
}
