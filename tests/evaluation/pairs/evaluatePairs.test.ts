import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { SET_ASIDE } from '../../../src/data/fold.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { makeSplits, saveSplits } from '../../../src/data/splits/splits.js';
import { DataError } from '../../../src/errors.js';
import { type EvaluatePairsOptions, evaluatePairs } from '../../../src/evaluation/pairs/evaluatePairs.js';
import { pairsJson, savePairs } from '../../../src/evaluation/pairs/savePairs.js';
import { readEvaluations, readPairs } from '../../../src/evaluation/readResults.js';
import type { PairsResult } from '../../../src/evaluation/results/pairsResult.js';
import { MessageConsole } from '../../../src/log/console.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { undisposedTensors } from '../../tensor/undisposed.js';
import { withOneThread } from '../../training/tiny.js';
import { type TinyPairs, tinyPairs } from '../tinyPairs.js';

withOneThread();

const SUBJECTS = 8;
let folder: string;
let pairs: TinyPairs;
let whole: string;
let inFolds: string;
let splits: string;
let result: PairsResult;

const quiet = () => new MessageConsole({ quiet: true });

function measure(options: Partial<EvaluatePairsOptions> = {}): Promise<PairsResult> {
  return evaluatePairs({
    run: whole,
    replicates: 40,
    precision: 'fp32',
    cacheFolder: join(folder, 'cache'),
    ...options,
  });
}

async function train(out: string, flags: Record<string, unknown>): Promise<string> {
  const grids = 'method.name' in flags ? [] : ['method.patches=[2,2]', 'method.maps=[1,2,3]'];
  const config = resolveConfig({
    set: ['data.size=32', 'model.width=0.25', ...grids, 'training.precision=fp32'],
    flags: {
      'data.path': pairs.manifest,
      'data.cacheFolder': join(folder, 'cache'),
      'training.batchSize': 8,
      'training.steps': 1,
      ...flags,
    },
  });
  await pretrain(config, { out, console: quiet() });
  return out;
}

/** A manifest of the pairs with other files in the columns. */
function manifest(name: string, row: (i: number) => string, header = 'id,subject,a,b,label'): string {
  const file = join(folder, 'images', name);
  writeFileSync(file, `${[header, ...pairs.ids.map((_, i) => row(i))].join('\n')}\n`);
  return file;
}

const measureOf = ({ measures }: PairsResult, key: string) => measures.find((one) => one.key === key)!;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evaluate-pairs-'));
  pairs = await tinyPairs(join(folder, 'images'), SUBJECTS);
  whole = await train(join(folder, 'whole'), {});
  splits = join(folder, 'splits.json');
  await saveSplits(
    makeSplits(await openDataset({ path: pairs.manifest }), { folds: 2, setAside: 2 }),
    splits,
  );
  inFolds = await train(join(folder, 'folds'), { 'data.splits': splits, 'data.fold': 'all' });
  result = await measure();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the claims of a run', () => {
  it('are the same every time, for the run, the untrained encoder and the pixels', async () => {
    const before = undisposedTensors();
    const again = await measure();
    expect(undisposedTensors()).toBe(before);
    expect(pairsJson(again)).toBe(pairsJson(result));
    const kinds = new Set(result.measures.map(({ claim, source }) => `${claim} ${source}`));
    for (const claim of ['consistency', 'global', 'distance', 'retrieval', 'agreement']) {
      expect(kinds).toContain(`${claim} run`);
      expect(kinds).toContain(`${claim} untrained`);
    }
    expect(kinds).toContain('agreement pixels');
    expect(result.measures.every(({ pairs: count }) => count === 16)).toBe(true);
    for (const { low, value, high } of result.measures) {
      expect(low!).toBeLessThanOrEqual(value!);
      expect(value!).toBeLessThanOrEqual(high!);
    }
    // Map 4 is 2×2 at 32²: no grid of Fig. 5 fits, and 8×8 only on map 1 and 2.
    const maps = result.measures.flatMap(({ key, source }) =>
      source === 'run' && key.startsWith('agreement') ? [key] : [],
    );
    expect(maps).toEqual([
      'agreement/run/map1/4x4/all',
      'agreement/run/map1/8x8/all',
      'agreement/run/map2/4x4/all',
      'agreement/run/map2/8x8/all',
      'agreement/run/map3/4x4/all',
    ]);
  });

  it('say that the run is transductive and no lesion is known, and contain no names', () => {
    expect(result.exposure).toEqual({ kind: 'transductive', seenTestSamples: 16, testSamples: 16 });
    expect(result.data).toMatchObject({
      pairs: 16,
      subjects: SUBJECTS,
      chosen: 'all',
      setAside: 0,
      withLesion: 0,
    });
    expect(result.notes.join(' ')).toMatch(/Transductive.*no lesion is known/is);
    const text = pairsJson(result);
    expect(text).not.toContain('patient ');
    expect(text).not.toContain(folder);
    expect(text).not.toMatch(/"x\d+"/);
  });

  it('are saved, and reports read them back', () => {
    savePairs(join(folder, 'saved', 'evaluation'), result);
    const record = readPairs(join(folder, 'saved'))[0]!;
    expect(record.measures.length).toBe(result.measures.length);
    expect(record.projections.map(({ kind }) => kind)).toEqual([
      'pca',
      'tsne',
      'umap',
      'pca',
      'tsne',
      'umap',
    ]);
    expect(readPairs(join(folder, 'nowhere'))).toEqual([]);
    writeFileSync(join(folder, 'saved', 'evaluation', 'pairs.json'), '{"version": 2}');
    expect(() => readPairs(join(folder, 'saved'))).toThrow(DataError);
    expect(
      readFileSync(savePairs(join(folder, 'saved', 'evaluation'), result), 'utf8').split('\n').length,
    ).toBeLessThan(20_000);
  });

  it('include examples of three patients, with maps of every layer and both encoders', () => {
    expect(result.examples).toHaveLength(3);
    for (const { anchors, lesion } of result.examples) {
      expect(lesion).toBe(false);
      expect(anchors.map(({ rule }) => rule)).toEqual(['centre', 'elsewhere']);
      for (const { maps } of anchors) {
        expect(maps.map(({ source, map, grid }) => `${source} ${map} ${grid}`)).toEqual(
          ['run', 'untrained'].flatMap((source) => [
            `${source} 1 14`,
            `${source} 2 8`,
            `${source} 3 4`,
            `${source} 4 2`,
          ]),
        );
        for (const { grid, anchor, a, b } of maps) {
          expect([a.length, b.length]).toEqual([grid ** 2, grid ** 2]);
          expect(a[anchor]).toBeCloseTo(1, 2);
        }
      }
    }
  });
});

