// The audit of many synthetic pairs: time and peak memory. `node bench/audit.mjs [--pairs 100000]`, after `npm run build`.
// Pictures are drawn on the spot, 64 × 64, another one for each pair; a hundredth of the pairs are planted duplicates.
import { auditDataset } from '../dist/data/audit/audit.js';
import { MessageConsole } from '../dist/log/console.js';
import { Progress } from '../dist/log/progress.js';
import { Random } from '../dist/tensor/random.js';
import { parseOptions } from './options.mjs';

const pairs = Number(parseOptions(import.meta.url, { pairs: { type: 'string', default: '100000' } }).pairs);
const SIDE = 64;
const CELLS = 9;

/** Bilinear between CELLS² random levels; `b` is a darker map of the same levels with noise of its own. */
function draw(key, modality) {
  const random = new Random('bench', key);
  const levels = Float64Array.from({ length: CELLS * CELLS }, () => random.uniform(20, 235));
  const noise = new Random('bench', key, modality);
  const data = new Uint8Array(SIDE * SIDE);
  const step = (CELLS - 1) / SIDE;
  for (let y = 0; y < SIDE; y += 1) {
    const row = Math.floor(y * step);
    const down = y * step - row;
    for (let x = 0; x < SIDE; x += 1) {
      const at = row * CELLS + Math.floor(x * step);
      const across = x * step - Math.floor(x * step);
      const top = levels[at] * (1 - across) + levels[at + 1] * across;
      const bottom = levels[at + CELLS] * (1 - across) + levels[at + CELLS + 1] * across;
      const level = top * (1 - down) + bottom * down;
      data[y * SIDE + x] = (modality === 'a' ? level : 200 - 0.6 * level) + (noise.uint32() & 15);
    }
  }
  return { width: SIDE, height: SIDE, channels: 1, data };
}

const samples = Array.from({ length: pairs }, (_, i) => {
  const key = i % 100 === 99 ? i - 50 : i;
  const source = (modality) => ({ kind: 'generated', key: `${key}`, render: () => draw(key, modality) });
  return {
    id: `pair-${i}`,
    subject: `subject-${i}`,
    label: i % 2 === 0 ? 'even' : 'odd',
    images: { a: source('a'), b: source('b') },
  };
});
const before = process.memoryUsage.rss();
const progress = new Progress(pairs, new MessageConsole(), { title: 'checking', everySeconds: 60 });
const began = performance.now();
const report = await auditDataset(
  { name: 'bench', modalities: ['a', 'b'], samples },
  { onProgress: (done) => progress.update(done) },
);
progress.stop();
const seconds = (performance.now() - began) / 1000;
const peak = process.resourceUsage().maxRSS * 1024;
const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
console.log(
  `${pairs} pairs: ${seconds.toFixed(0)} s, ${((1000 * seconds) / pairs).toFixed(2)} ms a pair; ` +
    `peak ${mebibytes(peak)}, of which ${mebibytes(before)} before the audit`,
);
for (const { severity, code, count } of report.findings) console.log(`${severity} ${code} ${count}`);
