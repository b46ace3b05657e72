import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImageCache } from '../../../src/data/cache/decodedImages.js';
import { readSampleImage } from '../../../src/data/images/readSampleImage.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { ImageLoader } from '../../../src/data/loading/loader.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { openPack } from '../../../src/data/pack/pack.js';
import { writePack } from '../../../src/data/pack/packWrite.js';
import type { Dataset } from '../../../src/data/sample.js';
import { DataError } from '../../../src/errors.js';
import { writeSafetensors } from '../../../src/export/safetensors.js';
import { tidy } from '../../../src/tensor/index.js';
import { numbers, temporaryFolder, writePairs } from '../../training/tiny.js';

/** On a bare system there is none, and nothing else needs it. */
const PYTHON = '/usr/bin/python3';

let folder: string;
let original: Dataset;
let file: string;

/** Twelve pairs of 40², A gray and B in colour, with a fold and a further column. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pack-'));
  const manifest = await writePairs(folder, { pairs: 12 });
  const [header, ...lines] = readFileSync(manifest, 'utf8').trim().split('\n');
  const more = lines.map((line, i) => `${line},${i % 3},Jane Doe`);
  writeFileSync(manifest, `${[`${header},fold,physician`, ...more].join('\n')}\n`);
  original = await openDataset({ path: manifest });
  file = join(folder, 'pairs.safetensors');
  await writePack(original, file, { size: 32 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Pixels by modality, in the order of the samples. */
function pixels(cache: ImageCache): Record<string, number[]> {
  const loader = new ImageLoader(cache);
  try {
    return tidy(() => {
      const { images } = loader.load(Array.from({ length: cache.count }, (_, i) => i));
      return Object.fromEntries(Object.entries(images).map(([name, tensor]) => [name, numbers(tensor)]));
    });
  } finally {
    loader.dispose();
  }
}

const words = ({ samples }: Dataset) =>
  samples.map(({ id, subject, label, fold, extra }) => ({ id, subject, label, fold, extra }));

