import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { streamHash } from '../../../src/data/cache/dataHash.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset } from '../../../src/data/sample.js';
import { writeShards } from '../../../src/data/shards/shardsWrite.js';
import { temporaryFolder } from '../../training/tiny.js';
import { gappedDataset, withGaps } from '../gapped.js';

let folder: string;
let gapped: Dataset;
let shards: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shard-gaps-'));
  gapped = await gappedDataset(folder);
  shards = join(folder, 'shards');
  await writeShards(gapped, shards, { shardSize: 5 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const having = ({ samples }: Dataset) => samples.map(({ id, images }) => [id, ...Object.keys(images)]);
const membersOf = (tar: string) => execFileSync('tar', ['-tf', tar], { encoding: 'utf8' }).trim().split('\n');

test('shards hold the images that the samples have, and give them back', async () => {
  const opened = await openDataset({ path: shards });
  expect(opened.modalities).toEqual(['a', 'b', 'c']);
  expect(having(opened)).toEqual(having(gapped));
  const [second] = readdirSync(shards).filter((name) => name.endsWith('-000001.tar'));
  // The second shard begins with sample 5; sample 6 lacks `a`, and sample 7 has `a` alone.
  expect(membersOf(join(shards, second!)).slice(0, 8)).toEqual([
    '000005.a.png',
    '000005.b.png',
    '000005.json',
    '000006.b.png',
    '000006.c.png',
    '000006.json',
    '000007.a.png',
    '000007.json',
  ]);
  const root = temporaryFolder();
  const [one, other] = [
    await openImageCache(opened, { size: 32, root }),
    await openImageCache(gapped, { size: 32, root }),
  ];
  expect(one.dataHash).toBe(other.dataHash);
  expect(one.present).toEqual(other.present);
});

test('shards with gaps have the same bytes when they are made again', async () => {
  const again = join(temporaryFolder(), 'shards');
  await writeShards(gapped, again, { shardSize: 5 });
  for (const name of readdirSync(shards))
    expect(readFileSync(join(again, name)).equals(readFileSync(join(shards, name))), name).toBe(true);
});

test('what streamed runs call the data changes when a gap is filled', async () => {
  const opened = await openDataset({ path: shards });
  const fewer = withGaps(opened, (i, modality) => i === 0 && modality === 'b');
  expect(await streamHash(fewer, 32)).not.toBe(await streamHash(opened, 32));
});

/** Packs the second shard anew with other members, and corrects the length that its description tells. */
async function repacked(change: (members: string) => void): Promise<string> {
  const target = join(temporaryFolder(), 'shards');
  await writeShards(gapped, target, { shardSize: 5 });
  const name = readdirSync(target).find((one) => one.endsWith('-000001.tar'))!;
  const loose = temporaryFolder();
  execFileSync('tar', ['-xf', join(target, name), '-C', loose]);
  change(loose);
  const members = readdirSync(loose).sort();
  execFileSync('tar', ['--format=ustar', '-cf', join(target, name), '-C', loose, ...members]);
  const described = readdirSync(target).find((one) => one.endsWith('.json'))!;
  const description = JSON.parse(readFileSync(join(target, described), 'utf8'));
  description.shards[1].bytes = statSync(join(target, name)).size;
  writeFileSync(join(target, described), JSON.stringify(description));
  return target;
}

test('a member that should be there and is not is told by its name', async () => {
  const target = await repacked((loose) => rmSync(join(loose, '000006.c.png')));
  await expect(openDataset({ path: target })).rejects.toThrow(
    /-000001\.tar: the shard is damaged: 000006\.c\.png is missing/,
  );
});

test('a member that its sample does not have is told by its name', async () => {
  const target = await repacked((loose) => {
    writeFileSync(join(loose, '000007.b.png'), readFileSync(join(loose, '000006.b.png')));
  });
  await expect(openDataset({ path: target })).rejects.toThrow(/000007\.b\.png is not of its sample/);
});

test('a json that tells of other images does not match the digest', async () => {
  const target = await repacked((loose) => {
    const file = join(loose, '000006.json');
    const sample = JSON.parse(readFileSync(file, 'utf8'));
    delete sample.sourceDigests.c;
    writeFileSync(file, JSON.stringify(sample));
    rmSync(join(loose, '000006.c.png'));
  });
  await expect(openDataset({ path: target })).rejects.toThrow(/do not match the digest/);
});