describe('on identical modalities', () => {
  it('every encoder and the pixels put mates at distance 0, with full agreement and L_C 0', async () => {
    const path = manifest('same.csv', (i) => `x${i},${pairs.subjects[i]},x${i}-a.png,x${i}-a.png,benign`);
    const same = await measure({ data: { path, positive: 'benign' } });
    for (const { claim, value, againstChance, key } of same.measures) {
      if (claim === 'agreement') expect(value, key).toBeCloseTo(1, 9);
      if (claim === 'distance') expect(againstChance.value, key).toBeLessThan(1e-6);
      if (claim === 'retrieval') expect(value, key).toBe(1);
      if (claim === 'consistency') expect(value, key).toBe(0);
    }
    // Zero padding and the bright middle are common to all images, so strangers agree as well, but not fully.
    expect(measureOf(same, 'agreement/run/map1/4x4/all').chance.value).toBeLessThan(0.97);
    expect(same.exposure.kind).toBe('transductive'); // by the images, though the data is another
  });
});

describe('on mates that are permuted among patients', () => {
  it('no measure is better than chance', async () => {
    // Each A is paired with the B of the next patient, so mates are strangers.
    const path = manifest(
      'permuted.csv',
      (i) => `x${i},${pairs.subjects[i]},x${i}-a.png,x${(i + 2) % 16}-b.png,${pairs.labels[i]}`,
    );
    const permuted = await measure({ data: { path } });
    for (const { claim, key, againstChance } of permuted.measures) {
      // With 16 pairs chance and value differ by noise only. L_Glo keeps its augmented half.
      if (claim === 'distance' || claim === 'consistency')
        expect(Math.abs(againstChance.value! - 1), key).toBeLessThan(0.3);
      if (claim === 'agreement') expect(Math.abs(againstChance.value!), key).toBeLessThan(0.2);
    }
  });
});

