// npm run bench:serve: the live page. How long the explorer takes for a click, in a sample that was seen before and in a new
// one, what memory the server holds after many questions, how many frames a second the map of cases has with 20,000 points
// in Chromium, and the server's share of a core while the page watches a thousand runs.
// Options: --clicks 100 --requests 1000 --points 20000 --size 224 --width 0.25 --json
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  clicks: { type: 'string', default: '100' },
  requests: { type: 'string', default: '1000' },
  points: { type: 'string', default: '20000' },
  size: { type: 'string', default: '224' },
  width: { type: 'string', default: '0.25' },
  json: { type: 'boolean', default: false },
});
const [clicks, requests, points] = [options.clicks, options.requests, options.points].map(Number);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-serve-'));
const runs = join(folder, 'runs');
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

function anatomy(...words) {
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function serving() {
  const child = spawn(process.execPath, [main, 'serve', runs, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  process.on('exit', () => child.kill('SIGKILL'));
  const url = await new Promise((resolve) => child.stdout.on('data', (text) => resolve(String(text).trim())));
  const { origin, port, searchParams } = new URL(url);
  const headers = { cookie: `anatomy-${port}=${searchParams.get('token')}` };
  const ask = async (path, query) => {
    const response = await fetch(`${origin}${path}?${new URLSearchParams(query)}`, { headers });
    if (!response.ok) throw new Error(await response.text());
    return response.arrayBuffer();
  };
  return { child, url, ask };
}

const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))];
const mib = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const cpuSeconds = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

/** The milliseconds that each question takes. */
async function timed(ask, questions) {
  const taken = [];
  for (const question of questions) {
    const began = performance.now();
    await ask('/api/similarity', question);
    taken.push(performance.now() - began);
  }
  return { median: quantile(taken, 0.5), p95: quantile(taken, 0.95) };
}

/** Milliseconds between frames while the map is enlarged and moved. */
async function frames(url) {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const samples = Array.from({ length: points }, (_, i) => ({
      id: `s${i}`,
      subject: `p${i % 500}`,
      modalities: ['a'],
    }));
    const place = () => [Math.random(), Math.random()];
    const map = {
      points: { a: samples.map(place) },
      columns: { subject: samples.map(({ subject }) => subject) },
    };
    await page.route('**/api/samples?*', (route) =>
      route.fulfill({ json: { modalities: ['a'], sides: [8], samples } }),
    );
    await page.route('**/api/cases?*', (route) => route.fulfill({ json: map }));
    await page.goto(url);
    await page.evaluate(() => {
      location.hash = '#/cases?run=first';
    });
    await page.locator('.scatter canvas').waitFor();
    await page.waitForTimeout(500);
    return await page.evaluate(async () => {
      const canvas = document.querySelector('.scatter canvas');
      const { left, top, width, height } = canvas.getBoundingClientRect();
      const taken = [];
      let last = performance.now();
      for (let i = 0; i < 120; i += 1) {
        const at = {
          clientX: left + width * (0.3 + 0.003 * i),
          clientY: top + height / 2,
          bubbles: true,
          cancelable: true,
        };
        canvas.dispatchEvent(new WheelEvent('wheel', { ...at, deltaY: i % 20 < 10 ? -1 : 1 }));
        canvas.dispatchEvent(new PointerEvent('pointermove', at));
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        taken.push(now - last);
        last = now;
      }
      taken.sort((a, b) => a - b);
      return { median: taken[60], p95: taken[114] };
    });
  } finally {
    await browser.close();
  }
}

const { size, width } = options;
const settings = [`data.size=${size}`, `model.width=${width}`, 'training.batchSize=8', 'training.steps=1'];
anatomy('pretrain', '--data', 'phantom:fundus,pairs=64', '--out', join(runs, 'first'), '--set', ...settings);
const first = await serving();
await first.ask('/api/samples', { run: 'first' });
const place = () => {
  const [x, y] = [Math.random(), Math.random()];
  return { left: x, top: y, right: x, bottom: y };
};
const question = (sample) => ({ run: 'first', sample, map: 3, grid: 14, ...place() });
await first.ask('/api/similarity', question(0));
const seen = await timed(
  first.ask,
  Array.from({ length: clicks }, () => question(0)),
);
// No sample comes after its neighbour, whose images may be known.
const fresh = await timed(
  first.ask,
  Array.from({ length: Math.min(clicks, 60) }, (_, i) => question((17 * (i + 1)) % 64)),
);
const before = mib(first.child.pid);
for (let i = 0; i < requests; i += 1) await first.ask('/api/similarity', question(i % 64));
const memory = { before, after: mib(first.child.pid) };
const frame = await frames(first.url);
first.child.kill('SIGINT');

for (let i = 0; i < 1000; i += 1) {
  const copy = join(runs, `copy-${i}`);
  mkdirSync(copy);
  for (const name of ['config.yaml', 'metrics.jsonl', 'train.log', 'provenance.json']) {
    cpSync(join(runs, 'first', name), join(copy, name));
  }
}
const watching = await serving();
void watching.ask('/api/events', {}).catch(() => undefined); // an answer that never ends
await watching.ask('/api/runs', {});
await new Promise((resolve) => setTimeout(resolve, 5000));
const start = cpuSeconds(watching.child.pid);
for (let i = 0; i < 20; i += 1) {
  writeFileSync(join(runs, 'copy-7/metrics.jsonl'), `{"step":${i + 1},"loss":1}\n`, { flag: 'a' });
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
const watchingShare = (cpuSeconds(watching.child.pid) - start) / 20;
watching.child.kill('SIGINT');

const found = { seen, fresh, memory, frame, watchingShare };
if (options.json) console.log(JSON.stringify(found));
else {
  const ms = ({ median, p95 }) => `${median.toFixed(0)} ms, ${p95.toFixed(0)} ms at the 95th percentile`;
  console.log(`a click in a sample that was seen: ${ms(seen)}`);
  console.log(`in a new one: ${ms(fresh)}`);
  console.log(
    `server: ${memory.before.toFixed(0)} MiB, ${memory.after.toFixed(0)} after ${requests} questions`,
  );
  console.log(`a frame of the map of ${points} cases: ${ms(frame)}`);
  console.log(`watching 1,000 runs, one of which trains: ${(100 * watchingShare).toFixed(1)} % of a core`);
}
