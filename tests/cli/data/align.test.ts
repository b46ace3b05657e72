import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { similarity } from '../../../src/data/align/transformation.js';
import { encodePng } from '../../../src/data/images/encodePng.js';
import { readSampleImage, readSquareImage } from '../../../src/data/images/readSampleImage.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Raster } from '../../../src/data/sample.js';
import { lying } from '../../data/align/lying.js';
import { changed, raster, spots } from '../../data/audit/drawnPairs.js';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'data-align-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The second image of `off` lies elsewhere, that of `well` does not, and that of `strange` shows something else. */
const [WIDTH, HEIGHT] = [200, 160];
const MOTION = similarity({ right: 9, down: -6, degrees: 5 }, { width: WIDTH, height: HEIGHT });
const images: Record<string, { a: Raster; b: Raster }> = {};

beforeAll(async () => {
  const seen = (image: Raster) => changed(image, (value) => 220 - Math.abs(value - 110) * 1.6);
  const drawn = (key: string) => {
    const whole = spots(key, WIDTH);
    return raster(WIDTH, HEIGHT, (x, y) => whole.data[y * WIDTH + x]!);
  };
  const lines = ['id,subject,label,a,b,note'];
  for (const id of ['off', 'well', 'strange']) {
    const a = drawn(id);
    const b = id === 'strange' ? drawn('another') : seen(a);
    images[id] = { a, b: id === 'off' ? lying(b, MOTION) : b };
    writeFileSync(path.join(root, `${id}-a.png`), await encodePng(images[id]!.a));
    writeFileSync(path.join(root, `${id}-b.png`), await encodePng(images[id]!.b));
    lines.push(
      `${id},patient ${id},${id === 'well' ? 'benign' : 'malignant'},${id}-a.png,${id}-b.png,"kept, as it is"`,
    );
  }
  writeFileSync(path.join(root, 'pairs.csv'), `${lines.join('\n')}\n`);
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** @param interruptAt text on stderr at which Ctrl-C is pressed, once */
function align(args: readonly string[], interruptAt?: string): Promise<Ended> {
  const child = spawn(process.execPath, [main, 'data', 'align', ...args], { cwd: root });
  let [stdout, stderr, interrupted] = ['', '', false];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    if (interruptAt === undefined || interrupted || !stderr.includes(interruptAt)) return;
    interrupted = child.kill('SIGINT');
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

const difference = (one: Raster, other: Raster): number => {
  // A border is black where the image has nothing to show.
  let [sum, count] = [0, 0];
  for (let y = 24; y < HEIGHT - 24; y += 1) {
    for (let x = 24; x < WIDTH - 24; x += 1) {
      sum += Math.abs(one.data[y * WIDTH + x]! - other.data[y * WIDTH + x]!);
      count += 1;
    }
  }
  return sum / count;
};

test('data align finds who lies elsewhere; the manifest applies it as images are read, --write writes the same images', async () => {
  const ended = await align(['pairs.csv', '--out', 'deep/aligned', '--json']);
  expect(ended).toMatchObject({ code: 0 });
  const { images: decided, ...rest } = JSON.parse(ended.stdout);
  expect(rest).toMatchObject({
    out: 'deep/aligned',
    moved: 1,
    kept: 1,
    refused: 1,
    reference: 'a',
    kind: 'rigid',
  });
  expect(decided.map(({ id, decision }: { id: string; decision: string }) => [id, decision])).toEqual([
    ['off', 'moved'],
    ['well', 'kept'],
    ['strange', 'refused'],
  ]);
  expect(ended.stderr).toContain('1 moved, 1 kept, 1 refused; look at deep/aligned/index.html');
  expect(readdirSync(path.join(root, 'deep')).sort()).toEqual(['aligned']);
  const out = path.join(root, 'deep/aligned');
  expect(readdirSync(out).sort()).toEqual([
    'alignment.json',
    'dataset.json',
    'index.html',
    'manifest.csv',
    'refused.csv',
  ]);
  expect(readFileSync(path.join(out, 'manifest.csv'), 'utf8').split('\n')[1]).toBe(
    'off,patient off,malignant,../../off-a.png,../../off-b.png,"kept, as it is",moved',
  );
  expect(readFileSync(path.join(out, 'refused.csv'), 'utf8')).toMatch(/^id,reason\nstrange,b: .+\n$/);
  const page = readFileSync(path.join(out, 'index.html'), 'utf8');
  expect(page).toContain('1 moved, 1 kept, 1 refused');
  expect(page.match(/<img /g)).toHaveLength(6);

  // Training reads this.
  const dataset = await openDataset({ path: out });
  expect(dataset.modalities).toEqual(['a', 'b']);
  const [off, well] = dataset.samples;
  const read = await readSampleImage(dataset, off!, 'b', 0);
  expect([read.width, read.height]).toEqual([WIDTH, HEIGHT]);
  const expected = changed(images.off!.a, (value) => 220 - Math.abs(value - 110) * 1.6);
  expect(difference(images.off!.b, expected)).toBeGreaterThan(15);
  // Twice bilinear, once by the test: 1.5 to 2.5 gray levels of smoothing and of a tenth of a pixel.
  expect(difference(read, expected)).toBeLessThan(4);
  expect((await readSampleImage(dataset, well!, 'b', 0)).data).toEqual(images.well!.b.data);
  const square = await readSquareImage(dataset, off!, 'b', 40);
  expect([square.width, square.height]).toEqual([40, 40]);

  // The images are written as they are read.
  expect(await align(['pairs.csv', '--out', 'written', '--write'])).toMatchObject({ code: 0 });
  const written = await openDataset({ path: path.join(root, 'written') });
  expect(written.samples.map(({ extra }) => extra?.alignment)).toEqual(['moved', 'kept', 'refused']);
  const again = await readSampleImage(written, written.samples[0]!, 'b', 0);
  expect(again.data).toEqual(read.data);

  // An image that was changed since is noticed.
  writeFileSync(path.join(root, 'off-b.png'), await encodePng(raster(50, 40, () => 9)));
  await expect(readSampleImage(dataset, off!, 'b', 0)).rejects.toThrow(
    /off-b\.png: is 50×40, but was 200×160 when it was registered\. Run anatomy data align again\./,
  );
  writeFileSync(path.join(root, 'off-b.png'), await encodePng(images.off!.b));

  // What is aligned is not aligned again.
  expect((await align([out, '--out', 'twice'])).stderr).toContain('"off" is aligned already');
}, 240_000);

test('an interrupted data align goes on where it was, and a journal of something else is not taken', async () => {
  const interrupted = await align(['pairs.csv', '--out', 'resumed'], '1/3');
  expect(interrupted.code).toBe(130);
  expect(interrupted.stderr).toMatch(/SIGINT: \d images are registered; the same command goes on from there/);
  expect(existsSync(path.join(root, 'resumed'))).toBe(false);
  const journal = path.join(root, 'resumed.begun.jsonl');
  const lines = readFileSync(journal, 'utf8').trim().split('\n');
  expect(lines.length).toBeGreaterThan(1);

  const other = await align(['pairs.csv', '--out', 'resumed', '--transformation', 'affine']);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain(
    'resumed.begun.jsonl holds the beginning of an alignment of other data, or with other settings; --overwrite begins anew',
  );
  expect(readFileSync(journal, 'utf8').trim().split('\n')).toEqual(lines);

  // Half a line is what a kill may leave. What stands before it is taken as it is.
  const marked = lines.map((line) => line.replace(/"reason":"[^"]*"/, '"reason":"from the journal"'));
  writeFileSync(journal, `${marked.join('\n')}\n{"id":"stra`);
  expect(await align(['pairs.csv', '--out', 'resumed'])).toMatchObject({ code: 0 });
  const stored = JSON.parse(readFileSync(path.join(root, 'resumed/alignment.json'), 'utf8'));
  const reasons = stored.images.map(({ reason }: { reason: string }) => reason);
  expect(reasons.filter((reason: string) => reason === 'from the journal')).toHaveLength(lines.length - 1);
  expect(reasons).toHaveLength(3);
  expect(existsSync(journal)).toBe(false);
}, 240_000);

test('data align refuses what makes no sense with exit code 2, before any work', async () => {
  const refusals: [string[], string][] = [
    [['pairs.csv'], "required option '--out <folder>' not specified"],
    [
      ['pairs.csv', '--out', 'x', '--gate', '0'],
      '--gate is 0, expected a number of pixels above 0, such as 0.5',
    ],
    [['pairs.csv', '--out', 'x', '--gate', 'half'], 'Expected a number such as 0.1.'],
    [
      ['pairs.csv', '--out', 'x', '--transformation', 'bent'],
      'Allowed choices are rigid, similarity, affine.',
    ],
    [
      ['pairs.csv', '--out', 'x', '--reference', 'c'],
      '--reference is c, but the modalities are a, b. Name one of them.',
    ],
    [['pairs.csv', '--out', 'x', '--modalities', 'a'], 'has one modality, a, and nothing to register to it'],
    [['pairs.csv', '--out', '.'], '. exists; choose another --out, or --overwrite it'],
    [
      ['phantom:fundus,pairs=2', '--out', 'x'],
      'is no file of its own, so that no manifest can name it. Say --write',
    ],
    [
      [
        'pairs.csv',
        '--out',
        'x',
        '--set',
        'data.preprocess.b.crop.kind=box',
        'data.preprocess.b.crop.left=0',
      ].concat([
        'data.preprocess.b.crop.top=0',
        'data.preprocess.b.crop.width=50',
        'data.preprocess.b.crop.height=40',
      ]),
      'b is cropped, which a manifest cannot say. Say --write',
    ],
  ];
  for (const [args, words] of refusals) {
    const ended = await align(args);
    expect(ended.stderr).toContain(words);
    expect(ended.code).toBe(2);
  }
  expect(readdirSync(root).filter((name) => name.startsWith('x'))).toEqual([]);
}, 120_000);
