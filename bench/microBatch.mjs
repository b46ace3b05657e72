// npm run bench:micro-batch: the paper's batch, 128 pairs at 224² (512 images), with and without gradient caching: a step's time
// and the process's peak memory, each setting in a process of its own. Augmentation included. Prints a Markdown table.
// Options: --pairs 128 --size 224 --steps 1 --threads 2 --precision auto --only 0,1,…
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  pairs: { type: 'string', default: '128' },
  size: { type: 'string', default: '224' },
  steps: { type: 'string', default: '1' },
  threads: { type: 'string', default: String(availableParallelism()) },
  precision: { type: 'string', default: 'auto' },
  only: { type: 'string' },
  one: { type: 'string' },
});
const [pairs, size, steps] = [options.pairs, options.size, options.steps].map(Number);
// At full width the whole batch at once would need some 30 GB in bf16 and 60 in fp32.
const settings = [
  { width: 0.25, microBatch: pairs },
  { width: 0.25, microBatch: 32 },
  { width: 0.25, microBatch: 8 },
  { width: 1, microBatch: 32 },
  { width: 1, microBatch: 8 },
];

if (options.one) await measure(JSON.parse(options.one));
else {
  console.log(`| encoder | pairs at a time | s a step | peak GiB | precision |\n|---|--:|--:|--:|---|`);
  const chosen = settings.filter((_, i) => !options.only || options.only.split(',').includes(String(i)));
  for (const setting of chosen) {
    const own = process.argv.slice(2);
    const child = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), ...own, '--one', JSON.stringify(setting)],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    if (child.status !== 0) {
      console.log(
        `| ×${setting.width} | ${setting.microBatch} | – | – | ended with ${child.signal ?? child.status} |`,
      );
      continue;
    }
    const { seconds, peakBytes, precision } = JSON.parse(child.stdout);
    console.log(
      `| ×${setting.width} | ${setting.microBatch} | ${seconds.toFixed(1)} | ${(peakBytes / 2 ** 30).toFixed(1)} | ${precision} |`,
    );
  }
}

async function measure({ width, microBatch }) {
  const { resolveConfig } = await import('../dist/config/index.js');
  const { Random, Sgd, setThreads, tensor } = await import('../dist/index.js');
  const { buildMethod } = await import('../dist/training/build.js');
  const { resolvePrecision } = await import('../dist/training/precision.js');
  const { trainingStep } = await import('../dist/training/step.js');
  setThreads(Number(options.threads));
  const config = resolveConfig({ set: [`model.width=${width}`, `data.size=${size}`] });
  const samples = Array.from({ length: pairs }, (_, i) => ({ subject: String(i), images: { a: 0, b: 0 } }));
  const method = buildMethod(config, { modalities: ['a', 'b'], samples }, 'cpu');
  const optimizer = new Sgd(method.parameters(), { momentum: 0.9, weightDecay: 1e-4 });
  const random = new Random('bench');
  const image = () =>
    tensor(
      Uint8Array.from({ length: pairs * size * size }, () => random.below(256)),
      [pairs, 1, size, size],
    );
  const batch = {
    images: { a: image(), b: image() },
    ids: samples.map(({ subject }) => subject),
    rows: samples.map((_, i) => i),
    epoch: 0,
  };
  const precision = resolvePrecision(options.precision, 'cpu');
  const seconds = Array.from({ length: steps }, () => {
    const started = performance.now();
    trainingStep({ method, optimizer, batch, learningRate: 0.001, precision, device: 'cpu', microBatch });
    return (performance.now() - started) / 1000;
  }).sort((a, b) => a - b);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ seconds: seconds[seconds.length >> 1], peakBytes, precision }));
}
