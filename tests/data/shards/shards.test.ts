import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { streamHash } from '../../../src/data/cache/dataHash.js';
import { readSampleImage } from '../../../src/data/images/readSampleImage.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset } from '../../../src/data/sample.js';
import { openShards } from '../../../src/data/shards/shards.js';
import { writeShards } from '../../../src/data/shards/shardsWrite.js';
import { DataError } from '../../../src/errors.js';
import { temporaryFolder, writePairs } from '../../training/tiny.js';

/** On a bare system there is none, and nothing else needs it. */
const PYTHON = '/usr/bin/python3';

let folder: string;
let original: Dataset;
let shards: string;

/** Seven pairs of 40² in shards of three. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shards-'));
  original = await openDataset({ path: await writePairs(join(folder, 'tiny'), { pairs: 7 }) });
  shards = join(folder, 'shards');
  await writeShards(original, shards, { shardSize: 3 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const words = ({ samples }: Dataset) =>
  samples.map(({ id, subject, label, fold }) => ({ id, subject, label, fold }));
const files = ['shards.json', 'tiny-000000.tar', 'tiny-000001.tar', 'tiny-000002.tar'];

describe('our own shards', () => {
  test.skipIf(!existsSync(PYTHON))('are listed by Python', () => {
    const python = `
import json, sys, tarfile
archive = tarfile.open(sys.argv[1])
print(json.dumps([[m.name for m in archive], json.load(archive.extractfile('000003.json'))['id']]))`;
    const found = execFileSync(PYTHON, ['-c', python, join(shards, files[2]!)], {
      encoding: 'utf8',
    });
    const names = [3, 4, 5].flatMap((i) => ['a.png', 'b.png', 'json'].map((ending) => `00000${i}.${ending}`));
    expect(JSON.parse(found)).toEqual([names, 'pair-3']);
  });

  test('are listed by tar, and hold the samples and their very pixels', async () => {
    expect(readdirSync(shards).sort()).toEqual(files);
    const listed = execFileSync('tar', ['tf', join(shards, files[3]!)], { encoding: 'utf8' });
    expect(listed).toBe('000006.a.png\n000006.b.png\n000006.json\n');
    const opened = await openDataset({ path: shards });
    expect(words(opened)).toEqual(words(original));
    expect([opened.name, opened.positive]).toEqual(['tiny', '1']);
    for (const [i, sample] of opened.samples.entries()) {
      for (const modality of ['a', 'b']) {
        expect(await readSampleImage(opened, sample, modality, 0)).toEqual(
          await readSampleImage(original, original.samples[i]!, modality, 0),
        );
      }
    }
  });

  test('have the same bytes when made again, and squares of one side where asked', async () => {
    const again = join(temporaryFolder(), 'again');
    await writeShards(original, again, { shardSize: 3 });
    for (const name of files)
      expect(readFileSync(join(again, name))).toEqual(readFileSync(join(shards, name)));
    await expect(writeShards(original, again, { shardSize: 3 })).rejects.toThrow(/again exists/);
    const hash = async () => streamHash(await openShards(again), 32);
    const whole = await hash();
    expect(whole).toBe(await streamHash(await openShards(shards), 32));
    await writeShards(original, again, { shardSize: 10, size: 16, overwrite: true });
    expect(await hash()).not.toBe(whole);
    expect(readdirSync(again)).toHaveLength(2);
    const opened = await openShards(again);
    expect((await readSampleImage(opened, opened.samples[6]!, 'b', 0)).width).toBe(16);
  });

  test('a range names some of them, and a missing one is named', async () => {
    const some = await openDataset({ path: join(shards, 'tiny-{000001..000002}.tar') });
    expect(some.samples.map(({ id }) => id)).toEqual(['pair-3', 'pair-4', 'pair-5', 'pair-6']);
    expect(some.positive).toBe('1');
    await expect(openDataset({ path: join(shards, 'tiny-{000001..000003}.tar') })).rejects.toThrow(
      /1 of the 3 shards .*\n.*tiny-000003\.tar/,
    );
    await expect(openDataset({ path: join(shards, 'tiny-{1..000003}.tar') })).rejects.toThrow(/one width/);
  });

  test('a manifest counts before archives that lie beside it', async () => {
    const place = join(temporaryFolder(), 'tiny');
    cpSync(join(folder, 'tiny'), place, { recursive: true });
    copyFileSync(join(shards, files[1]!), join(place, 'original.tar'));
    const { samples } = await openDataset({ path: place });
    expect([samples.length, samples[0]!.images.a!.kind]).toEqual([7, 'file']);
  });

  test('an interruption, and a folder of something else, leave all as it was', async () => {
    const place = temporaryFolder();
    const abort = new AbortController();
    const onProgress = (done: number) => void (done === 5 && abort.abort());
    const target = join(place, 'new');
    await expect(
      writeShards(original, target, { shardSize: 2, signal: abort.signal, onProgress }),
    ).rejects.toThrow(/abort/i);
    expect(readdirSync(place)).toEqual([]);
    writeFileSync(join(place, 'thesis.txt'), 'mine');
    await expect(writeShards(original, place, { shardSize: 2, overwrite: true })).rejects.toThrow(
      /holds no shards/,
    );
    expect(readdirSync(place)).toEqual(['thesis.txt']);
  });

  test('phantoms need a size, as they have none of their own', async () => {
    const drawn = await openDataset({ path: 'phantom:breast,pairs=3,seed=0' });
    const target = join(temporaryFolder(), 'drawn');
    await expect(writeShards(drawn, target, { shardSize: 2 })).rejects.toThrow(/--size is missing/);
    await writeShards(drawn, target, { shardSize: 2, size: 32, pseudonyms: true });
    const opened = await openShards(target);
    expect(opened.colourCoded).toEqual(drawn.colourCoded);
    expect(opened.samples.map(({ id }) => id).join()).toMatch(/^P-[0-9a-f]{12},P-/);
  });

  test('a damaged or truncated shard is an error that names it, or nothing has changed', async () => {
    const bent = join(temporaryFolder(), 'bent');
    cpSync(shards, bent, { recursive: true });
    const target = join(bent, files[1]!);
    const whole = readFileSync(target);
    const sound = await readAll(await openShards(shards));
    const check = async () => {
      try {
        expect(await readAll(await openShards(bent))).toEqual(sound);
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
        expect((error as Error).message).toContain(files[1]!);
      }
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 1 << bit;
        writeFileSync(target, bytes);
        await check();
      }),
      { numRuns: 40 },
    );
    writeFileSync(target, whole);
    truncateSync(target, 5000);
    await expect(openShards(bent)).rejects.toThrow(/tiny-000000\.tar.* has 5000 bytes/);
    rmSync(target);
    await expect(openShards(bent)).rejects.toThrow(/1 of the 3 shards/);
  });
});

/** All that is in a data set, pixels too. */
async function readAll(dataset: Dataset): Promise<unknown> {
  const pixels = dataset.samples.flatMap((sample) =>
    dataset.modalities.map((modality) => readSampleImage(dataset, sample, modality, 0)),
  );
  return [words(dataset), await Promise.all(pixels)];
}

