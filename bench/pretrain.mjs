// npm run bench:pretrain -- --data MANIFEST.csv: whole pretrainings, from files to the last weights, ours beside the same work
// as one would write it in PyTorch (pretrain.py: channels-last, bf16, the same malloc setting, images kept in memory,
// augmentation by torchvision in workers). Both decode, augment, train, look at embeddings and write checkpoints. They take
// turns; the manifest has the columns a and b.
// Options: --rounds 1 --steps 600 --threads 2 --workers 2 --width 0.25 --size 64 --batch 128 --python /usr/bin/python3
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interval, median, sameMalloc, turns } from './alternate.mjs';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  rounds: { type: 'string', default: '1' },
  steps: { type: 'string', default: '600' },
  threads: turns.threads,
  python: turns.python,
  data: { type: 'string' },
  workers: { type: 'string', default: '2' },
  width: { type: 'string', default: '0.25' },
  size: { type: 'string', default: '64' },
  batch: { type: 'string', default: '128' },
});
if (options.data === undefined || !existsSync(options.data)) {
  const found = options.data === undefined ? 'is missing' : `is ${options.data}, and no such file is there`;
  console.error(`error: --data ${found}; expected a manifest with the columns a and b`);
  process.exit(2);
}
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

const folders = new Set();
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
process.on('SIGINT', () => process.exit(130));

/** Runs it in a folder of its own, which is empty before and gone afterwards. @returns seconds */
function timed([program, ...args], environment) {
  const out = mkdtempSync(join(tmpdir(), 'anatomy-bench-'));
  folders.add(out);
  const began = performance.now();
  const env = { ...process.env, XDG_CACHE_HOME: join(out, 'cache'), ...environment };
  const { status, stderr } = spawnSync(program, [...args, '--out', join(out, 'run')], {
    env,
    encoding: 'utf8',
  });
  const seconds = (performance.now() - began) / 1000;
  rmSync(out, { recursive: true, force: true });
  if (status === 0) return seconds;
  console.error(stderr);
  process.exit(1);
}

const { data, steps, threads, workers, width, size, batch } = options;
const settings = {
  'model.width': width,
  'data.size': size,
  'training.batchSize': batch,
  'training.threads': threads,
};
const contenders = {
  PyTorch: () =>
    timed(
      [
        ...[
          options.python,
          here('pretrain.py'),
          '--data',
          data,
          '--steps',
          steps,
          '--size',
          size,
          '--width',
          width,
        ],
        ...['--batch', batch, '--threads', threads, '--workers', workers],
      ],
      sameMalloc,
    ),
  ours: () =>
    timed([
      ...[process.execPath, here('../dist/cli/main.js'), 'pretrain', '--data', data, '--steps', steps],
      ...['--recipe', 'paper-us-swe'],
      ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ]),
};
const seconds = { PyTorch: [], ours: [] };
for (let round = 0; round < Number(options.rounds); round += 1) {
  const order = Object.keys(contenders);
  if (round % 2) order.reverse();
  for (const name of order) {
    seconds[name].push(contenders[name]());
    console.error(`${name} ${seconds[name].at(-1).toFixed(1)} s`);
  }
}
const ratios = seconds.PyTorch.map((value, round) => value / seconds.ours[round]);
const [low, high] = interval(ratios);
console.log(
  `PyTorch ${median(seconds.PyTorch).toFixed(1)} s, ours ${median(seconds.ours).toFixed(1)} s; × PyTorch ${median(ratios).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`,
);
