/** Plants marked names wherever data has names, runs the whole way, and searches every file that may be shared. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { openDataset } from '../../src/data/openDataset.js';
import { writePack } from '../../src/data/pack/packWrite.js';
import { makeSplits, saveSplits } from '../../src/data/splits/splits.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import { saveEvaluation } from '../../src/evaluation/saveEvaluation.js';
import { writeReport } from '../../src/report/report.js';
import { pretrain } from '../../src/training/pretrain.js';
import { listener, temporaryFolder, tinyConfig, withOneThread } from './tiny.js';

withOneThread();

const MARK = 'zqmark';

/** The bytes of a file and of all that is compressed inside: gzip members and the text chunks of PNG. */
function contents(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const found: Buffer[] = [bytes];
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) found.push(gunzipSync(bytes));
  const text = bytes.toString('latin1');
  for (const [, encoded] of text.matchAll(/base64,([A-Za-z0-9+/=]+)/g))
    found.push(Buffer.from(encoded!, 'base64'));
  for (const image of [...found]) {
    for (let at = 8; image.subarray(1, 4).toString() === 'PNG' && at < image.length; ) {
      const length = image.readUInt32BE(at);
      const kind = image.subarray(at + 4, at + 8).toString();
      const data = image.subarray(at + 8, at + 8 + length);
      const compressed = data.indexOf(0) + 2;
      if (kind === 'zTXt' || kind === 'iCCP') found.push(inflateSync(data.subarray(compressed)));
      at += 12 + length;
    }
  }
  return found;
}

/** The files under a folder, or the file itself, that hold one of the words, with the word. */
function telling(folder: string, words: readonly string[]): string[] {
  const names = statSync(folder).isFile() ? [''] : readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.flatMap((name) => {
    const path = join(folder, name);
    const inName = words.filter((word) => name.toLowerCase().includes(word));
    if (!statSync(path).isFile()) return inName.map((word) => `${name}: ${word}`);
    const texts = contents(path).flatMap((bytes) =>
      ['latin1', 'utf16le'].map((encoding) => bytes.toString(encoding as 'latin1').toLowerCase()),
    );
    const told = words.filter((word) => texts.some((text) => text.includes(word)));
    return [...new Set([...inName, ...told])].map((word) => `${name}: ${word}`);
  });
}

test('a run, its evaluation and report, and a pack with pseudonyms tell no names, places or machines', async () => {
  // Apart from each other: within a project of both, a run says by which way its data are reached.
  const folder = temporaryFolder();
  const home = join(temporaryFolder(`anatomy-${MARK}-`), `${MARK}-place`);
  mkdirSync(join(home, `${MARK}-images`), { recursive: true });
  const lines = ['id,subject,a,b,label,accession'];
  for (let pair = 0; pair < 16; pair += 1) {
    const subject = Math.floor(pair / 2);
    for (const modality of ['a', 'b']) {
      const raw = { width: 40, height: 40, channels: 1 } as const;
      const data = Uint8Array.from({ length: 1600 }, (_, i) => (i * (pair + 3) + subject * 31) % 251);
      await sharp(data, { raw })
        .toColourspace('b-w')
        .withExif({ IFD0: { ImageDescription: `${MARK}-exif`, Artist: `${MARK}-author` } })
        .png()
        .toFile(join(home, `${MARK}-images`, `${MARK}-${modality}${pair}.png`));
    }
    const image = (modality: string) => `${MARK}-images/${MARK}-${modality}${pair}.png`;
    const label = subject % 2 === 0 ? 'benign' : 'malignant';
    lines.push(
      `${MARK}-id${pair},${MARK}-name${subject},${image('a')},${image('b')},${label},${MARK}-acc${pair}`,
    );
  }
  const manifest = join(home, 'pairs.csv');
  writeFileSync(manifest, `${lines.join('\n')}\n`);
  const dataset = await openDataset({ path: manifest });
  const splits = join(home, 'splits.json');
  await saveSplits(makeSplits(dataset, { folds: 2 }), splits);
  const config = tinyConfig(
    `data.path=${manifest}`,
    `data.cacheFolder=${home}/${MARK}-cache`,
    `data.splits=${splits}`,
    'data.fold=all',
    'training.steps=2',
    'training.batchSize=4',
    'monitor.pairs=4',
  );
  const out = join(folder, 'run');
  const { console } = listener();
  await pretrain(config, { out, console });
  const judged = await evaluate({
    run: out,
    data: { path: manifest },
    protocol: 'logreg',
    replicates: 20,
    precision: 'fp32',
    cacheFolder: `${home}/${MARK}-cache`,
  });
  saveEvaluation(out, judged);
  await writeReport([out], { console });
  const pack = join(folder, 'pack.safetensors');
  await writePack(dataset, pack, { size: 32, pseudonyms: true });

  // A short name of a machine stands in many a text by chance.
  const machine = hostname().toLowerCase();
  const words = [MARK, folder.toLowerCase(), ...(machine.length > 6 ? [machine] : [])];
  expect(telling(out, words)).toEqual([]);
  expect(telling(pack, words)).toEqual([]);
  // The search finds what is there.
  expect(telling(home, words).length).toBeGreaterThan(32);
}, 120_000);
