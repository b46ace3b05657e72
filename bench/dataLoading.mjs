// npm run bench:data: what it costs to bring images to a training step.
//  (a) decoding PNG and JPEG of 256² into the cache, images a second;
//  (b) the loader's share of a training step (×¼, 64², 64 pairs), from the cache and streamed, alternated;
//  (c) streaming shards of 10 and 20 times the shuffle buffer: pairs a second and the process's peak memory.
// Options: --only decoding,loading,streaming --images 400 --rounds 7 --threads 2 --buffer 100 --json
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { resolveConfig } from '../dist/config/index.js';
import { openImageCache } from '../dist/data/loading/imageCache.js';
import { batchAt, heldAt, ImageLoader, stepsPerEpoch } from '../dist/data/loading/loader.js';
import { StreamLoader } from '../dist/data/loading/streamLoader.js';
import { openDataset } from '../dist/data/openDataset.js';
import { writeShards } from '../dist/data/shards/shardsWrite.js';
import { Sgd, setThreads, tidy } from '../dist/index.js';
import { buildMethod } from '../dist/training/build.js';
import { streamOf } from '../dist/training/imageCache.js';
import { resolvePrecision } from '../dist/training/precision.js';
import { trainingStep } from '../dist/training/step.js';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  only: { type: 'string', default: 'decoding,loading,streaming' },
  images: { type: 'string', default: '400' },
  rounds: { type: 'string', default: '7' },
  threads: { type: 'string', default: String(availableParallelism()) },
  buffer: { type: 'string', default: '100' },
  json: { type: 'boolean', default: false },
  // How part (c) starts its own processes.
  stream: { type: 'string' },
  times: { type: 'string' },
});
const [images, rounds, threads, buffer] = ['images', 'rounds', 'threads', 'buffer'].map((name) =>
  Number(options[name]),
);
const BATCH = 64;
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const seconds = async (work) => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};
const positions = ({ samples }) => samples.map((_, position) => position);
const planOf = (dataset, data) => ({
  indices: positions(dataset),
  batchSize: BATCH,
  dropLast: true,
  seed: 0,
  stream: data && streamOf(dataset, positions(dataset), { data }),
});

if (options.stream) {
  await streamAlone(options.stream, Number(options.times));
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'bench-data-'));
try {
  setThreads(threads);
  const parts = { decoding, loading, streaming };
  const result = {};
  for (const part of options.only.split(',')) result[part] = await parts[part]();
  if (options.json) console.log(JSON.stringify({ threads, ...result }, null, 2));
  else print(result);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Images of 256² as files of both kinds; each round fills a cache anew. */
async function decoding() {
  const phantom = await openDataset({ path: `phantom:breast,pairs=${images / 2},seed=0` });
  const kinds = { PNG: 'png', JPEG: 'jpg' };
  for (const ending of Object.values(kinds)) {
    mkdirSync(join(folder, ending));
    const lines = ['id,a,b'];
    for (const { id, images } of phantom.samples) {
      for (const modality of ['a', 'b']) {
        const { data, width, height, channels } = images[modality].render(256);
        const raw = sharp(data, { raw: { width, height, channels } });
        await raw.toFile(join(folder, ending, `${id}.${modality}.${ending}`));
      }
      lines.push(`${id},${id}.a.${ending},${id}.b.${ending}`);
    }
    writeFileSync(join(folder, ending, 'manifest.csv'), `${lines.join('\n')}\n`);
  }
  const rates = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [kind, ending] of Object.entries(kinds)) {
      const dataset = await openDataset({ path: join(folder, ending) });
      const root = join(folder, 'cache', `${ending}${round}`);
      const time = await seconds(() => openImageCache(dataset, { size: 256, root }));
      rates[kind].push(images / time);
      rmSync(root, { recursive: true });
    }
  }
  return Object.fromEntries(Object.entries(rates).map(([kind, all]) => [kind, median(all)]));
}

