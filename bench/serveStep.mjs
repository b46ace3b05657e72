// npm run bench:serve-step: what the live page costs a run that trains. The median speed of training steps alone, beside
// the server, and beside an open page of its curves in Chromium, in turns; ratios within each round.
// Options: --rounds 5 --steps 60 --json
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { parseOptions } from './options.mjs';

const options = parseOptions(import.meta.url, {
  rounds: { type: 'string', default: '5' },
  steps: { type: 'string', default: '60' },
  json: { type: 'boolean', default: false },
});
const [rounds, steps] = [options.rounds, options.steps].map(Number);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-serve-step-'));
const runs = join(folder, 'runs');
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Trains a run. @returns its pairs per second, the median of all steps but the first ten */
async function speed(name) {
  const words = ['data.size=64', 'model.width=0.25', 'training.batchSize=16', 'monitor.every=100000'];
  const settings = [...words, `training.steps=${steps}`, `data.cacheFolder=${join(folder, 'cache')}`];
  const data = ['--data', 'phantom:breast,pairs=120', '--out', join(runs, name), '--set', ...settings];
  const child = spawn(process.execPath, [main, 'pretrain', ...data], { stdio: 'ignore' });
  const code = await new Promise((resolve) => child.on('exit', resolve));
  if (code !== 0) throw new Error(`anatomy pretrain ended with ${code}`);
  const lines = readFileSync(join(runs, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return median(lines.flatMap((line) => JSON.parse(line).pairsPerSecond ?? []).slice(10));
}

async function beside(name, look) {
  const server = spawn(process.execPath, [main, 'serve', runs, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const url = await new Promise((resolve) =>
    server.stdout.on('data', (text) => resolve(String(text).trim())),
  );
  const leave = await look(url, name);
  try {
    return await speed(name);
  } finally {
    await leave();
    server.kill('SIGKILL');
  }
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const kinds = {
  alone: speed,
  server: (name) =>
    beside(name, async (url) => {
      const { origin, port, searchParams } = new URL(url);
      const headers = { cookie: `anatomy-${port}=${searchParams.get('token')}` };
      const listening = new AbortController();
      const { body } = await fetch(`${origin}/api/events`, { headers, signal: listening.signal });
      body.pipeTo(new WritableStream()).catch(() => {}); // it is cut below
      return () => listening.abort();
    }),
  page: (name) =>
    beside(name, async (url) => {
      const page = await browser.newPage();
      await page.goto(`${url}#/compare?run=${name}`);
      return () => page.close();
    }),
};
await speed('warm'); // fills the cache of images, and makes the folder
const speeds = { alone: [], server: [], page: [] };
for (let round = 0; round < rounds; round += 1) {
  for (const [kind, measure] of Object.entries(kinds)) speeds[kind].push(await measure(`${kind}-${round}`));
}
await browser.close();
const ratios = Object.fromEntries(
  ['server', 'page'].map((kind) => [kind, speeds[kind].map((one, i) => one / speeds.alone[i])]),
);
if (options.json) console.log(JSON.stringify({ speeds, ratios }));
else {
  for (const [kind, values] of Object.entries(ratios)) {
    const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(2));
    console.log(`beside the ${kind}: ${median(values).toFixed(2)} of the speed alone (${low}–${high})`);
  }
}
process.exit(0);
