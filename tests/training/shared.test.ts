/** Plants marked names wherever data has names, runs the whole way, and searches every file that may be shared. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { openDataset } from '../../src/data/openDataset.js';
import { writePack } from '../../src/data/pack/packWrite.js';
import { writeShards } from '../../src/data/shards/shardsWrite.js';
import { makeSplits, saveSplits } from '../../src/data/splits/splits.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import { evaluatePairs } from '../../src/evaluation/pairs/evaluatePairs.js';
import { savePairs } from '../../src/evaluation/pairs/savePairs.js';
import { saveEvaluation } from '../../src/evaluation/saveEvaluation.js';
import { writeReport } from '../../src/report/report.js';
import { pretrain } from '../../src/training/pretrain.js';
import { dicomFile, image } from '../data/handmadeDicom.js';
import { MARK, ours, telling } from './telling.js';
import { listener, temporaryFolder, tinyConfig, withOneThread } from './tiny.js';

withOneThread();

/** A picture of 40 × 40 pixels, another one for each key. */
const picture = (key: number, subject: number) =>
  Uint8Array.from({ length: 1600 }, (_, i) => (i * (key + 3) + subject * 31) % 251);

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
      await sharp(picture(pair, subject), { raw })
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

  const shards = join(folder, 'shards');
  await writeShards(dataset, shards, { shardSize: 8, pseudonyms: true });
  const open = join(folder, 'open');
  await writeShards(dataset, open, { shardSize: 8 });

  const words = [MARK, folder.toLowerCase(), ...ours];
  expect(telling(out, words)).toEqual([]);
  expect(telling(pack, words)).toEqual([]);
  expect(telling(shards, words)).toEqual([]);
  // Without pseudonyms ids, subjects and further columns go along, and nothing else does.
  const told = readFileSync(
    join(open, readdirSync(open).find((name) => name.endsWith('-000000.tar'))!),
    'latin1',
  );
  const marked = [...told.matchAll(new RegExp(`${MARK}-[a-z]+`, 'g'))].map(([word]) => word);
  expect([...new Set(marked)].sort()).toEqual([`${MARK}-acc`, `${MARK}-id`, `${MARK}-name`]);
  // The search finds what is there.
  expect(telling(home, words).length).toBeGreaterThan(32);
});

/** Tags of a header that name the patient, the study, the place or the people. */
const TELLING_TAGS = {
  '0008,0018 UI': '1.2.99.18',
  '0008,0050 SH': `${MARK}-acc`,
  '0008,0080 LO': `${MARK}-hospital`,
  '0008,0090 PN': `${MARK}^Doctor`,
  '0008,1010 SH': `${MARK}-station`,
  '0008,1030 LO': `${MARK}-study`,
  '0010,0010 PN': `${MARK}^Patient`,
  '0010,0030 DA': '19870605',
  '0010,4000 LT': `${MARK}-comments`,
  '0020,000D UI': '1.2.99.13',
  '0020,4000 LT': `${MARK}-image`,
} as const;

test('nothing of a DICOM header goes along: not into a run, pairs without labels, a report, packs or shards', async () => {
  const home = join(temporaryFolder(`anatomy-${MARK}-`), `${MARK}-place`);
  const folder = temporaryFolder();
  for (const side of ['a', 'b']) {
    mkdirSync(join(home, side), { recursive: true });
    for (let pair = 0; pair < 12; pair += 1) {
      const patient = { '0010,0020 LO': `${MARK}-patient${Math.floor(pair / 2)}` };
      const pixels = Buffer.from(picture(pair + (side === 'b' ? 20 : 0), pair));
      const file = dicomFile(image(40, 40, pixels, { ...TELLING_TAGS, ...patient }));
      writeFileSync(join(home, side, `${MARK}-${pair}.dcm`), file);
    }
  }
  const spec = { path: join(home, 'a'), pathB: join(home, 'b') };
  const dataset = await openDataset(spec);
  expect(dataset.samples.every(({ subject }) => subject.startsWith(`${MARK}-patient`))).toBe(true);
  const config = tinyConfig(
    `data.path=${spec.path}`,
    `data.pathB=${spec.pathB}`,
    `data.cacheFolder=${home}/cache`,
    'training.steps=2',
    'training.batchSize=4',
    'monitor.pairs=4',
  );
  const out = join(folder, 'run');
  const { console } = listener();
  await pretrain(config, { out, console });
  const pairs = await evaluatePairs({ run: out, data: spec, replicates: 20, cacheFolder: `${home}/cache` });
  savePairs(out, pairs);
  await writeReport([out], { console, withImages: true });
  const pseudonyms = { pseudonyms: true, size: 32 };
  await writePack(dataset, join(folder, 'pack.safetensors'), pseudonyms);
  await writeShards(dataset, join(folder, 'shards'), { ...pseudonyms, shardSize: 4 });
  await writeShards(dataset, join(folder, 'open'), { shardSize: 4 });
  const words = [MARK, '1.2.99.', '19870605', folder.toLowerCase(), ...ours];
  for (const shared of ['run', 'pack.safetensors', 'shards'])
    expect(telling(join(folder, shared), words)).toEqual([]);
  // Without pseudonyms the id, which is the file's name, and the patient id go along, and nothing else does.
  expect(telling(join(folder, 'open'), [`${MARK}-patient`]).length).toBeGreaterThan(0);
  const others = [...Object.values(TELLING_TAGS), '1.2.99.', '19870605'].map((value) => value.toLowerCase());
  expect(telling(join(folder, 'open'), others)).toEqual([]);
  // The cache is the owner's: it holds the ids, and nothing of the headers either.
  expect(telling(join(home, 'cache'), others)).toEqual([]);
  expect(telling(join(home, 'a'), others)).toHaveLength(12 * others.length - 12);
});
