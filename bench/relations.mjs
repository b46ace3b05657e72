// npm run bench:relations: one training step of the paper's method with each way to compare the patches of pairs that are
// not aligned, beside `correlation`, alternating in one process, as two processes of the same program differ by more.
// Processor time on one thread, which other processes disturb less than time on the clock; on a GPU time on the clock.
// Prints a Markdown table.
// Options: --width 0.25 --size 64 --pairs 64 --rounds 25 --threads 1 --device cpu|cuda
import { setThreads } from '../dist/index.js';
import { interval, median } from './alternate.mjs';
import { parseOptions } from './options.mjs';
import { makeStep } from './ownStep.mjs';

const given = parseOptions(import.meta.url, {
  width: { type: 'string', default: '0.25' },
  size: { type: 'string', default: '64' },
  pairs: { type: 'string', default: '64' },
  rounds: { type: 'string', default: '25' },
  threads: { type: 'string', default: '1' },
  device: { type: 'string', default: 'cpu' },
});
const { device } = given;
const [width, size, pairs, rounds, threads] = ['width', 'size', 'pairs', 'rounds', 'threads'].map((name) =>
  Number(given[name]),
);
setThreads(threads);
const settings = {
  correlation: [],
  transport: ['method.relation=transport'],
  'shift of 1 patch': ['method.consistencyShift=1'],
  'alignment-free': ['method.relation=alignment-free'],
};
const kinds = Object.entries(settings).map(([name, set]) => {
  const { step } = makeStep({ width, size, pairs, bf16: true, device, set });
  return { name, step, seconds: [] };
});

/** The seconds of a step. */
function timed(step) {
  const before = process.cpuUsage();
  const onTheClock = step();
  const { user, system } = process.cpuUsage(before);
  return device === 'cpu' ? (user + system) / 1e6 : onTheClock;
}

for (const { step } of kinds) for (let i = 0; i < 2; i += 1) step(); // warm-up
for (let round = 0; round < rounds; round += 1) {
  const order = round % 2 ? kinds.toReversed() : kinds;
  for (const { step, seconds } of order) seconds.push(timed(step));
}

console.log(
  `VGG16-BN ×${width}, ${size}², ${pairs} pairs, ${device}, threads: ${threads}, ${rounds} rounds\n`,
);
console.log('| L_C by | step, ms | × correlation (95 % CI) |\n|---|--:|--:|');
const [correlation] = kinds;
for (const { name, seconds } of kinds) {
  const ratios = seconds.map((value, round) => value / correlation.seconds[round]);
  const [low, high] = interval(ratios).map((value) => value.toFixed(3));
  const ratio = name === 'correlation' ? '1' : `${median(ratios).toFixed(3)} (${low}–${high})`;
  console.log(`| ${name} | ${(1000 * median(seconds)).toFixed(0)} | ${ratio} |`);
}
