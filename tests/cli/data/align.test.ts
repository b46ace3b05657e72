import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { openThreads } from '../../../src/data/align/threads.js';
import { type Affine, meanDistance, similarity } from '../../../src/data/align/transformation.js';
import { encodePng } from '../../../src/data/images/encodePng.js';
import { readSampleImage, readSquareImage } from '../../../src/data/images/readSampleImage.js';
import { resize } from '../../../src/data/images/resize.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Raster } from '../../../src/data/sample.js';
import { MessageConsole } from '../../../src/log/console.js';
import { liveTensors } from '../../../src/tensor/index.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { byEncoder, encoderThreads } from '../../../src/use/register/encoderRegistration.js';
import { lying } from '../../data/align/lying.js';
import { changed, raster, spots } from '../../data/audit/drawnPairs.js';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'data-align-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The second image of `off` lies elsewhere, that of `well` does not, and `alone` lacks the first one. */
const [WIDTH, HEIGHT] = [200, 160];
/** The second image is stored at another size and in another shape: both fill one square in training. */
const stored = (image: Raster) => encodePng(resize(image, 170, 150));
const ALONE = '<b>alone</b>';
const MOTION = similarity({ right: 9, down: -6, degrees: 5 }, { width: WIDTH, height: HEIGHT });
const images: Record<string, { a: Raster; b: Raster }> = {};

