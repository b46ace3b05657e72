/** Pairs that are off by a known amount, which `experiments/misaligned.mjs` writes. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { readSampleImage } from '../../src/data/images/readSampleImage.js';
import { openDataset } from '../../src/data/openDataset.js';
import type { Dataset } from '../../src/data/sample.js';
import { misalign } from '../../src/phantoms/misalignment.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'anatomy-misaligned-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DATA = 'phantom:breast,pairs=1,overlay=false,seed=0';
const apart = (...words: string[]) =>
  spawnSync('node', ['experiments/misaligned.mjs', ...words], { cwd: root, encoding: 'utf8' });

test('has the first image as it is and the second moved by its own motion, with the labels', async () => {
  const [still, moved] = ['0', '17.92'].map((by) => {
    const out = join(folder, by);
    expect(apart(DATA, '--out', out, '--misalignment', by).stderr).toBe('');
    return out;
  }) as [string, string];
  const [own, before, after] = (await Promise.all(
    [DATA, still, moved].map((path) => openDataset({ path }, { onWarning: () => undefined })),
  )) as [Dataset, Dataset, Dataset];
  const told = ({ samples }: Dataset) => samples.map(({ id, subject, label }) => [id, subject, label]);
  expect([told(before), told(after)]).toEqual([told(own), told(own)]);
  for (const [i, sample] of own.samples.entries()) {
    const read = (dataset: Dataset, modality: string) =>
      readSampleImage(dataset, dataset.samples[i]!, modality, 224);
    const [a, b] = [await read(own, 'a'), await read(own, 'b')];
    expect((await read(after, 'a')).data).toEqual(a.data);
    expect((await read(before, 'b')).data).toEqual(b.data);
    const expected = misalign(b, { misalignment: 17.92, motion: 'rigid' }, 0, 'b', sample.id);
    expect((await read(after, 'b')).data).toEqual(expected.data);
  }
  expect(readFileSync(join(moved, 'dataset.json'), 'utf8')).toContain('rigid, off by 17.92 px');
});

test('--back leaves the second image where it lay, black where the moved one had nothing', async () => {
  const set = 'phantom:fundus,pairs=1,seed=0';
  const read = async (name: string, ...words: string[]) => {
    const out = join(folder, name);
    expect(apart(set, '--out', out, '--misalignment', '17.92', ...words).stderr).toBe('');
    return second(out);
  };
  const second = async (path: string) => {
    const dataset = await openDataset({ path }, { onWarning: () => undefined });
    return (await readSampleImage(dataset, dataset.samples[0]!, 'b', 224)).data;
  };
  const [own, off, back] = [await second(set), await read('off'), await read('back', '--back')];
  const difference = (image: Uint8Array) => {
    const differences = [...own].flatMap((value, at) =>
      image[at] === 0 ? [] : [Math.abs(value - image[at]!)],
    );
    return differences.reduce((sum, one) => sum + one, 0) / differences.length;
  };
  // Two steps of bilinear resampling blur the grain of an angiogram.
  expect(difference(back)).toBeLessThan(8);
  expect(difference(off)).toBeGreaterThan(2 * difference(back));
  const black = (image: Uint8Array) => image.filter((value) => value === 0).length;
  expect(black(back)).toBeGreaterThan(black(own) + 100);
});

test('Ctrl-C leaves nothing half-written', async () => {
  const [many, name] = ['phantom:breast,pairs=500,seed=0', 'interrupted'];
  const words = ['experiments/misaligned.mjs', many, '--out', join(folder, name), '--misalignment', '3'];
  const child = spawn('node', words, { cwd: root });
  const left = () => readdirSync(folder).filter((entry) => entry.startsWith(name));
  while (left().length === 0) await sleep(20);
  child.kill('SIGINT');
  const [code] = await once(child, 'exit');
  expect([code, left()]).toEqual([130, []]);
});

test.each([
  [[], 'usage: node experiments/misaligned.mjs DATA'],
  [['--misalignment', '99'], '--misalignment is 99, expected pixels of a picture of 224, from 0 to 36'],
  [['--misalignment', '3', '--motion', 'rgid'], '--motion is rgid, expected elastic or rigid'],
  [
    ['--misalignment', '3', '--motion', 'elastic', '--back'],
    '--motion is elastic, expected rigid, as no registration brings others back',
  ],
  [['--misalignment', '3', '--seed', '1.5'], '--seed is 1.5, expected a whole number from 0'],
  [['--misalignment', '3', '--moton', 'rigid'], "Unknown option '--moton'"],
])('is refused in words where the command is wrong: %j', (words, message) => {
  const out = join(folder, 'refused');
  const { status, stderr } = apart(DATA, '--out', out, ...words);
  expect([status, stderr.slice(0, 7 + message.length)]).toEqual([2, `error: ${message}`]);
  expect(existsSync(out)).toBe(false);
});
