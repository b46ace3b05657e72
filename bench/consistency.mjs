// npm run bench:consistency: L_C of one map, forward and backward, in both forms (`patches`: P×P matrices; `gram`: C×C matrices in f64) at
// grids from 4×4 to single pixels: CPU time, memory, and error near L = 0. Prints a Markdown table. Each cell is a process of its
// own, because a process keeps the memory it once had.
// --relation takes correlation and cka, which have both forms.
// Options: --width 0.25 --pairs 8 --steps 5 --threads 1 --relation correlation --grids 4,8,14,28,56,112 --sides 112,56,28,14
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ops, Random, setThreads, tensor, tidy } from '../dist/index.js';
import { consistencyLoss, stackedConsistencyLoss } from '../dist/losses/index.js';
import { formFor } from '../dist/losses/relations.js';
import { torchVersion } from '../dist/tensor/index.js';
import { parseOptions } from './options.mjs';

const given = parseOptions(import.meta.url, {
  width: { type: 'string', default: '0.25' },
  pairs: { type: 'string', default: '8' },
  steps: { type: 'string', default: '5' },
  threads: { type: 'string', default: '1' },
  relation: { type: 'string', default: 'correlation' },
  grids: { type: 'string', default: '4,8,14,28,56,112' },
  sides: { type: 'string', default: '112,56,28,14' },
  cell: { type: 'string' }, // what one process measures, as JSON
});

/** VGG16's maps at 224²: channels by side, at width 1. */
const channelsOf = { 112: 128, 56: 256, 28: 512, 14: 512 };
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const mebibytes = (bytes) => bytes / 2 ** 20;

/** Images as after a ReLU, waves and noise in every channel: [images, channels, side, side], channels-last as the encoder's. */
function syntheticMaps({ images, channels, side }) {
  const random = new Random('bench', side, channels);
  const waves = Array.from({ length: channels }, () => [1, 2, 3].map(() => random.uniform(0, 2 * Math.PI)));
  const values = new Float32Array(images * channels * side * side);
  for (let at = 0, pixel = 0; at < values.length; pixel += 1) {
    const [y, x] = [(Math.floor(pixel / side) % side) / side, (pixel % side) / side];
    for (const [u, v, phase] of waves) {
      values[at] = Math.max(0, Math.sin(u * x + v * y + phase) + random.uniform() - 0.5);
      at += 1;
    }
  }
  return ops.permute(tensor(values, [images, side, side, channels]), [0, 3, 1, 2]);
}

/** Median seconds of CPU time of a step, which other processes disturb less than time on the clock, and the peak of memory beyond what the maps take. */
function timeAndMemory({ pairs, steps, options, ...shape }) {
  const maps = syntheticMaps({ images: 2 * pairs, ...shape }).setRequiresGrad();
  const step = (map, settings = options) =>
    tidy(() => {
      const started = process.cpuUsage();
      stackedConsistencyLoss([map], settings).backward();
      map.grad = null;
      const { user, system } = process.cpuUsage(started);
      return (user + system) / 1e6;
    });
  const small = tensor(new Float32Array(2 * 9).fill(1), [2, 1, 3, 3], { requiresGrad: true });
  for (const form of ['patches', 'gram']) step(small, { ...options, patches: [2, 2], form }); // what LibTorch loads at first use
  const before = process.memoryUsage.rss();
  const first = step(maps);
  const memory = process.resourceUsage().maxRSS * 1024 - before;
  // A step of half a minute is not run again.
  const seconds = first > 30 ? [first] : Array.from({ length: steps }, () => step(maps));
  return { seconds: median(seconds), memory };
}

/** The values in reverse order along a dimension. */
function flip(x, dim) {
  const length = x.shape[dim];
  const backwards = Array.from({ length }, (_, i) => length - 1 - i);
  return ops.indexSelect(x, dim, tensor(backwards, [length], { dtype: 'i64' }));
}

/** |L − L_f64| / L_f64 at L ≈ 1e-6. B is A in another basis, so that L is small and no embedding is equal, and some noise. */
function errorNearZero({ options, ...shape }) {
  const a = syntheticMaps({ images: 1, ...shape });
  const noise = flip(flip(a, 2), 3);
  const mate = (amplitude) => flip(a, 1).add(noise.mul(amplitude));
  const exact = (b) => {
    const [wideA, wideB] = [a, b].map((map) => map.to({ dtype: 'f64' }));
    return consistencyLoss([wideA], [wideB], { ...options, form: 'gram' }).item();
  };
  let amplitude = 0.01;
  for (let i = 0; i < 4; i += 1) amplitude *= Math.sqrt(1e-6 / exact(mate(amplitude))); // L grows with its square
  const b = mate(amplitude);
  const reference = exact(b);
  return { loss: reference, error: Math.abs(consistencyLoss([a], [b], options).item() / reference - 1) };
}

function inOwnProcess(cell) {
  const child = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), '--cell', JSON.stringify(cell)],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  if (child.status !== 0) throw new Error(`${JSON.stringify(cell)} ended by ${child.signal ?? child.status}`);
  return JSON.parse(child.stdout);
}

if (given.cell) {
  const { threads, ...cell } = JSON.parse(given.cell);
  setThreads(threads);
  try {
    console.log(JSON.stringify({ ...timeAndMemory(cell), ...tidy(() => errorNearZero(cell)) }));
  } catch (error) {
    const [reason] = /[\d.]+ GiB for each pair/.exec(error.message) ?? [];
    if (reason === undefined) throw error;
    console.log(JSON.stringify({ reason }));
  }
} else {
  const [width, pairs, steps, threads] = [given.width, given.pairs, given.steps, given.threads].map(Number);
  console.log(
    `LibTorch ${torchVersion()}, VGG16 ×${width}, ${pairs} pairs, ${threads} thread${threads === 1 ? '' : 's'}, relation ${given.relation}; median of ${steps} steps (forward and backward)\n`,
  );
  console.log(
    '| map | channels | grid | patches CPU ms | gram CPU ms | patches MiB | gram MiB | patches error | gram error | auto |\n|---|--:|---|--:|--:|--:|--:|--:|--:|---|',
  );
  for (const side of given.sides.split(',').map(Number)) {
    const channels = channelsOf[side] * width;
    for (const grid of given.grids
      .split(',')
      .map(Number)
      .filter((count) => count <= side)) {
      const [direct, gram] = ['patches', 'gram'].map((form) => {
        const options = { patches: [grid, grid], relation: given.relation, form };
        return inOwnProcess({ side, channels, pairs, steps, threads, options });
      });
      const cells = ['seconds', 'memory', 'error'].flatMap((what) =>
        [direct, gram].map(({ reason, [what]: value }) => {
          if (reason !== undefined) return what === 'seconds' ? `none: ${reason}` : '–';
          if (what === 'seconds') return (1000 * value).toPrecision(3);
          return what === 'memory' ? mebibytes(value).toFixed(0) : value.toExponential(0);
        }),
      );
      const auto = formFor(channels, grid ** 2, { relation: given.relation });
      console.log(`| ${side}² | ${channels} | ${grid}×${grid} | ${cells.join(' | ')} | ${auto} |`);
    }
  }
}
