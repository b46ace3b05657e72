#!/usr/bin/env node
/**
 * npm run soak: what only shows in the long run, on the built program (dist/).
 *
 *   memory   training steps in one process: live tensors stay constant, resident memory grows by less than 1 MB in 1,000
 *            steps (linear regression after the warm-up), in fp32 and bf16. The warm-up is long because the heap and V8's code
 *            settle slowly: a run of 6,000 steps grew by 26, 2.9, 0.9, 0.2, 0.6 and 0.3 MB in its successive thousands, which
 *            no leak by the step does. Measured from step 500 on, the same run shows 3.7 MB per 1,000 steps.
 *   kills    kill −9 at random moments (seeded); whatever was hit, the resumed run ends with the same encoder, the same
 *            checkpoint and the same losses, to the bit, as one that was left alone.
 *
 *   ranks    two processes train together, and kill −9 hits one of them at a random moment; the other one ends within 30 s, and
 *            the same command in the end leaves the bits of two that were left alone.
 *
 *   faults   a full or broken disk (ENOSPC, EIO) at random system calls that write; each is told with its file or does no harm, and
 *            the same command then ends with the same bits. Needs a C compiler and a dynamic loader with LD_PRELOAD.
 *
 *   grid     kill −9 of a whole experiment at random moments; each time at most the cells at work are lost, and in the end its table
 *            is that of one that was left alone, to the byte.
 *
 * --steps N (2000, after the warm-up)  --warmup N (2000, at most as many as steps)  --kills N (20)  --rank-kills N (20)  --faults N (20)
 * --grid-kills N (10)  --seed N (0)  --precisions fp32,bf16  --seconds N: stop a part after so long, and judge what there is.
 * Prints a table on stdout; ends with 1 when something is wrong.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseOptions } from './options.mjs';
import { writeFaults } from './writeFaults.mjs';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const flags = parseOptions(import.meta.url, {
  steps: { type: 'string', default: '2000' },
  warmup: { type: 'string' },
  kills: { type: 'string', default: '20' },
  'rank-kills': { type: 'string', default: '20' },
  faults: { type: 'string', default: '20' },
  'grid-kills': { type: 'string', default: '10' },
  seed: { type: 'string', default: '0' },
  seconds: { type: 'string', default: 'Infinity' },
  precisions: { type: 'string', default: 'fp32,bf16' },
  // Set by this program for a process of its own.
  memory: { type: 'string' },
  folder: { type: 'string' },
});
const number = (name) => {
  const value = Number(flags[name]);
  if (Number.isNaN(value) || value < 0) {
    console.error(`error: --${name} is ${flags[name]}, expected a number from 0`);
    process.exit(2);
  }
  return value;
};
const [steps, kills, rankKills, faults, gridKills, seed, seconds] = [
  'steps',
  'kills',
  'rank-kills',
  'faults',
  'grid-kills',
  'seed',
  'seconds',
].map(number);
const warmup = flags.warmup === undefined ? Math.min(2000, steps) : number('warmup');

/** How long the other process may take to end when one of two is killed. */
const PATIENCE_MS = 30_000;

/** V8 enlarges its young generation now and then, by megabytes at once; at its full size from the start, leaks show. */
const STEADY_HEAP = ['--min-semi-space-size=16', '--max-semi-space-size=16'];

/** Growth of resident memory that is none: of a full run by its slope, of a short one by its sum, as noise hides a slope. */
const LIMIT_MB_PER_1000 = 1;
const LIMIT_MB_SHORT = 16;

const settings = (folder, more) => [
  'data.path=phantom:breast,pairs=32',
  'data.size=32',
  'model.width=0.25',
  'method.maps=[1,2,3]',
  'method.patches=[2,2]',
  'training.batchSize=8',
  'training.threads=1',
  `data.cacheFolder=${folder}/cache`,
  ...more,
];

/** A whole experiment: a tuned row, a plain one, and draws of the labels. */
const GRID = `
name: grid
data: { path: 'phantom:breast,pairs=24,seed=0' }
common:
  data: { size: 32 }
  model: { width: 0.25 }
  method: { maps: [1, 2, 3], patches: [2, 2] }
  training: { steps: 6, batchSize: 8, checkpointEvery: 2, precision: fp32 }
  monitor: { pairs: 8, neighbours: 3, every: 3 }
protocols: [logreg, { protocol: logreg, labelFraction: 0.5, draws: 2 }]
evaluation: { replicates: 50, folds: 2 }
rows:
  - { name: tuned, variants: [{ name: 1 }, { name: 2, config: { training: { learningRate: 0.1 } } }] }
  - { name: plain, config: { method: { consistencyWeight: 0 } } }
compare: { reference: tuned, against: [plain] }
`;

if (flags.memory !== undefined) await trainAndWatch(flags.memory, flags.folder);
else await soak();

