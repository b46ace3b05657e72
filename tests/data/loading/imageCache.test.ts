import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageCache } from '../../../src/data/cache/decodedImages.js';
import { resize } from '../../../src/data/images/resize.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import type { Dataset, Raster, Sample } from '../../../src/data/sample.js';
import { DataError } from '../../../src/errors.js';
import { GRAY, png, RGB } from '../handmadeImages.js';

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cache-'));
  root = join(folder, 'root');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Side² gray pixels that differ by `shade`. */
function gray(side: number, shade: number): Buffer {
  return png(
    side,
    8,
    GRAY,
    Array.from({ length: side }, (_, y) =>
      Array.from({ length: side }, (_, x) => (x * 20 + y * 3 + shade) & 255),
    ),
  );
}

function colour(side: number): Buffer {
  return png(
    side,
    8,
    RGB,
    Array.from({ length: side }, (_, y) => Array.from({ length: side * 3 }, (_, i) => (i * 11 + y) & 255)),
  );
}

function write(name: string, bytes: Uint8Array) {
  writeFileSync(join(folder, name), bytes);
  return { kind: 'file', path: join(folder, name) } as const;
}

/** All of a cache but the states of its files, which are new when it is built again. */
function lasting({ modalities, ...cache }: ImageCache) {
  const files = Object.entries(modalities).map(([name, { state: _, ...file }]) => [name, file]);
  return { ...cache, modalities: Object.fromEntries(files) };
}

/** Three pairs of gray 8×8 images. */
function pairs(): Dataset {
  const samples = [0, 1, 2].map(
    (i): Sample => ({
      id: `s${i}`,
      subject: `p${i}`,
      images: { a: write(`${i}a.png`, gray(8, i)), b: write(`${i}b.png`, gray(8, 100 + i)) },
      label: i === 0 ? 'none' : 'tumor',
      origin: `m.csv:${i + 2}`,
    }),
  );
  return { name: 'toy', modalities: ['a', 'b'], samples };
}

const images = () => readdirSync(join(root, 'images'));
const bytes = (cache: ImageCache, modality = 'a') => readFileSync(cache.modalities[modality]!.file);

/** Opens and counts decoded images: 0 if the cache on disk was used. */
async function opened(dataset: Dataset, size = 8) {
  let decoded = 0;
  const warnings: string[] = [];
  const cache = await openImageCache(dataset, {
    size,
    root,
    onProgress: () => {
      decoded += 1;
    },
    onWarning: (message) => warnings.push(message),
  });
  return { cache, decoded, warnings };
}

