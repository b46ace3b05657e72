// npm run bench:million: pretraining streamed from a million tiny pairs in tar shards, which are drawn here and deleted at the
// end. It reports the time to the first step, the memory at its peak, and the time to go on after a kill in the middle.
// Options: --pairs 1000000 --shard-size 10000 --steps 40 --folder DIR (default: the system's for temporary files) --json
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  pairs: { type: 'string', default: '1000000' },
  'shard-size': { type: 'string', default: '10000' },
  steps: { type: 'string', default: '40' },
  folder: { type: 'string', default: tmpdir() },
  json: { type: 'boolean', default: false },
});
const [pairs, shardSize, steps] = [options.pairs, options['shard-size'], options.steps].map(Number);
const middle = Math.floor(steps / 2);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(options.folder, 'anatomy-million-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

/** Some images, of which every sample takes two: what matters here is how many samples there are. */
const images = await Promise.all(
  Array.from({ length: 256 }, (_, i) => {
    const pixels = Uint8Array.from({ length: 1024 }, (_, p) => (p * (i + 1) * 37 + (p >> 5) * i * 11) & 255);
    return sharp(pixels, { raw: { width: 32, height: 32, channels: 1 } })
      .png()
      .toBuffer();
  }),
);

/** A file in a tar archive, after the header of POSIX. */
function member(name, content) {
  const bytes = Buffer.alloc(512 + Math.ceil(content.length / 512) * 512);
  const field = (text, at) => bytes.write(text, at, 'latin1');
  field(name, 0);
  field('0000644\0', 100);
  field(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  field('00000000000\0', 136);
  field('        ', 148);
  field('0', 156);
  field('ustar\x0000', 257);
  let sum = 0;
  for (let i = 0; i < 512; i += 1) sum += bytes[i];
  field(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  content.copy(bytes, 512);
  return bytes;
}

/** Writes the shards after WebDataset's convention, three samples for each patient. */
function writeShards(place) {
  mkdirSync(place);
  for (let start = 0, shard = 0; start < pairs; start += shardSize, shard += 1) {
    const file = openSync(join(place, `part-${String(shard).padStart(6, '0')}.tar`), 'wx');
    for (let first = start; first < Math.min(pairs, start + shardSize); first += 500) {
      const members = [];
      for (let i = first; i < Math.min(pairs, start + shardSize, first + 500); i += 1) {
        const key = String(i).padStart(8, '0');
        members.push(member(`${key}.a.png`, images[i % 256]));
        members.push(member(`${key}.b.png`, images[(i * 7 + (i >> 8)) % 256]));
        members.push(member(`${key}.json`, Buffer.from(`{"subject":"p${Math.floor(i / 3)}"}`)));
      }
      writeSync(file, Buffer.concat(members));
    }
    writeSync(file, Buffer.alloc(1024));
    closeSync(file);
  }
}

/** The memory of a process now, in MB. */
function residentMegabytes(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

const out = join(folder, 'run');
const metrics = join(out, 'metrics.jsonl');

/** The steps that the run has written down. */
function stepsDone() {
  if (!existsSync(metrics)) return 0;
  const steps = readFileSync(metrics, 'utf8').matchAll(/"step":(\d+)/g);
  return Math.max(0, ...Array.from(steps, ([, step]) => Number(step)));
}

/** Runs pretraining until it ends, or is killed after so many steps. */
async function pretrain(place, killAfter = Number.POSITIVE_INFINITY) {
  const words = ['pretrain', '--data', place, '--out', out, '--steps', String(steps), '--quiet', '--set'];
  words.push('data.size=64', 'data.shuffleBuffer=2000', 'model.width=0.0625', 'training.batchSize=128');
  words.push(`training.checkpointEvery=${middle}`, 'monitor.every=1000', 'monitor.pairs=64');
  const begun = performance.now();
  const before = stepsDone();
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  let ended;
  child.on('exit', (code) => {
    ended = code ?? 'killed';
  });
  let firstStep;
  let peak = 0;
  while (ended === undefined) {
    peak = Math.max(peak, residentMegabytes(child.pid));
    const now = stepsDone();
    // A run that goes on writes the steps after its last checkpoint anew.
    if (now > before) firstStep ??= (performance.now() - begun) / 1000;
    if (now >= killAfter) child.kill('SIGKILL');
    await wait(100);
  }
  if (ended !== 0 && ended !== 'killed') process.exit(1);
  return { firstStep, peak, seconds: (performance.now() - begun) / 1000 };
}

const shards = join(folder, 'shards');
const written = performance.now();
writeShards(shards);
const writing = (performance.now() - written) / 1000;
const begun = await pretrain(shards, middle + 1);
const resumed = await pretrain(shards);
const report = { pairs, steps, machine: cpus()[0].model, writing, begun, resumed };
if (options.json) console.log(JSON.stringify(report, null, 2));
else {
  console.log(`${pairs} pairs in shards of ${shardSize}, drawn in ${writing.toFixed(0)} s`);
  const tell = (name, { firstStep, peak }) =>
    console.log(
      `${name}: first step after ${firstStep.toFixed(1)} s, ${(peak / 1024).toFixed(2)} GB at the peak`,
    );
  tell('from the start', begun);
  tell(`after a kill in the middle`, resumed);
}