beforeAll(async () => {
  const seen = (image: Raster) => changed(image, (value) => 220 - Math.abs(value - 110) * 1.6);
  const drawn = (key: string) => {
    const whole = spots(key, WIDTH);
    return raster(WIDTH, HEIGHT, (x, y) => whole.data[y * WIDTH + x]!);
  };
  const lines = ['id,subject,label,a,b,note'];
  for (const id of ['off', 'well', 'alone']) {
    const a = drawn(id);
    const b = seen(a);
    images[id] = { a, b: id === 'off' ? lying(b, MOTION) : b };
    writeFileSync(path.join(root, `${id}-a.png`), await encodePng(images[id]!.a));
    writeFileSync(path.join(root, `${id}-b.png`), await stored(images[id]!.b));
    lines.push(
      `${id === 'alone' ? ALONE : id},patient ${id},${id === 'well' ? 'benign' : 'malignant'},${id === 'alone' ? '' : `${id}-a.png`},${id}-b.png,"kept, as it is"`,
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
    [ALONE, 'refused'],
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
  expect(readFileSync(path.join(out, 'refused.csv'), 'utf8')).toMatch(
    /^id,reason\n<b>alone<\/b>,b: the sample has no a to be registered to\n$/,
  );
  const page = readFileSync(path.join(out, 'index.html'), 'utf8');
  expect(page).toContain('1 moved, 1 kept, 1 refused');
  expect(page.match(/<img /g)).toHaveLength(4);
  expect(page).toContain('&lt;b&gt;alone');
  expect(page).not.toContain(ALONE);

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
  const asStored = resize(images.well!.b, 170, 150);
  expect((await readSampleImage(dataset, well!, 'b', 0)).data).toEqual(asStored.data);
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
    /off-b\.png: is 50×40, but was 170×150 when it was registered\. Run anatomy data align again\./,
  );
  writeFileSync(path.join(root, 'off-b.png'), await stored(images.off!.b));

  // What is aligned is not aligned again, is read by the names of its columns, and is not cropped.
  for (const write of [[], ['--write']]) {
    expect((await align([out, '--out', 'twice', ...write])).stderr).toContain('"off" is aligned already');
  }
  const renamed = await openDataset({
    path: out,
    columns: { photo: 'a', scan: 'b' },
    modalities: ['photo', 'scan'],
  });
  expect((await readSampleImage(renamed, renamed.samples[0]!, 'scan', 0)).data).toEqual(read.data);
  const preprocess = { a: { crop: { kind: 'box', left: 0, top: 0, width: 50, height: 40 } } } as const;
  await expect(openDataset({ path: out, preprocess })).rejects.toThrow(
    /data\.preprocess\.a\.crop: these images are aligned as whole ones\. Crop them as they are aligned/,
  );
  const warnings: string[] = [];
  cpSync(path.join(out, 'manifest.csv'), path.join(root, 'deep/alone/manifest.csv'));
  await openDataset({ path: path.join(root, 'deep/alone') }, { onWarning: (text) => warnings.push(text) });
  expect(warnings.join()).toContain(
    'says that images were aligned, but dataset.json and alignment.json are not',
  );
});

test('an interrupted data align goes on where it was, and a journal of something else is not taken', async () => {
  const interrupted = await align(['pairs.csv', '--out', 'resumed'], '1/3');
  expect(interrupted.code).toBe(130);
  expect(interrupted.stderr).toMatch(/SIGINT: \d images are registered; the same command goes on from there/);
  expect(existsSync(path.join(root, 'resumed'))).toBe(false);
  const journal = path.join(root, 'resumed.begun.jsonl');
  const lines = readFileSync(journal, 'utf8').trim().split('\n');
  expect(lines.length).toBeGreaterThan(0);

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
  const found = JSON.parse(readFileSync(path.join(root, 'resumed/alignment.json'), 'utf8'));
  const reasons = found.images.map(({ reason }: { reason: string }) => reason);
  expect(reasons.filter((reason: string) => reason === 'from the journal')).toHaveLength(lines.length);
  expect(reasons).toHaveLength(3);
  expect(existsSync(journal)).toBe(false);
});

test('what cannot be read, what has no mate and what is a strip is refused, and the rest is written', async () => {
  writeFileSync(path.join(root, 'strip.png'), await encodePng(raster(300, 12, (x) => x % 256)));
  writeFileSync(path.join(root, 'broken.png'), 'no image');
  writeFileSync(
    path.join(root, 'odd.csv'),
    'id,flair,t1,t2\nbroken,well-a.png,broken.png,\nlone,,well-a.png,well-b.png\nstrip,strip.png,strip.png,\n',
  );
  const args = [
    'odd.csv',
    '--modalities',
    'flair',
    't1',
    't2',
    '--reference',
    'flair',
    '--out',
    'odd',
    '--write',
  ];
  const ended = await align([...args, '--json']);
  expect(ended).toMatchObject({ code: 0 });
  const { images: decided } = JSON.parse(ended.stdout);
  expect(decided).toEqual([
    { id: 'broken', modality: 't1', decision: 'refused', reason: 'an image cannot be read' },
    {
      id: 'lone',
      modality: 't1',
      decision: 'refused',
      reason: 'the sample has no flair to be registered to',
    },
    {
      id: 'lone',
      modality: 't2',
      decision: 'refused',
      reason: 'the sample has no flair to be registered to',
    },
    { id: 'strip', modality: 't1', decision: 'refused', reason: 'an image cannot be read' },
  ]);
  expect(ended.stderr).toContain('too long and narrow to be registered');
  expect(ended.stderr).toMatch(/broken.*It is not written\./);
  expect(readFileSync(path.join(root, 'odd/manifest.csv'), 'utf8').split('\n').slice(0, 3)).toEqual([
    'id,subject,flair,t1,t2,alignment',
    'broken,broken,flair/broken.png,,,refused',
    'lone,lone,,t1/lone.png,t2/lone.png,"t1 refused, t2 refused"',
  ]);

  // --overwrite replaces what this command wrote, and nothing else. Where no patients are named, none are made up.
  const named = args.filter((word) => word !== '--write');
  expect(await align([...named, '--overwrite'])).toMatchObject({ code: 0 });
  expect(readFileSync(path.join(root, 'odd/manifest.csv'), 'utf8')).toMatch(/^id,flair,t1,t2,alignment\n/);
  writeFileSync(path.join(root, 'odd/own.png'), await encodePng(raster(40, 40, (x) => x)));
  const inside = 'id,a,b\none,odd/own.png,odd/own.png\n';
  writeFileSync(path.join(root, 'own.csv'), inside);
  const own = await align(['own.csv', '--out', 'odd', '--overwrite']);
  expect(own.stderr).toContain('--out odd holds images of the data themselves, which would be replaced');
  expect(own.code).toBe(2);
  expect(readFileSync(path.join(root, 'own.csv'), 'utf8')).toBe(inside);
  writeFileSync(path.join(root, 'deep/dataset.json'), '{"name":"another"}');
  expect((await align(['odd.csv', ...named.slice(1, -1), 'deep', '--overwrite'])).stderr).toContain(
    'deep holds a data set that anatomy data align did not write',
  );
});

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
});