describe('openImageCache', () => {
  it('decodes once, into one file for each modality, in the order of the samples', async () => {
    const dataset = pairs();
    const progress: [number, number][] = [];
    const cache = await openImageCache(dataset, { size: 8, root, onProgress: (...at) => progress.push(at) });
    expect(cache).toMatchObject({ size: 8, ids: ['s0', 's1', 's2'], count: 3 });
    expect(cache.modalities.a!.channels).toBe(1);
    expect(progress).toEqual([1, 2, 3, 4, 5, 6].map((done) => [done, 6]));
    const b = bytes(cache, 'b');
    expect(b).toHaveLength(3 * 64);
    for (const i of [0, 1, 2]) expect(b[i * 64 + 9]).toBe(20 + 3 + 100 + i);

    const again = await opened(dataset);
    expect(again.decoded).toBe(0);
    expect(lasting(again.cache)).toEqual(lasting(cache));
    expect(images()).toHaveLength(1);
  });

  it('stores planar RGB if any image has colour, and repeats gray ones before and after it', async () => {
    const sources = [gray(8, 0), gray(8, 1), colour(8), gray(8, 3)];
    const samples = sources.map(
      (source, i): Sample => ({
        id: `${i}`,
        subject: `${i}`,
        images: { a: write(`${i}.png`, source), 'T1/c': write(`${i}g.png`, gray(8, i)) },
      }),
    );
    const { cache } = await opened({ name: 'mixed', modalities: ['a', 'T1/c'], samples });
    expect(cache.modalities.a!.channels).toBe(3);
    expect(cache.modalities['T1/c']!.channels).toBe(1);
    const stored = bytes(cache);
    expect(stored).toHaveLength(4 * 3 * 64);
    const at = (n: number, c: number, y: number, x: number) => stored[((n * 3 + c) * 8 + y) * 8 + x];
    for (const c of [0, 1, 2]) {
      expect(at(1, c, 2, 3)).toBe(3 * 20 + 2 * 3 + 1);
      expect(at(2, c, 2, 3)).toBe((3 * 3 + c) * 11 + 2);
      expect(at(3, c, 2, 3)).toBe(3 * 20 + 2 * 3 + 3);
    }
    expect(readdirSync(join(root, 'images', images()[0]!)).sort()).toEqual([
      '0-a.u8',
      '1-T1%2Fc.u8',
      'index.json',
    ]);
    expect((await opened({ name: 'mixed', modalities: ['a', 'T1/c'], samples })).decoded).toBe(0);
  });

  it('resizes to a square that is no larger than the shorter side of the largest image', async () => {
    const wide = png(
      12,
      8,
      GRAY,
      Array.from({ length: 6 }, (_, y) => Array.from({ length: 12 }, (_, x) => x * 9 + y)),
    );
    const images = { a: write('wide.png', wide), b: write('small.png', gray(4, 0)) };
    const dataset: Dataset = {
      name: 'd',
      modalities: ['a', 'b'],
      samples: [{ id: '1', subject: '1', images }],
    };
    const { cache } = await opened(dataset, 64);
    expect(cache.size).toBe(6);
    const raster: Raster = {
      width: 12,
      height: 6,
      channels: 1,
      data: Uint8Array.from({ length: 72 }, (_, i) => (i % 12) * 9 + Math.floor(i / 12)),
    };
    expect([...bytes(cache)]).toEqual([...resize(raster, 6, 6).data]);
    expect(bytes(cache, 'b')).toHaveLength(36);
    expect((await opened(dataset, 5)).cache.size).toBe(5);
  });

  it('keeps generated images by their key, at the size asked for', async () => {
    const phantom = (version: number): Dataset => ({
      name: 'phantom:test',
      modalities: ['a'],
      samples: [0, 1].map((i) => ({
        id: `${i}`,
        subject: `${i}`,
        images: {
          a: {
            kind: 'generated',
            key: `test-${version}/${i}`,
            render: (size) => ({
              width: size,
              height: size,
              channels: 1,
              data: new Uint8Array(size * size).fill(i + version),
            }),
          },
        },
      })),
    });
    const first = await opened(phantom(1), 40);
    expect(first.cache.size).toBe(40);
    expect(bytes(first.cache)[1600]).toBe(2);
    expect((await opened(phantom(1), 40)).decoded).toBe(0);
    expect((await opened(phantom(2), 40)).decoded).toBe(2);
  });

  it('hashes labels, subjects and pixels, but no names and places of files', async () => {
    const dataset = pairs();
    const { cache } = await opened(dataset);
    const moved = dataset.samples.map((sample, i) => ({
      ...sample,
      images: { a: write(`moved${i}.png`, gray(8, i)), b: sample.images.b! },
    }));
    expect((await opened({ ...dataset, name: 'other', samples: moved })).cache.dataHash).toBe(cache.dataHash);
    const changes: Partial<Sample>[] = [
      { label: 'tumor' },
      { subject: 'p9' },
      { images: { a: write('x.png', gray(8, 77)), b: dataset.samples[0]!.images.b! } },
    ];
    for (const change of changes) {
      const samples = [{ ...dataset.samples[0]!, ...change }, ...dataset.samples.slice(1)];
      expect((await opened({ ...dataset, samples })).cache.dataHash).not.toBe(cache.dataHash);
    }
    const relabelled = dataset.samples.map((sample) => ({ ...sample, label: 'x' }));
    expect((await opened({ ...dataset, samples: relabelled })).decoded).toBe(0);
  });

  it('sees that a file changed in place although its length and mtime are the same', async () => {
    const dataset = pairs();
    await opened(dataset);
    const path = join(folder, '1a.png');
    const before = statSync(path, { bigint: true });
    execFileSync('cp', ['-p', path, join(folder, 'reference')]);
    writeFileSync(path, gray(8, 50));
    execFileSync('touch', ['-r', join(folder, 'reference'), path]);
    const { size, mtimeNs, ino } = statSync(path, { bigint: true });
    expect([size, mtimeNs, ino]).toEqual([before.size, before.mtimeNs, before.ino]);
    const { cache, decoded } = await opened(dataset);
    expect(decoded).toBe(6);
    expect(bytes(cache)[64]).toBe(50);
  });
});