async function soak() {
  const folder = mkdtempSync(join(tmpdir(), 'anatomy-soak-'));
  const rows = [['part', 'what', 'result', 'verdict']];
  try {
    if (steps > 0)
      for (const precision of flags.precisions.split(',')) rows.push(...(await memory(precision, folder)));
    if (kills > 0) rows.push(...(await killing(folder)));
    if (rankKills > 0) rows.push(...(await killingRanks(folder)));
    if (faults > 0) rows.push(...(await faulting(folder)));
    if (gridKills > 0) rows.push(...(await killingGrids(folder)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(
      row
        .map((text, i) => text.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
  process.exitCode = rows.slice(1).every((row) => row[3] === 'ok') ? 0 : 1;
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

async function memory(precision, folder) {
  console.error(`memory: ${warmup} + ${steps} steps in ${precision}`);
  const asked = [
    '--memory',
    precision,
    '--folder',
    folder,
    '--steps',
    `${steps}`,
    '--warmup',
    `${warmup}`,
    '--seconds',
    `${seconds}`,
  ];
  const { code, stdout } = await run(fileURLToPath(import.meta.url), asked, { nodeFlags: STEADY_HEAP });
  if (code !== 0) return [['memory', precision, `ended with ${code}`, 'FAILED']];
  const { outcome, done, tensors, points } = JSON.parse(stdout);
  // Only --seconds may end it early.
  if (outcome.kind === 'failed' || (outcome.kind === 'interrupted' && seconds === Number.POSITIVE_INFINITY)) {
    const why = outcome.reason ?? outcome.signal;
    return [['memory', precision, `${outcome.kind} at step ${outcome.step}: ${why}`, 'FAILED']];
  }
  const settled = points.filter(({ step }) => step >= Math.min(warmup, done / 2));
  const slope = slopeOf(settled.map(({ step, bytes }) => [step / 1000, bytes / 2 ** 20]));
  const grown = (settled.at(-1).bytes - settled[0].bytes) / 2 ** 20;
  const flat = done - settled[0].step >= 1000 ? slope < LIMIT_MB_PER_1000 : grown < LIMIT_MB_SHORT;
  const [least, most] = [Math.min(...tensors), Math.max(...tensors)];
  const now = `${(settled.at(-1).bytes / 2 ** 20).toFixed(0)} MB`;
  return [
    [
      'memory',
      `${precision}, live tensors`,
      `${least} to ${most} over ${done} steps`,
      verdict(least === most),
    ],
    [
      'memory',
      `${precision}, resident`,
      `${slope.toFixed(3)} MB per 1,000 steps from ${settled[0].step} to ${settled.at(-1).step} (grown ${grown.toFixed(2)} MB, now ${now})`,
      verdict(flat),
    ],
  ];
}

/** Runs in a process of its own: the real loop, with checkpoints and monitors; prints what it saw as JSON. */
async function trainAndWatch(precision, folder) {
  const names = [
    'config/index',
    'log/console',
    'tensor/index',
    'training/loop',
    'training/prepare',
    'training/runFolder',
    'training/trainingData',
  ];
  const [
    { resolveConfig },
    { MessageConsole },
    { liveTensors },
    { train },
    { prepare },
    { runPaths },
    { TrainingData },
  ] = await Promise.all(names.map((name) => import(`../dist/${name}.js`)));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const deadline = Date.now() + seconds * 1000;
  const every = Math.max(1, Math.floor(Math.min(10, steps / 20)));
  const asked = [
    `training.precision=${precision}`,
    `training.steps=${warmup + steps}`,
    'training.checkpointEvery=100',
    'training.keepCheckpoints=2',
    `monitor.every=${every}`,
    'monitor.pairs=8',
    'monitor.neighbours=3',
  ];
  const config = resolveConfig({ set: settings(folder, asked) });
  const quiet = new MessageConsole({ quiet: true });
  const prepared = await prepare(config, new TrainingData(config, quiet), quiet);
  const tensors = [];
  const points = [];
  const monitor = async () => {
    const found = await prepared.monitor();
    // The garbage collector's finalizers would hide tensors that nobody released, so it runs at few looks, after the count.
    tensors.push(liveTensors());
    if (tensors.length % 4 === 0) {
      collect();
      // The loop looks after the first step, then after every `every` steps, and after the last.
      const step = every === 1 ? tensors.length : Math.min(warmup + steps, (tensors.length - 1) * every);
      points.push({ step, bytes: process.memoryUsage.rss() });
    }
    if (Date.now() > deadline) process.kill(process.pid, 'SIGTERM'); // the loop then stops at its next safe point
    return found;
  };
  const root = join(folder, precision);
  mkdirSync(root, { recursive: true });
  const outcome = await train({ ...prepared, monitor }, { paths: runPaths(root), console: quiet });
  // Velocities are made at the first step; after it nothing may come.
  process.stdout.write(JSON.stringify({ outcome, done: outcome.step, tensors: tensors.slice(1), points }));
}

/** Least-squares slope of y over x. */
function slopeOf(points) {
  const mean = (i) => points.reduce((sum, point) => sum + point[i], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  let [covariance, variance] = [0, 0];
  for (const [px, py] of points) {
    covariance += (px - x) * (py - y);
    variance += (px - x) ** 2;
  }
  return covariance / variance;
}

// ---------------------------------------------------------------------------------------------------------------------
// Kills

/** A short pretraining into this folder, with a checkpoint every three steps. */
function pretraining(folder, out, steps) {
  return [
    ...['-q', 'pretrain', '--out', join(folder, out), '--set'],
    ...settings(folder, [
      `training.steps=${steps}`,
      'training.checkpointEvery=3',
      'monitor.every=8',
      'monitor.pairs=8',
    ]),
  ];
}

function faulting(folder) {
  const work = async (out, env) =>
    run(main, pretraining(folder, relative(folder, out), 9), { env, capture: true });
  return writeFaults({
    folder,
    faults,
    seconds,
    random: mulberry32(seed + 2),
    run: work,
    printOf: (out) => fingerprintOf(out, 9),
  });
}

async function killing(folder) {
  const arguments_ = (out) => pretraining(folder, out, 24);
  const began = Date.now();
  const alone = await run(main, arguments_('alone'));
  if (alone.code !== 0) return [['kills', 'left alone', `ended with ${alone.code}`, 'FAILED']];
  const alonePrint = fingerprintOf(join(folder, 'alone'));
  const whole = Date.now() - began;
  const random = mulberry32(seed);
  const started = Date.now();
  const moments = [];
  let [runs, different, failed, done] = [0, 0, 0, 0];
  const finished = (code) => {
    runs += 1;
    if (code !== 0) failed += 1;
    else if (fingerprintOf(join(folder, 'killed')) !== alonePrint) different += 1;
    rmSync(join(folder, 'killed'), { recursive: true, force: true });
  };
  while (done < kills && Date.now() - started < seconds * 1000) {
    const moment = random() * whole;
    const { code, killed } = await run(main, arguments_('killed'), { moment });
    if (!killed) {
      finished(code); // it was done before; the next one starts a new run
      continue;
    }
    done += 1;
    moments.push(moment);
    console.error(`kills: ${done} of ${kills}, after ${(moment / 1000).toFixed(2)} s`);
  }
  finished((await run(main, arguments_('killed'))).code);
  const result = `${runs} finished runs, ${different} different, ${failed} failed, alone ${(whole / 1000).toFixed(1)} s`;
  return [
    ['kills', `${done} × kill −9, then resumed`, result, verdict(different + failed === 0 && runs > 0)],
  ];
}

/** Everything that must be the same to the bit: weights, the last checkpoint's state, every logged number but the speed. */
function fingerprintOf(folder, steps = 24) {
  const hash = createHash('sha256');
  hash.update(readFileSync(join(folder, 'encoder.safetensors')));
  hash.update(
    readFileSync(join(folder, 'checkpoints', `step-${String(steps).padStart(8, '0')}.safetensors`)),
  );
  for (const line of readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n')) {
    const { pairsPerSecond: _, communicationShare: __, ...values } = JSON.parse(line);
    hash.update(JSON.stringify(values));
  }
  return hash.digest('hex');
}

// ---------------------------------------------------------------------------------------------------------------------
// Kills of one of several processes

async function killingRanks(folder) {
  const words = (out) => [...pretraining(folder, out, 24), 'training.threads=1', '--processes', '2'];
  const began = Date.now();
  const alone = await run(main, words('ranks-alone'));
  if (alone.code !== 0) return [['ranks', 'left alone', `ended with ${alone.code}`, 'FAILED']];
  const alonePrint = fingerprintOf(join(folder, 'ranks-alone'));
  const whole = Date.now() - began;
  const random = mulberry32(seed + 2);
  const started = Date.now();
  let [runs, different, failed, late, slowest, done] = [0, 0, 0, 0, 0, 0];
  const finished = (code) => {
    runs += 1;
    if (code !== 0) failed += 1;
    else if (fingerprintOf(join(folder, 'ranks-killed')) !== alonePrint) different += 1;
    rmSync(join(folder, 'ranks-killed'), { recursive: true, force: true });
  };
  while (done < rankKills && Date.now() - started < seconds * 1000) {
    const { code, waited } = await killOneOf(words('ranks-killed'), random() * whole, random);
    if (waited === undefined || code === 0) {
      finished(code); // it was done before; the next one starts a new run
      continue;
    }
    done += 1;
    slowest = Math.max(slowest, waited);
    if (waited > PATIENCE_MS) late += 1;
    console.error(
      `ranks: ${done} of ${rankKills}, the other one ended after ${(waited / 1000).toFixed(2)} s`,
    );
  }
  finished((await run(main, words('ranks-killed'))).code);
  const result = `${runs} finished runs, ${different} different, ${failed} failed, ${late} left behind, slowest ${(slowest / 1000).toFixed(1)} s`;
  const good = different + failed + late === 0 && runs > 0;
  return [['ranks', `${done} × kill −9 of one of two, then resumed`, result, verdict(good)]];
}

/** Starts a command by several processes and kills one of them. @returns how long the others lived on, unless all were done */
function killOneOf(words, moment, random) {
  return new Promise((resolve, reject) => {
    const launcher = spawn(process.execPath, [main, ...words], { stdio: 'ignore' });
    let killed;
    const kill = () => {
      if (launcher.exitCode !== null) return;
      const file = `/proc/${launcher.pid}/task/${launcher.pid}/children`;
      const ranks = readFileSync(file, 'utf8').trim().split(' ').filter(Boolean);
      if (ranks.length < 2) return setTimeout(kill, 20);
      process.kill(Number(ranks[Math.floor(random() * ranks.length)]), 'SIGKILL');
      killed = Date.now();
    };
    const timer = setTimeout(kill, moment);
    launcher.on('error', reject);
    launcher.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, waited: killed === undefined ? undefined : Date.now() - killed });
    });
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Kills of experiments

/** Each kill comes at a random moment of what the whole takes, so that early, middle and late cells are hit. */
async function killingGrids(folder) {
  const file = join(folder, 'grid.yaml');
  writeFileSync(file, GRID);
  const words = (out) => ['-q', 'experiment', 'run', file, '--out', join(folder, out), '--jobs', '2'];
  const env = { XDG_CACHE_HOME: join(folder, 'cache') };
  const began = Date.now();
  const alone = await run(main, words('grid-alone'), { env });
  if (alone.code !== 0) return [['grid', 'left alone', `ended with ${alone.code}`, 'FAILED']];
  const whole = Date.now() - began;
  const random = mulberry32(seed + 1);
  const started = Date.now();
  const out = join(folder, 'grid-killed');
  let [runs, different, failed, lost, killed] = [0, 0, 0, 0, 0];
  const finished = ({ code, stdout }) => {
    runs += 1;
    if (code !== 0) failed += 1;
    else if (stdout !== alone.stdout || cellsOf(out) !== cellsOf(join(folder, 'grid-alone'))) different += 1;
    rmSync(out, { recursive: true, force: true });
  };
  let before = new Map();
  while (killed < gridKills && Date.now() - started < seconds * 1000) {
    const ended = await run(main, words('grid-killed'), { moment: random() * whole, env });
    if (!ended.killed) {
      finished(ended);
      before = new Map();
      continue;
    }
    killed += 1;
    const now = cellFiles(out);
    // A cell that was finished stays, as it was.
    for (const [name, text] of before) if (now.get(name) !== text) lost += 1;
    before = now;
    console.error(`grid: ${killed} of ${gridKills} kills, ${now.size} files of finished cells`);
  }
  finished(await run(main, words('grid-killed'), { env }));
  const result = `${runs} finished, ${different} different, ${failed} failed, ${lost} finished cells lost, alone ${(whole / 1000).toFixed(1)} s`;
  const good = different + failed + lost === 0 && runs > 0;
  return [['grid', `${killed} × kill −9, then gone on with`, result, verdict(good)]];
}

function cellFiles(out) {
  const cells = join(out, 'cells');
  if (!existsSync(cells)) return new Map();
  const names = readdirSync(cells, { recursive: true }).filter((name) =>
    /^[^.].*\.(json|csv|jsonl)$/.test(name),
  );
  return new Map(names.sort().map((name) => [name, readFileSync(join(cells, name), 'utf8')]));
}

/** All cells without what clocks say. */
function cellsOf(out) {
  const withoutClocks = (text) => text.replace(/^ "seconds": .*$/m, '');
  return JSON.stringify([...cellFiles(out)].map(([name, text]) => [name, withoutClocks(text)]));
}

// ---------------------------------------------------------------------------------------------------------------------

function verdict(good) {
  return good ? 'ok' : 'FAILED';
}

/**
 * Runs a script of Node; kills it after `moment` milliseconds where given. What it tells is shown, or given with `capture`.
 */
function run(script, args, { moment, nodeFlags = [], env = {}, capture = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeFlags, script, ...args], {
      stdio: ['ignore', 'pipe', capture ? 'pipe' : 'inherit'],
      env: { ...process.env, ...env },
    });
    const timer = moment === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), moment);
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    let stderr = '';
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, killed: signal === 'SIGKILL', stdout, stderr });
    });
  });
}

function mulberry32(start) {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}
