// npm run bench:inference: features of images by `anatomy embed`, from bytes to numbers, beside plain PyTorch (fp32, NCHW)
// and PyTorch's best (channels-last, bf16, batch norm folded into the convolutions), alternating in one run. Images that
// are stored larger are made smaller on both sides, bilinear and antialiased.
// Options: --rounds 7 --steps 3 --threads 2 --device cpu|cuda --python /usr/bin/python3 --only 0,1,2 --json
import { fileURLToPath } from 'node:url';
import { interval, median, sameMalloc, start, turns } from './alternate.mjs';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, turns);
const { device } = options;
const [rounds, steps, threads] = [options.rounds, options.steps, options.threads].map(Number);
const shapes = [
  { width: 0.25, size: 64, images: 1024, stored: 64 },
  { width: 0.25, size: 224, images: 128, stored: 224 },
  { width: 1, size: 112, images: 64, stored: 112 },
  // As the cache has them, twice as large.
  { width: 0.25, size: 64, images: 1024, stored: 128 },
  { width: 0.25, size: 224, images: 128, stored: 448 },
].filter((_, i) => !options.only || options.only.split(',').includes(String(i)));

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const python = (environment) => [options.python, [here('reference.py')], environment];
const ours = [process.execPath, [here('ours.mjs')], {}];
const contenders = {
  'PyTorch plain': { command: python({}), settings: { channels_last: false, bf16: false, folded: false } },
  'PyTorch bf16': {
    command: python(sameMalloc),
    settings: { channels_last: true, bf16: true, folded: false },
  },
  'PyTorch best': {
    command: python(sameMalloc),
    settings: { channels_last: true, bf16: true, folded: true },
  },
  ours: { command: ours, settings: { bf16: true } },
};

const rows = [];
for (const shape of shapes) {
  const running = new Map();
  const seconds = new Map();
  for (const [name, { command, settings }] of Object.entries(contenders)) {
    running.set(name, start(command));
    seconds.set(name, []);
    await running.get(name).ask({ threads, make: { ...shape, ...settings, device }, steps: 2 }); // warm-up
  }
  for (let round = 0; round < rounds; round += 1) {
    const order = [...running.keys()];
    if (round % 2) order.reverse();
    for (const name of order)
      seconds.get(name).push(median((await running.get(name).ask({ steps })).seconds));
  }
  for (const one of running.values()) one.stop();
  const best = seconds.get('PyTorch best');
  for (const [name, own] of seconds) {
    const ratios = own.map((value, round) => best[round] / value);
    const [low, high] = interval(ratios);
    rows.push({
      ...shape,
      name,
      imagesPerSecond: shape.images / median(own),
      ratio: median(ratios),
      low,
      high,
    });
  }
}

if (options.json) console.log(JSON.stringify({ threads, device, rounds, steps, rows }, null, 2));
else {
  console.log(
    `${threads} threads, ${device}; ratio to PyTorch's best [95 % interval of the median over ${rounds} rounds]`,
  );
  for (const { width, size, stored, images, name, imagesPerSecond, ratio, low, high } of rows) {
    const shape = `×${width}, ${images} images, ${stored === size ? '' : `${stored}² → `}${size}²`.padEnd(36);
    console.log(
      `${shape}${name.padEnd(16)}${imagesPerSecond.toFixed(0).padStart(6)} images/s  ${ratio.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`,
    );
  }
}