describe('a pack', () => {
  test('says what is simulated, and by which version', async () => {
    const phantom = await openDataset({ path: 'phantom:breast,pairs=8' });
    const drawn = join(folder, 'drawn.safetensors');
    await writePack(phantom, drawn, { size: 32 });
    const { modalities, positive, colourCoded, simulated, generatorVersion } = phantom;
    expect(openPack(drawn)).toMatchObject({ modalities, positive, colourCoded, simulated, generatorVersion });
  });

  test('holds the samples’ words and, without a copy, the pixels that the cache would hold', async () => {
    const root = temporaryFolder();
    const packed = await openDataset({ path: file });
    expect(words(packed)).toEqual(words(original));
    expect([packed.name, packed.modalities, packed.positive]).toEqual([
      original.name,
      original.modalities,
      original.positive,
    ]);
    const cache = await openImageCache(packed, { size: 64, root });
    expect(readdirSync(root)).toEqual([]);
    expect(cache.size).toBe(32);
    const expected = await openImageCache(original, { size: 32, root });
    expect(pixels(cache)).toEqual(pixels(expected));
    expect(cache.dataHash).toBe(expected.dataHash);
  });

  test('gives each image alone, and smaller ones through the cache', async () => {
    const root = temporaryFolder();
    const packed = openPack(file);
    const [cache, smaller] = [
      await openImageCache(packed, { size: 32, root }),
      await openImageCache(packed, { size: 16, root }),
    ];
    expect([smaller.size, readdirSync(join(root, 'images')).length]).toEqual([16, 1]);
    const all = pixels(cache);
    for (const [modality, channels] of [['a', 1] as const, ['b', 3] as const]) {
      const image = await readSampleImage(packed, packed.samples[5]!, modality, 32);
      const planar = all[modality]!.slice(5 * channels * 1024, 6 * channels * 1024);
      expect(image.channels).toBe(channels);
      for (const at of [0, 31, 500, 1023])
        for (let c = 0; c < channels; c += 1)
          expect(image.data[at * channels + c]).toBe(planar[c * 1024 + at]);
    }
  });

  test('keeps what the publication says', async () => {
    const published = { name: 'Study', counts: {}, samples: 300, subjects: 7, notes: ['A note.'] };
    const file = join(temporaryFolder(), 'published.safetensors');
    await writePack({ ...original, published }, file, { size: 8 });
    expect(openPack(file).published).toEqual(published);
  });

  test('goes through the cache where only some samples are taken, or where it is preprocessed further', async () => {
    const root = temporaryFolder();
    const packed = openPack(file);
    const some = { ...packed, samples: packed.samples.filter((_, i) => i % 2 === 1) };
    const whole = pixels(await openImageCache(packed, { size: 32, root })).a!;
    const { a } = pixels(await openImageCache(some, { size: 32, root }));
    expect(a!.slice(0, 1024)).toEqual(whole.slice(1024, 2048));
    expect(readdirSync(join(root, 'images'))).toHaveLength(1);
  });

  test('has the same bytes when made again, and keeps an existing file unless it may be replaced', async () => {
    const again = join(temporaryFolder(), 'again.safetensors');
    await writePack(original, again, { size: 32 });
    expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
    await expect(writePack(original, again, { size: 16 })).rejects.toThrow(/again\.safetensors exists/);
    expect(await writePack(original, again, { size: 16, overwrite: true })).toEqual({ size: 16 });
    await expect(writePack(original, join(folder, 'x.pack'), { size: 16 })).rejects.toThrow(/\.safetensors/);
  });

  test('tells neither ids nor subjects nor further columns under pseudonyms, and keeps what belongs together', async () => {
    const hidden = join(temporaryFolder(), 'hidden.safetensors');
    await writePack(original, hidden, { size: 32, pseudonyms: true });
    expect(readFileSync(hidden, 'latin1')).not.toMatch(/pair-|patient-|Jane/);
    const { samples } = openPack(hidden);
    expect(new Set(samples.map(({ id }) => id)).size).toBe(12);
    expect(samples.map(({ subject }) => samples.findIndex((other) => other.subject === subject))).toEqual(
      original.samples.map(({ subject }) => original.samples.findIndex((other) => other.subject === subject)),
    );
    expect(samples.map(({ label, fold }) => [label, fold])).toEqual(
      original.samples.map(({ label, fold }) => [label, fold]),
    );
  });

  test.skipIf(!existsSync(PYTHON))(
    'opens in Python by the format’s own words, a header in JSON and plain bytes',
    async () => {
      const script = `
import json, struct, sys
raw = open(sys.argv[1], 'rb').read()
n, = struct.unpack('<Q', raw[:8])
head = json.loads(raw[8:8 + n])
begin, end = head['b']['data_offsets']
manifest = json.loads(head['__metadata__']['anatomy-pack'])
print(json.dumps([head['a']['dtype'], head['a']['shape'], head['b']['shape'], manifest['samples'][3]['id'], raw[8 + n + begin:8 + n + end][:4].hex()]))`;
      const found = JSON.parse(execFileSync(PYTHON, ['-c', script, file], { encoding: 'utf8' }));
      const { b } = pixels(await openImageCache(openPack(file), { size: 32 }));
      const start = Buffer.from(b!.slice(0, 4)).toString('hex');
      expect(found).toEqual(['U8', [12, 1, 32, 32], [12, 3, 32, 32], 'pair-3', start]);
    },
  );

  test('leaves nothing behind after an interruption or an image that cannot be read', async () => {
    const empty = temporaryFolder();
    const out = join(empty, 'x.safetensors');
    const abort = new AbortController();
    const onProgress = (done: number) => void (done === 5 && abort.abort());
    await expect(writePack(original, out, { size: 32, signal: abort.signal, onProgress })).rejects.toThrow(
      /abort/i,
    );
    const torn: Dataset = {
      ...original,
      samples: original.samples.map((sample, i) =>
        i === 7 ? { ...sample, images: { ...sample.images, a: { kind: 'file', path: file } } } : sample,
      ),
    };
    await expect(writePack(torn, out, { size: 32 })).rejects.toThrow(/1 of 24 images .*\n.*pair-7/);
    expect(readdirSync(empty)).toEqual([]);
  });
});

test('a damaged pack is an error that names it, before anything is mapped, or nothing has changed', async () => {
  const bent = join(temporaryFolder(), 'bent.safetensors');
  const whole = readFileSync(file);
  const sound = pixels(await openImageCache(openPack(file), { size: 32 }));
  const check = async (bytes: Buffer) => {
    writeFileSync(bent, bytes);
    try {
      const packed = openPack(bent);
      const cache = await openImageCache(packed, { size: 32 });
      expect(words(packed)).toEqual(words(original));
      expect(pixels(cache)).toEqual(sound);
    } catch (error) {
      expect(error).toBeInstanceOf(DataError);
      expect((error as Error).message).toContain('bent.safetensors');
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), (length) => check(whole.subarray(0, length))),
    { numRuns: 40 },
  );
  const header = Number(whole.readBigUInt64LE(0));
  const anywhere = fc.oneof(fc.nat(8 + header), fc.nat(whole.length - 1));
  await fc.assert(
    fc.asyncProperty(anywhere, fc.nat(7), (at, bit) => {
      const bytes = Buffer.from(whole);
      bytes[Math.min(at, bytes.length - 1)]! ^= 1 << bit;
      return check(bytes);
    }),
    { numRuns: 120 },
  );
});

test('a file of weights is no pack', () => {
  const weights = join(temporaryFolder(), 'weights.safetensors');
  writeSafetensors(weights, new Map([['w', { dtype: 'U8', shape: [1], data: new Uint8Array(1) }]]));
  expect(() => openPack(weights)).toThrow(/is a safetensors file but no pack of images/);
});