describe('shards of other programs', () => {
  /** Samples as files in an archive by the system's tar. */
  function shard(name: string, contents: Readonly<Record<string, string>>): string {
    const place = temporaryFolder();
    const { images } = original.samples[0]!;
    for (const [member, content] of Object.entries(contents)) {
      mkdirSync(join(place, 'in', member, '..'), { recursive: true });
      const target = join(place, 'in', member);
      const source = images[content];
      if (source?.kind === 'file') copyFileSync(source.path, target);
      else writeFileSync(target, content);
    }
    execFileSync('tar', ['-cf', join(place, name), '-C', join(place, 'in'), ...Object.keys(contents)]);
    return join(place, name);
  }

  test('modalities are a and b by their files’ endings, labels come from .cls or json', async () => {
    const warnings: string[] = [];
    const path = shard('eyes-0001.tar', {
      'x/one.a.png': 'a',
      'x/one.b.png': 'b',
      'x/one.cls': '1\n',
      'two.a.png': 'a',
      'two.b.png': 'b',
      'two.json': '{"label": 0, "subject": "p7", "age": 61, "nested": {}}',
    });
    const { name, samples } = await openDataset({ path }, { onWarning: (text) => warnings.push(text) });
    expect(name).toBe('eyes');
    expect(samples.map(({ images: _, origin: __, ...sample }) => sample)).toEqual([
      { id: 'x/one', subject: 'x/one', label: '1' },
      { id: 'two', subject: 'p7', label: '0', extra: { age: '61' } },
    ]);
    expect((await readSampleImage({}, samples[1]!, 'b', 0)).channels).toBe(3);
    expect(warnings).toEqual([expect.stringContaining('1 of 2 samples name no subject')]);
  });

  test('--column names the files of the modalities and the keys of the json', async () => {
    const warnings: string[] = [];
    const path = shard('s.tar', {
      '1.fundus.png': 'a',
      '1.ffa.png': 'b',
      '1.json': '{"dx": "DR", "pid": "7"}',
    });
    await expect(openDataset({ path })).rejects.toThrow(
      /1 fault[\s\S]*no image for "a" or "b" among fundus\.png, ffa\.png, json[\s\S]*--column, such as a=fundus\.png/,
    );
    const columns = { a: 'fundus', b: 'ffa.png', label: 'dx', subject: 'pid' };
    const { samples } = await openDataset({ path, columns }, { onWarning: (text) => warnings.push(text) });
    expect(samples[0]).toMatchObject({ id: '1', subject: '7', label: 'DR' });
    const named = await openDataset({ path, columns: { subject: 'pid' }, modalities: ['ffa', 'fundus'] });
    expect(Object.keys(named.samples[0]!.images)).toEqual(['ffa', 'fundus']);
    const alone = { a: 'fundus', b: null };
    const opened = await openDataset({ path, columns: alone }, { onWarning: (text) => warnings.push(text) });
    expect(opened.modalities).toEqual(['a']);
    expect(warnings.join()).toMatch(/name no subjects/);
  });

  test('an image that a sample does not hold is missing, and one that no sample holds is an error', async () => {
    const warnings: string[] = [];
    const path = shard('s.tar', {
      ...{ '1.flair.png': 'a', '1.json': '{"subject": "7"}' },
      ...{ '2.flair.png': 'c', '2.t1.png': 'b', '2.json': '{"subject": "8"}' },
    });
    const modalities = ['t1', 'flair'];
    const { samples } = await openDataset({ path, modalities }, { onWarning: (text) => warnings.push(text) });
    expect(samples.map(({ images }) => Object.keys(images))).toEqual([['flair'], ['t1', 'flair']]);
    expect(warnings.join()).toContain('1 of 2 samples lacks t1; 1 is complete');
    await expect(openDataset({ path, modalities, columns: { swe: 'x' } })).rejects.toThrow(
      '--column swe=x names a modality that --modalities leaves out',
    );
    await expect(openDataset({ path, modalities: ['flair', 't2'] })).rejects.toThrow(
      'no sample has an image for "t2"',
    );
  });

  test('shards that are truncated, empty, or name an id twice are an error that says where', async () => {
    const path = shard('s.tar', { '1.a.png': 'a', '1.b.png': 'b', '1.json': '{"id": "x"}' });
    const twice = `${path}.tar`;
    copyFileSync(path, twice);
    const folderOfBoth = join(path, '..');
    rmSync(join(folderOfBoth, 'in'), { recursive: true });
    await expect(openDataset({ path: folderOfBoth })).rejects.toThrow(
      /the id "x" is already that of .*s\.tar: 1/,
    );
    truncateSync(path, 1000);
    await expect(openDataset({ path })).rejects.toThrow(
      /s\.tar: .*at byte 0, 1\.a\.png is \d+ bytes, and 488 follow/,
    );
    writeFileSync(path, Buffer.alloc(10240));
    await expect(openDataset({ path })).rejects.toThrow(/hold no samples/);
  });
});