describe('with a held-out fold', () => {
  it('each encoder measures its own fold, and samples set aside are not touched', async () => {
    const { folds } = JSON.parse(readFileSync(splits, 'utf8')) as { folds: Record<string, number | string> };
    const open = pairs.ids.filter((id) => folds[id] !== SET_ASIDE);
    for (const options of [{ run: inFolds }, { run: inFolds, splits }]) {
      const held = await measure(options);
      expect(held.data).toMatchObject({ pairs: open.length, chosen: 'held-out', setAside: 16 - open.length });
      expect(held.exposure).toEqual({ kind: 'in-fold', seenTestSamples: 0, testSamples: open.length });
      for (const { position } of held.examples) expect(open).toContain(pairs.ids[position]);
    }
    const all = await measure({ splits });
    expect(all.data).toMatchObject({ pairs: open.length, chosen: 'all', setAside: 16 - open.length });
    expect(all.data.drawnFrom).toBeUndefined();
    expect(all.notes.join(' ')).toContain('set aside: they were not touched');
    const drawn = await measure({ splits, pairs: open.length - 2 });
    expect(drawn.data).toMatchObject({ pairs: open.length - 2, chosen: 'all', drawnFrom: open.length });
  });

  it('an encoder that did not see the samples set aside measures them and nothing else', async () => {
    const kept = await train(join(folder, 'kept'), { 'data.splits': splits });
    const { folds } = JSON.parse(readFileSync(splits, 'utf8')) as { folds: Record<string, number | string> };
    const aside = pairs.ids.filter((id) => folds[id] === SET_ASIDE);
    const found = await measure({ run: kept, setAside: true });
    expect(found.data).toMatchObject({ pairs: aside.length, chosen: 'set-aside', setAside: 0 });
    expect(found.exposure).toEqual({ kind: 'in-fold', seenTestSamples: 0, testSamples: aside.length });
    for (const { position } of found.examples) expect(aside).toContain(pairs.ids[position]);
    const file = savePairs(join(folder, 'aside', 'evaluation'), found);
    expect(basename(file)).toBe('pairs-set-aside.json');
    // The result on pairs is no judgement by labels.
    expect(readEvaluations(join(folder, 'aside'))).toEqual([]);
    await expect(measure({ run: inFolds, splits, setAside: true })).rejects.toThrow(
      'has 2 encoders, one a fold',
    );
    await expect(measure({ setAside: true })).rejects.toThrow('no sample to judge is set aside');
  });

  it('one encoder measures other data, and a note says so', async () => {
    const other = await tinyPairs(join(folder, 'other'), 3, 99);
    const transfer = await measure({ run: inFolds, data: { path: other.manifest } });
    expect(transfer.exposure.kind).toBe('transfer');
    expect(transfer.data.chosen).toBe('all');
    expect(transfer.notes.join(' ')).toContain('the first one measured all');
  });
});

describe('a run of another method', () => {
  it('is measured with the paper’s losses on the maps that fit, each modality with its own encoder', async () => {
    const cmc = await train(join(folder, 'cmc'), { 'method.name': 'cmc' });
    const measured = await measure({ run: cmc });
    expect(measured.settings).toMatchObject({ maps: [1, 2, 3], global: { tau: 0.07 } });
    expect(measured.notes.join(' ')).toContain('A and B have an encoder each');
    // Equal images give different outputs, as A and B go through different weights. The untrained encoder gives the
    // same.
    const same = manifest('same-cmc.csv', (i) => `x${i},${pairs.subjects[i]},x${i}-a.png,x${i}-a.png,benign`);
    const twice = await measure({ run: cmc, data: { path: same, positive: 'benign' } });
    expect(measureOf(twice, 'distance/run/head').value).toBeGreaterThan(0.01);
    expect(measureOf(twice, 'distance/untrained/head').value).toBeLessThan(1e-6);
  });
});

describe('with masks', () => {
  it('zones are measured for the pairs that have a lesion, and missing files are counted', async () => {
    const masks = join(folder, 'masks');
    mkdirSync(masks, { recursive: true });
    const { default: sharp } = await import('sharp');
    const square = Uint8Array.from({ length: 64 * 64 }, (_, at) => (at % 64 < 24 && at < 64 * 24 ? 255 : 0));
    for (const id of ['x0', 'x2', 'x4']) {
      await sharp(square, { raw: { width: 64, height: 64, channels: 1 } })
        .png()
        .toFile(join(masks, `${id}.png`));
    }
    const masked = await measure({ masks });
    expect(masked.data.withLesion).toBe(3);
    expect(masked.notes.join(' ')).toContain('3 of 16 pairs have a known lesion (13 have no mask file)');
    for (const zone of ['inside', 'around', 'rest']) {
      expect(measureOf(masked, `agreement/pixels/patch-mean/4x4/${zone}`).pairs).toBe(3);
    }
    expect(measureOf(masked, 'agreement/pixels/patch-mean/4x4/inside').againstRest!.kind).toBe('difference');
    expect(masked.examples.map(({ lesion }) => lesion)).toEqual([true, true, true]);
    // Measures that need no masks do not change.
    expect(measureOf(masked, 'agreement/run/map1/4x4/all')).toEqual(
      measureOf(result, 'agreement/run/map1/4x4/all'),
    );
    await expect(measure({ masks: join(folder, 'nowhere') })).rejects.toThrow(DataError);
  });
});

describe('evaluatePairs refuses', () => {
  it('one modality, one patient, and the splits of other data', async () => {
    const single = manifest(
      'single.csv',
      (i) => `x${i},${pairs.subjects[i]},x${i}-a.png,benign`,
      'id,subject,a,label',
    );
    await expect(
      measure({ data: { path: single, positive: 'benign', columns: { b: null } } }),
    ).rejects.toThrow(/one modality \(a\), and pairs of two are needed/);
    const alone = manifest('alone.csv', (i) => `x${i},p,x${i}-a.png,x${i}-b.png,benign`);
    await expect(measure({ data: { path: alone, positive: 'benign' } })).rejects.toThrow(
      /are of one subject, expected at least 2/,
    );
    // A splits file without an open fold is refused where it is read. A run whose folds are all of other data has
    // nothing to measure.
    const strange = await tinyPairs(join(folder, 'strange'), 2, 5);
    await expect(measure({ splits, data: { path: strange.manifest } })).rejects.toThrow(DataError);
  });
});
