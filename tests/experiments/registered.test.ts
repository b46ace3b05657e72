/** What `experiments/registered.mjs` says of a registration: its errors, where the truth is known. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { type Affine, invert, similarity } from '../../src/data/align/transformation.js';
import type { AlignedImage } from '../../src/data/open/alignment.js';
import { rigidMotion } from '../../src/phantoms/misalignment.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'anatomy-registered-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const errors = (...words: string[]) =>
  spawnSync('node', ['experiments/registered.mjs', ...words], { cwd: root, encoding: 'utf8' });

const extent = { width: 224, height: 224 };

/** The transformation that brings back what a motion of 9 px by this key took away, but for some pixels to the right. */
function answer(off: number, ...key: (string | number)[]): Affine {
  const { angle, right, down } = rigidMotion({ misalignment: 9 }, 224, ...key);
  const moved = similarity({ right, down, degrees: (angle * 180) / Math.PI }, extent);
  const [a, b, c, d, e, f] = invert(moved);
  return [a, b, c + off, d, e, f];
}

type Found = Pick<AlignedImage, 'id' | 'decision'> & Partial<AlignedImage>;

function registered(name: string, images: readonly Found[], reference = 'a'): string {
  const out = join(folder, name);
  mkdirSync(out);
  const told = { modality: 'b', reason: '', frame: extent, of: extent };
  const settings = { tool: 'none', metric: 'none', parameters: {}, kind: 'rigid', gate: 0.5, reference };
  const alignment = {
    ...{ format: 'anatomy-ssl alignment', version: 1, ...settings },
    images: images.map((image) => ({ ...told, ...image })),
  };
  writeFileSync(join(out, 'alignment.json'), JSON.stringify(alignment));
  return out;
}

test('counts how far moved pairs miss the truth, and how far others lie off', () => {
  const key = [3, 'breast'] as const;
  const out = registered('phantom', [
    { id: 'breast-0000', decision: 'moved', transformation: [...answer(0.25, ...key, 0)] },
    { id: 'breast-0001', decision: 'moved', transformation: [...answer(1.5, ...key, 1)] },
    { id: 'breast-0002', decision: 'refused', transformation: [...answer(0, ...key, 2)] },
    { id: 'breast-0003', decision: 'refused', frame: undefined },
    { id: 'breast-0004', decision: 'refused', of: undefined },
  ]);
  const data = 'phantom:breast,pairs=5,seed=3,misalignment=9,motion=rigid';
  const { stdout, stderr } = errors(out, '--data', data);
  expect(stderr).toBe('');
  const [moved, kept, refused, right, unread] = stdout.split('\n');
  expect(moved).toBe(
    'moved 2, median 1.50 px, 95 % below 1.50, worst 1.50, 1 more than 1 px off, 0 more than 2',
  );
  expect(kept).toBe('kept 0');
  // The root mean square over the image is 9, so that the mean is a little less.
  const [, median] = /^refused 1, median ([\d.]+) px/.exec(refused!)!;
  expect(Number(median)).toBeGreaterThan(7.5);
  expect(Number(median)).toBeLessThan(9);
  expect(right).toBe('found to within 2 px, and refused: 1');
  expect(unread).toBe('an image is missing or could not be read: 2');
});

const apart = (name: string, ...words: string[]) => {
  const out = join(folder, name);
  const call = ['experiments/misaligned.mjs', 'phantom:breast,pairs=1', '--misalignment', '9', '--seed', '5'];
  const { status } = spawnSync('node', [...call, '--out', out, ...words], { cwd: root });
  expect(status).toBe(0);
  return out;
};

test('knows the motions of images by what is written beside them', () => {
  const data = apart('moved');
  const transformation = [...answer(0.5, 5, 'b', 'breast-0000')] as AlignedImage['transformation'];
  const images = [{ id: 'breast-0000', decision: 'moved', transformation }] as const;
  const { stdout, stderr } = errors(registered('real', images), '--data', data);
  expect(stderr).toBe('');
  expect(stdout).toContain('moved 1, median 0.50 px, 95 % below 0.50, worst 0.50, 0 more than 1 px off');

  const back = errors(registered('again', images), '--data', apart('back', '--back'));
  expect(back).toMatchObject({ status: 2, stderr: expect.stringContaining('which was brought back') });
  const other = errors(registered('other', images, 'b'), '--data', data);
  expect(other).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('was registered to b; expected a'),
  });
});

test.each([
  [['--data', 'phantom:breast,misalignment=9,motion=rigid'], 'usage: node experiments/registered.mjs FOLDER'],
  [['none', '--data', 'phantom:breast'], 'off by nothing'],
  [
    ['none', '--data', 'phantom:breast,misalignment=9'],
    'off by 9, elastic; expected pairs that are off by a rigid',
  ],
  [['none', '--data', 'nowhere'], '--data is nowhere: ENOENT'],
  [['none', '--data', 'phantom:breast,misalignment=9,motion=rigid'], 'none/alignment.json: cannot be read'],
  [['none', '--dta', 'x'], "Unknown option '--dta'"],
])('is refused in words where the command is wrong: %j', (words, message) => {
  const { status, stderr } = errors(...words);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^error: /);
  expect(stderr).toContain(message);
});