/** Seconds of a step, and of what the loop waits for before it; cached and streamed steps take turns. */
async function loading() {
  const set = ['model.width=0.25', 'data.size=64', `training.batchSize=${BATCH}`];
  const config = resolveConfig({ set });
  const phantom = await openDataset({ path: 'phantom:breast,pairs=512,seed=0' });
  const shards = join(folder, 'loading');
  await writeShards(phantom, shards, { size: 128, shardSize: 64 });
  const dataset = await openDataset({ path: shards });
  const cache = await openImageCache(dataset, { size: 128, root: join(folder, 'cache') });
  const precision = resolvePrecision('auto', 'cpu');
  const method = buildMethod(config, dataset, 'cpu');
  const optimizer = new Sgd(method.parameters(), { momentum: 0.9, weightDecay: 1e-4 });
  const loaders = {
    cached: { loader: new ImageLoader(cache), plan: planOf(dataset) },
    streamed: { loader: new StreamLoader(dataset, 128), plan: planOf(dataset, { shuffleBuffer: 128 }) },
  };
  const times = { cached: [], streamed: [] };
  for (let step = 0; step < 2 * rounds + 2; step += 1) {
    for (const [name, { loader, plan }] of Object.entries(loaders)) {
      const { epoch, rows, indices } = batchAt(plan, step);
      const ids = indices.map((index) => cache.ids[index]);
      const began = performance.now();
      await loader.prepare(indices, heldAt(plan, step));
      const prepared = performance.now();
      let loaded = 0;
      tidy(() => {
        const images = loader.load(indices);
        loaded = performance.now();
        const batch = { ...images, ids, rows, epoch };
        trainingStep({ method, optimizer, batch, learningRate: 0.001, precision, device: 'cpu' });
      });
      const ended = performance.now();
      // The first steps find neither the network's memory nor the buffer.
      if (step >= 2) {
        times[name].push({ wait: prepared - began, images: loaded - prepared, step: ended - loaded });
      }
      await new Promise((next) => setImmediate(next));
    }
  }
  for (const { loader } of Object.values(loaders)) loader.dispose();
  const of = (name, part) => median(times[name].map((time) => time[part]));
  return Object.fromEntries(
    Object.keys(loaders).map((name) => [
      name,
      {
        stepMs: of(name, 'step'),
        loaderMs: median(times[name].map(({ wait, images }) => wait + images)),
        share: median(times[name].map(({ wait, images, step }) => (wait + images) / step)),
      },
    ]),
  );
}

/** A shard of as many pairs of 256² as the buffer holds, and copies of it. */
async function streaming() {
  const phantom = await openDataset({ path: `phantom:breast,pairs=${buffer},seed=0` });
  const shards = join(folder, 'streaming');
  const [{ file }] = (await writeShards(phantom, shards, { size: 256, shardSize: buffer })).shards;
  for (let copy = 1; copy < 20; copy += 1) cpSync(join(shards, file), join(shards, `${copy}.tar`));
  const run = (times) => {
    const self = fileURLToPath(import.meta.url);
    const settings = ['--buffer', buffer, '--stream', shards, '--times', times].map(String);
    const { stdout, stderr } = spawnSync(process.execPath, [self, ...settings]);
    if (stdout.length === 0) throw new Error(String(stderr));
    return JSON.parse(stdout);
  };
  return { '10×': run(10), '20×': run(20) };
}

/** One epoch through the buffer and nothing else, in a process of its own: its peak memory is the stream's. */
async function streamAlone(folder, times) {
  const shard = await openDataset({ path: folder });
  const copyOf = (source, copy) => ({ ...source, path: join(folder, `${copy}.tar`) });
  const samples = Array.from({ length: times }, (_, copy) =>
    shard.samples.map(({ images: { a, b }, ...sample }) => ({
      ...sample,
      images: copy === 0 ? { a, b } : { a: copyOf(a, copy), b: copyOf(b, copy) },
    })),
  ).flat();
  const dataset = { ...shard, samples };
  const plan = planOf(dataset, { shuffleBuffer: buffer });
  const loader = new StreamLoader(dataset, 256);
  const before = process.memoryUsage.rss();
  const steps = stepsPerEpoch(plan);
  const time = await seconds(async () => {
    for (let step = 0; step < steps; step += 1) {
      const { indices } = batchAt(plan, step);
      await loader.prepare(indices, heldAt(plan, step));
      tidy(() => void loader.load(indices));
    }
  });
  // Not resourceUsage(): its largest size is that of the process that started this one.
  const peak = Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  loader.dispose();
  const decoded = samples.length * 4 * 256 ** 2;
  const mib = (bytes) => Math.round(bytes / 2 ** 20);
  console.log(
    JSON.stringify({
      pairs: samples.length,
      pairsPerSecond: (steps * BATCH) / time,
      decodedMiB: mib(decoded),
      beforeMiB: mib(before),
      peakMiB: mib(peak),
    }),
  );
}

function print({ decoding = {}, loading = {}, streaming = {} }) {
  for (const [kind, rate] of Object.entries(decoding)) {
    console.log(`decoding ${kind} of 256² into the cache: ${rate.toFixed(0)} images/s`);
  }
  for (const [name, { stepMs, loaderMs, share }] of Object.entries(loading)) {
    const percent = (100 * share).toFixed(2);
    console.log(`${name}: ${loaderMs.toFixed(1)} ms beside a step of ${stepMs.toFixed(0)} ms, ${percent} %`);
  }
  for (const [times, { pairs, pairsPerSecond, decodedMiB, beforeMiB, peakMiB }] of Object.entries(
    streaming,
  )) {
    console.log(
      `streaming ${pairs} pairs of 256², ${times} the buffer: ${pairsPerSecond.toFixed(0)} pairs/s, ` +
        `peak ${peakMiB} MiB (${beforeMiB} before, ${decodedMiB} were all decoded)`,
    );
  }
}
