// npm run bench: one training step of the paper's method, ours beside plain PyTorch (fp32, NCHW) and PyTorch's best
// (channels-last, bf16, the same malloc setting), alternating in one run. Prints a table and JSON with --json.
// Options: --rounds 7 --steps 3 --threads 2 --device cpu|cuda --python /usr/bin/python3 --only 0,1,2 --json
import { fileURLToPath } from 'node:url';
import { interval, median, sameMalloc, start, turns } from './alternate.mjs';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, turns);
const { device } = options;
const [rounds, steps, threads] = [options.rounds, options.steps, options.threads].map(Number);
const cpuShapes = [
  { width: 0.25, size: 64, pairs: 64 },
  { width: 0.25, size: 224, pairs: 8 },
  { width: 1, size: 112, pairs: 4 },
];
// Larger, as on those a GPU would wait for the program.
const gpuShapes = [
  { width: 0.25, size: 64, pairs: 128 },
  { width: 0.25, size: 224, pairs: 32 },
  { width: 1, size: 112, pairs: 64 },
  { width: 1, size: 224, pairs: 32 },
];
const shapes = (device === 'cpu' ? cpuShapes : gpuShapes).filter(
  (_, i) => !options.only || options.only.split(',').includes(String(i)),
);

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = (environment) => [options.python, [here('reference.py')], environment];
const own = [process.execPath, [here('ours.mjs')], {}];
const contenders = {
  'PyTorch plain': { command: python({}), settings: { channels_last: false, bf16: false } },
  'PyTorch best': { command: python(sameMalloc), settings: { channels_last: true, bf16: true } },
  ours: { command: own, settings: { bf16: true } },
  'ours, cheap': { command: own, settings: { bf16: true, recompute: 'cheap' } },
  'ours, gray': { command: own, settings: { bf16: true, gray: true } },
};

/** Multiply-adds ×2 of the convolutions and the head, forward and backward (×3), over the four views of each pair. */
function operations({ width, size, pairs }) {
  const stages = [
    [64, 64],
    [128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [512, 512, 512],
  ];
  let [total, inChannels] = [0, 3];
  stages.forEach((stage, i) => {
    for (const full of stage) {
      const outChannels = full * width;
      // The first convolution needs no gradient of its input.
      total += 2 * 9 * inChannels * outChannels * (size / 2 ** i) ** 2 * (inChannels === 3 ? 2 : 3);
      inChannels = outChannels;
    }
  });
  return 4 * pairs * (total + 3 * 2 * inChannels * Math.floor(size / 32) ** 2 * 500);
}

const rows = [];
for (const shape of shapes) {
  const running = new Map();
  const seconds = new Map();
  const peaks = new Map();
  const started = Object.entries(contenders).map(async ([name, { command, settings }]) => {
    const process = start(command);
    running.set(name, process);
    seconds.set(name, []);
    await process.ask({ threads, make: { ...shape, ...settings, device }, steps: 2 }); // warm-up
  });
  await Promise.all(started);
  for (let round = 0; round < rounds; round += 1) {
    const order = [...running.keys()];
    if (round % 2) order.reverse();
    for (const name of order) {
      const answer = await running.get(name).ask({ steps });
      seconds.get(name).push(median(answer.seconds));
      peaks.set(name, answer.peakMiB);
    }
  }
  for (const process of running.values()) process.stop();
  const best = seconds.get('PyTorch best');
  for (const name of running.keys()) {
    const own = seconds.get(name);
    const ratios = own.map((value, round) => best[round] / value);
    const [low, high] = interval(ratios);
    const step = median(own);
    rows.push({
      shape: `×${shape.width} ${shape.size}² ${shape.pairs} pairs`,
      name,
      pairsPerSecond: shape.pairs / step,
      gflops: operations(shape) / step / 1e9,
      peakMiB: peaks.get(name),
      ratio: median(ratios),
      low,
      high,
    });
  }
}
if (options.json) console.log(JSON.stringify({ device, threads, rounds, steps, rows }, null, 2));
else {
  console.log(
    `| shape | | pairs/s | GFLOP/s | peak MiB | × PyTorch best (95 % CI) |\n|---|---|--:|--:|--:|--:|`,
  );
  for (const row of rows) {
    const ratio = `${row.ratio.toFixed(2)} (${row.low.toFixed(2)}–${row.high.toFixed(2)})`;
    console.log(
      `| ${row.shape} | ${row.name} | ${row.pairsPerSecond.toFixed(1)} | ${row.gflops.toFixed(0)} | ${row.peakMiB?.toFixed(0) ?? '–'} | ${ratio} |`,
    );
  }
}