test('data align registers by the maps of an encoder', async () => {
  const made = (out: string, ...set: string[]) =>
    pretrain(
      resolveConfig({
        set: ['method=random', 'data.size=32', 'training.precision=fp32', ...set],
        flags: { 'data.path': path.join(root, 'pairs.csv'), 'data.cacheFolder': path.join(root, 'cache') },
      }),
      { out: path.join(root, out), console: new MessageConsole({ quiet: true }) },
    );
  await made('run', 'model.width=0.25');
  const ended = await align(['pairs.csv', '--run', 'run', '--out', 'by-maps', '--json']);
  expect(ended).toMatchObject({ code: 0 });
  const { images: decided, ...rest } = JSON.parse(ended.stdout);
  expect(rest).toMatchObject({ moved: 1, kept: 1, refused: 1, metric: 'self-similarity of maps' });
  expect(rest.tool).toMatch(/^anatomy-ssl /);
  expect(rest.parameters).toMatchObject({ maps: ['1', '0'], imageSide: ['192'] });
  expect(rest.parameters.encoder).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  const [off] = decided as { transformation: Affine; of: { width: number; height: number } }[];
  const toStored: Affine = [170 / WIDTH, 0, 0, 0, 150 / HEIGHT, 0];
  const known = MOTION.map((value, k) => value * toStored[k < 3 ? 0 : 4]) as unknown as Affine;
  // Random weights, on drawn spots: 0.1 to 0.5 px.
  expect(meanDistance(off!.transformation, known, { width: WIDTH, height: HEIGHT })).toBeLessThan(1);
  expect(readFileSync(path.join(root, 'by-maps/index.html'), 'utf8')).toContain('self-similarity of maps');

  const rigid = { kind: 'rigid', gate: 0.5 } as const;
  const registrars = await byEncoder(path.join(root, 'run'), ['a', 'b'], () => undefined).open(rigid);
  const before = liveTensors();
  const { a, b } = images.off!;
  const here = await registrars.align(a, b, ['a', 'b']);
  expect(liveTensors()).toBe(before);
  await registrars.close();
  const thread = {
    root: path.join(root, 'run'),
    modalities: ['a', 'b'],
    device: 'cpu',
    options: rigid,
  } as const;
  const worker = new URL('../../../dist/use/register/encoderWorker.js', import.meta.url);
  const threads = openThreads({ ...encoderThreads(thread), worker })!;
  const asked = Array.from({ length: threads.count + 1 }, () => threads.align(a, b, ['a', 'b']));
  for (const there of await Promise.all(asked)) expect(there).toEqual(here);
  await threads.close();
  await expect(threads.align(a, b, ['a', 'b'])).rejects.toThrow('the thread that registers ended');
  const lost = openThreads({ ...encoderThreads({ ...thread, root: path.join(root, 'nowhere') }), worker })!;
  await expect(lost.align(a, b, ['a', 'b'])).rejects.toThrow('nowhere: no run here');
  await lost.close();
  const unused = openThreads({ ...encoderThreads(thread), worker })!;
  await unused.close();
  await expect(unused.align(a, b, ['a', 'b'])).rejects.toThrow('the thread that registers ended');

  expect(await align(['pairs.csv', '--run', 'nowhere', '--out', 'not'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('nowhere: no run here'),
  });
  await made('coarse', 'model.backbone=vit_s16');
  expect(await align(['pairs.csv', '--run', 'coarse', '--out', 'not'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/coarse: the finest map of vit_\S+ has a stride of 16 pixels/),
  });
  expect(readdirSync(root).filter((name) => name.startsWith('not'))).toEqual([]);
});
