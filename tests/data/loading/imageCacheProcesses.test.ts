import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import type { Dataset } from '../../../src/data/sample.js';
import { GRAY, png } from '../handmadeImages.js';

const COUNT = 40;
let folder: string;
let root: string;
let dataset: Dataset;

/**
 * Opens the cache of argv's data set, says `at N` after each image, and waits at image `pauseAt` for a line of input.
 */
const CHILD = `
import { readSync, writeSync } from 'node:fs';
import { openImageCache } from '${new URL('../../../dist/data/loading/imageCache.js', import.meta.url).href}';
const { dataset, root, pauseAt } = JSON.parse(process.argv[2]);
const pause = () => readSync(0, Buffer.alloc(1));
const onProgress = (done) => { writeSync(1, 'at ' + done + '\\n'); if (done === pauseAt) pause(); };
const cache = await openImageCache(dataset, { size: 16, root, onProgress });
writeSync(1, 'cache ' + JSON.stringify(cache) + '\\n');
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cache-processes-'));
  writeFileSync(join(folder, 'child.mjs'), CHILD);
  mkdirSync(join(folder, 'images'));
  const samples = Array.from({ length: COUNT }, (_, i) => {
    const path = join(folder, 'images', `${i}.png`);
    writeFileSync(
      path,
      png(
        16,
        8,
        GRAY,
        Array.from({ length: 16 }, (_, y) => new Array<number>(16).fill(i + y)),
      ),
    );
    return { id: `${i}`, subject: `${i}`, images: { a: { kind: 'file', path } as const } };
  });
  dataset = { name: 'toy', modalities: ['a'], samples };
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  root = mkdtempSync(join(folder, 'root-'));
});

function start(pauseAt: number): { child: ChildProcess; said: (line: string) => Promise<string> } {
  const task = JSON.stringify({ dataset, root, pauseAt });
  const child = spawn(process.execPath, ['child.mjs', task], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout!.on('data', (text) => {
    output += String(text);
  });
  const said = async (start: string) => {
    for (;;) {
      const found = output
        .split('\n')
        .find((line, i, lines) => line.startsWith(start) && i < lines.length - 1);
      if (found !== undefined) return found;
      if (child.exitCode !== null)
        throw new Error(`child ended with ${child.exitCode} before "${start}":\n${output}`);
      await wait(5);
    }
  };
  return { child, said };
}

const folders = () => readdirSync(join(root, 'images'));

function check(cache: { count: number; modalities: Readonly<Record<string, { file: string }>> }) {
  expect(cache.count).toBe(COUNT);
  const bytes = readFileSync(cache.modalities.a!.file);
  expect(bytes).toHaveLength(COUNT * 256);
  for (let i = 0; i < COUNT; i += 1) expect(bytes[i * 256 + 16]).toBe(i + 1);
}

it('a process killed in mid-write leaves nothing that is taken for a cache, and the next one cleans up', async () => {
  const { child, said } = start(20);
  await said('at 20');
  expect(folders()).toEqual([expect.stringContaining(`-${child.pid}-`)]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(folders()).toHaveLength(1);

  check(await openImageCache(dataset, { size: 16, root }));
  expect(folders()).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
});

it('the later of two processes uses the cache that the earlier one made', async () => {
  const one = start(30);
  const two = start(30);
  await Promise.all([one.said('at 30'), two.said('at 30')]);
  expect(folders()).toHaveLength(2);
  // The first to finish publishes; the other is past most of its work by then.
  one.child.stdin!.write('x');
  const first = (await one.said('cache ')).slice('cache '.length);
  two.child.stdin!.write('x');
  const second = (await two.said('cache ')).slice('cache '.length);
  expect(second).toBe(first);
  check(JSON.parse(second));
  expect(folders()).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
});
