import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluatePairs } from '../../../src/evaluation/pairs/evaluatePairs.js';
import { choosePair } from '../../../src/evaluation/pairs/plan.js';
import { savePairs } from '../../../src/evaluation/pairs/savePairs.js';
import { readEvaluations, readPairs } from '../../../src/evaluation/readResults.js';
import { pairsFile } from '../../../src/evaluation/results/pairsResult.js';
import { MessageConsole } from '../../../src/log/console.js';
import { mechanismsOf } from '../../../src/report/judged/mechanism.js';
import { withOneThread } from '../../training/tiny.js';
import { gapped, packed, randomRun } from '../gappedImages.js';

withOneThread();

const hasImage = (modality: string, i: number) => modality === 'flair' || (modality === 't1' ? i > 1 : i > 3);
const three = gapped(['flair', 't1', 't1c'], 8, hasImage);
let folder: string;
let run: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pair-'));
  run = await randomRun(join(folder, 'run'), await packed(folder, 'three', three));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('of several modalities two are measured, the first two or those asked for, on samples that have both', async () => {
  // The measures of a pair alone, without the third modality and the samples that lack one of the two.
  const samples = three.samples
    .slice(4)
    .map((sample) => ({ ...sample, images: { flair: sample.images.flair!, t1c: sample.images.t1c! } }));
  const path = await packed(folder, 'two', { ...three, modalities: ['flair', 't1c'], samples });
  const options = { run, replicates: 40, precision: 'fp32', cacheFolder: join(folder, 'cache') } as const;
  const byDefault = await evaluatePairs(options);
  const asked = await evaluatePairs({ ...options, pair: ['flair', 't1c'] });
  const alone = await evaluatePairs({ ...options, data: { path } });
  expect(byDefault.data).toMatchObject({ modalities: ['flair', 't1'], pairs: 14, lacking: 2 });
  expect(asked.data).toMatchObject({ pairs: 12, lacking: 4, among: ['flair', 't1', 't1c'] });
  expect(alone.data.lacking).toBeUndefined();
  expect(asked.notes.join(' ')).toContain(
    'A is flair and B is t1c, of the modalities flair, t1, t1c; --pair measures two others. 4 samples lack flair or t1c',
  );
  const ofPixels = ({ measures }: typeof asked) => measures.filter(({ source }) => source === 'pixels');
  expect(ofPixels(asked)).toEqual(ofPixels(alone));
  expect(asked.examples.every(({ position }) => position > 3)).toBe(true);

  const files = [byDefault, asked].map((record) => basename(savePairs(join(run, 'evaluation'), record)));
  expect(files).toEqual(['pairs.json', 'pairs-flair-t1c.json']);
  expect(readPairs(run).map(({ data }) => data.modalities[1])).toEqual(['t1', 't1c']);
  expect(readEvaluations(run)).toEqual([]);
  const { tables, groups } = await mechanismsOf([{ name: 'Run', open: readPairs(run), aside: [] }], {
    run: undefined,
    data: { reason: 'not here' },
    show: false,
    console: new MessageConsole({ quiet: true }),
  });
  expect(tables.map(({ title }) => title)).toEqual([
    'The paper’s claims about pairs on flair and t1',
    'The paper’s claims about pairs on flair and t1c',
  ]);
  const ids = groups.flatMap(({ figures }) => figures.map(({ id }) => id));
  expect(new Set(ids).size).toBe(ids.length);
});

test('a pair must be two different modalities of the data, which some samples have both', () => {
  for (const wrong of [['flair'], ['flair', 'flair'], ['flair', 't2'], ['flair', 't1', 't1c']]) {
    expect(() => choosePair(three, wrong)).toThrow(
      `--pair is ${wrong.join(' ')}, expected two different ones of the modalities flair, t1, t1c`,
    );
  }
  const apart = gapped(
    ['a', 'b', 'c'],
    4,
    (modality, i) => modality === 'a' || (modality === 'b') === i % 2 > 0,
  );
  expect(() => choosePair(apart, ['b', 'c'])).toThrow(
    'no sample has both b and c, so there is no pair to measure; name another pair with --pair',
  );
  expect(choosePair(apart).positions).toEqual([1, 3, 5, 7]);
});

test('the file of a pair is named by it where the data has others, and by what is set aside', () => {
  const among = ['flair', 't1', 'T1 c'];
  const named = (modalities: [string, string], chosen: 'all' | 'set-aside' = 'all') =>
    pairsFile({ modalities, among, chosen });
  expect(named(['flair', 't1'])).toBe('pairs.json');
  expect(named(['t1', 'T1 c'])).toBe('pairs-t1-t1-c.json');
  expect(named(['t1', 'flair'], 'set-aside')).toBe('pairs-set-aside-t1-flair.json');
  expect(pairsFile({ modalities: ['a', 'b'], chosen: 'set-aside' })).toBe('pairs-set-aside.json');
});