describe('openImageCache: damage', () => {
  it.each([
    'one flipped byte',
    'one byte less',
    'no index',
    'a malformed index',
    'a file missing',
    'an empty folder',
  ])('rebuilds with a warning: %s', async (damage) => {
    const dataset = pairs();
    const { cache } = await opened(dataset);
    const { file } = cache.modalities.a!;
    const whole = readFileSync(file);
    const index = join(file, '..', 'index.json');
    if (damage === 'one flipped byte') {
      const flipped = Buffer.from(whole);
      flipped[100]! ^= 1;
      writeFileSync(file, flipped);
    } else if (damage === 'one byte less') writeFileSync(file, whole.subarray(1));
    else if (damage === 'no index') rmSync(index);
    else if (damage === 'a malformed index') writeFileSync(index, '{"format":1}');
    else if (damage === 'a file missing') rmSync(file);
    else for (const name of readdirSync(join(file, '..'))) rmSync(join(file, '..', name));

    const again = await opened(dataset);
    expect(again.decoded).toBe(6);
    expect(again.warnings).toEqual([expect.stringContaining('is damaged')]);
    expect(lasting(again.cache)).toEqual(lasting(cache));
    expect(bytes(again.cache).equals(whole)).toBe(true);
    expect((await opened(dataset)).warnings).toEqual([]);
    expect(images()).toHaveLength(1);
  });

  it('removes the folders of dead processes, and leaves those of living ones alone', async () => {
    const { pid } = JSON.parse(
      execFileSync(process.execPath, ['-p', 'JSON.stringify({ pid: process.pid })'], { encoding: 'utf8' }),
    );
    const name = (host: string, process: number) => `0123.tmp-${host}-${process}-0123456789ab`;
    const dead = name(hostname(), pid);
    const alive = name(hostname(), process.pid);
    const elsewhere = name('another-host', pid);
    const old = name('old-host', process.pid);
    for (const each of [dead, alive, elsewhere, old])
      mkdirSync(join(root, 'images', each), { recursive: true });
    utimesSync(join(root, 'images', old), new Date(0), new Date(0));
    await opened(pairs());
    const left = images();
    expect(left).toContain(alive);
    expect(left).toContain(elsewhere);
    expect(left).not.toContain(dead);
    expect(left).not.toContain(old);
  });
});

describe('openImageCache: what it refuses', () => {
  it('names every unreadable image in one error, with its manifest line, and leaves nothing behind', async () => {
    const dataset = pairs();
    const whole = gray(8, 0);
    writeFileSync(join(folder, '0b.png'), whole.subarray(0, whole.length - 30));
    writeFileSync(join(folder, '2a.png'), 'text');
    const error = (await opened(dataset).catch((e: Error) => e)) as Error;
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain('2 of 6 images of toy cannot be read');
    expect(error.message).toContain(`m.csv:2: "s0" (b): ${join(folder, '0b.png')}: cannot be decoded`);
    expect(error.message).toContain(`m.csv:4: "s2" (a): ${join(folder, '2a.png')}: cannot be decoded`);
    expect(images()).toEqual([]);
  });

  it('names missing files, and no image that a sample lacks', async () => {
    const dataset = pairs();
    rmSync(join(folder, '1b.png'));
    const [first, second] = dataset.samples;
    const samples = [{ ...first!, images: { a: first!.images.a! } }, second!];
    const error = (await opened({ ...dataset, samples }).catch((e: Error) => e)) as Error;
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain('1 image is missing');
    expect(error.message).toContain(`m.csv:3: "s1" (b): no file ${join(folder, '1b.png')}`);
    await expect(opened({ ...dataset, samples: [] })).rejects.toThrow('has no samples');
    await expect(opened(dataset, 0)).rejects.toThrow('size is 0');
  });

  it('stops when told to, leaving nothing behind', async () => {
    const stop = new AbortController();
    const opening = openImageCache(pairs(), {
      size: 8,
      root,
      signal: stop.signal,
      onProgress: (done) => {
        if (done === 2) stop.abort(new Error('told to stop'));
      },
    });
    await expect(opening).rejects.toThrow('told to stop');
    expect(images()).toEqual([]);
  });

  it('notices that a file changed while the others were decoded', async () => {
    const dataset = pairs();
    const opening = openImageCache(dataset, {
      size: 8,
      root,
      onProgress: (done) => {
        if (done === 6) writeFileSync(join(folder, '0a.png'), gray(8, 9));
      },
    });
    await expect(opening).rejects.toThrow('changed while they were read');
    expect(images()).toEqual([]);
  });

  it('says where it cannot write', async () => {
    writeFileSync(root, 'a file where the folder should be');
    await expect(opened(pairs())).rejects.toThrow('The image cache cannot be written to');
  });
});
