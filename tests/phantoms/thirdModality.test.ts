import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { resize } from '../../src/data/images/resize.js';
import { openDataset } from '../../src/data/openDataset.js';
import type { GeneratedSource, Raster, Sample } from '../../src/data/sample.js';
import { UsageError } from '../../src/errors.js';
import { ridgeBaseline } from '../../src/evaluation/probes/ridge.js';
import { rocAuc } from '../../src/metrics/areas/rocAuc.js';
import { featureRows, takeRows } from '../../src/metrics/features/features.js';
import { generatePair } from '../../src/phantoms/breast/breastPhantom.js';
import { generateFundusPair } from '../../src/phantoms/fundus/fundusPhantom.js';
import { openPhantom } from '../../src/phantoms/openPhantom.js';

const render = (sample: Sample, modality: string, size: number): Raster =>
  (sample.images[modality] as GeneratedSource).render(size);

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(['breast', 'fundus'])('phantom:%s with three modalities', (family) => {
  const name = `phantom:${family},pairs=6,seed=3`;

  test('keeps the other two as they are, in key and pixels, and adds c', async () => {
    const [two, three] = await Promise.all([
      openDataset({ path: name }),
      openDataset({ path: `${name},modalities=3` }),
    ]);
    expect(three.modalities).toEqual(['a', 'b', 'c']);
    expect(three.simulated).toEqual(['a', 'b', 'c']);
    for (const [i, sample] of three.samples.entries()) {
      const before = two.samples[i]!;
      expect({ ...sample, images: {} }).toEqual({ ...before, images: {} });
      for (const modality of ['a', 'b']) {
        const [now, then] = [sample.images[modality], before.images[modality]] as GeneratedSource[];
        expect(now!.key).toBe(then!.key);
        if (i < 2) expect(now!.render(32)).toEqual(then!.render(32));
      }
    }
    const { dataset, pair } = await openPhantom(`${name},modalities=3`);
    expect(pair(1, 32).c).toEqual(render(dataset.samples[1]!, 'c', 32));
    expect((await openPhantom(name)).pair(1, 32)).not.toHaveProperty('c');
    await expect(openPhantom(`${name},modalities=4`).then(({ dataset }) => dataset)).rejects.toThrow(
      'modalities is 4, expected a whole number from 2 to 3',
    );
  });

  test('bends c by itself where it is misaligned, whatever b does', async () => {
    const draw = async (options: string) => (await openPhantom(`${name},modalities=3${options}`)).pair(0, 48);
    const [still, bent] = [await draw(''), await draw(',misalignment=4')];
    expect(bent.a).toEqual(still.a);
    expect(bent.c).not.toEqual(still.c);
  });
});

describe('the strain elastogram', () => {
  test('is dark where the lesion is stiffer than what is around it, and tells nothing of the level', () => {
    const stiff: number[] = [];
    const soft: number[] = [];
    for (let index = 0; index < 60; index += 1) {
      const { c, masks, params } = generatePair({ seed: 4, index, size: 48, gray: true, modalities: 3 });
      const at = (inside: boolean) =>
        [...masks.lesion.keys()].filter((i) => masks.layers[i] === 2 && (masks.lesion[i] === 1) === inside);
      const level = (places: readonly number[]) => mean(places.map((i) => c!.data[i]!));
      const relative = params.stiffness.lesion / (14 * params.stiffness.patientScale);
      (relative > 3 ? stiff : soft).push(level(at(true)) - level(at(false)));
    }
    expect(mean(stiff)).toBeLessThan(-25);
    expect(mean(soft)).toBeGreaterThan(mean(stiff) + 20);
  });

  test('is noise behind what takes the echoes away', () => {
    const noisy: number[] = [];
    const clear: number[] = [];
    for (let index = 0; index < 60; index += 1) {
      const { c, masks, params } = generatePair({ seed: 5, index, size: 64, gray: true, modalities: 3 });
      const inside = [...masks.lesion.keys()].filter((i) => masks.lesion[i] === 1 && i % 64 < 63);
      const steps = inside.map((i) => Math.abs(c!.data[i]! - c!.data[i + 1]!));
      (params.signs.shadowing || params.signs.cyst ? noisy : clear).push(mean(steps));
    }
    expect(mean(noisy)).toBeGreaterThan(1.5 * mean(clear));
  });
});

describe('the autofluorescence', () => {
  test('has vessels, disc, fovea and atrophy dark on a glowing background', () => {
    const levels: Record<string, number[]> = { vessels: [], disc: [], atrophy: [], around: [] };
    for (let index = 0; index < 12; index += 1) {
      const { c, masks } = generateFundusPair({ seed: 1, index, size: 96, modalities: 3 });
      const level = (inside: (at: number) => boolean) => {
        const places = [...c!.data.keys()].filter((at) => inside(at));
        return places.length < 20 ? undefined : mean(places.map((at) => c!.data[at]!));
      };
      const near = (at: number) => Math.hypot((at % 96) - 48, Math.floor(at / 96) - 48) < 36;
      const marked = (at: number) => Object.values(masks).some((mask) => mask[at]! > 0);
      const seen = {
        vessels: level((at) => masks.vessels[at]! > 0 && near(at)),
        disc: level((at) => masks.disc[at]! > 0),
        atrophy: level((at) => masks.atrophy[at]! > 0),
        around: level((at) => near(at) && !marked(at)),
      };
      for (const [key, value] of Object.entries(seen)) if (value !== undefined) levels[key]!.push(value);
    }
    expect(mean(levels.vessels!)).toBeLessThan(0.8 * mean(levels.around!));
    expect(mean(levels.disc!)).toBeLessThan(0.5 * mean(levels.around!));
    expect(mean(levels.atrophy!)).toBeLessThan(0.5 * mean(levels.around!));
  });
});

/** AUC of ridge regression on 12 × 12 thumbnails of one modality, over three folds. */
async function thumbnailAuc(name: string, modality: string): Promise<number> {
  const { samples, positive } = await openDataset({ path: name });
  const labels = samples.map(({ label }) => (label === positive ? 1 : 0));
  const rows = samples.map((sample) => {
    const { data, channels } = resize(render(sample, modality, 36), 12, 12);
    return Array.from({ length: 144 }, (_, at) => data[channels * at + (channels === 3 ? 2 : 0)]! / 255);
  });
  const features = featureRows(Float64Array.from(rows.flat()), rows.length, 144);
  const scores = new Float64Array(labels.length);
  for (let fold = 0; fold < 3; fold += 1) {
    const train = [...labels.keys()].filter((i) => i % 3 !== fold);
    const test = [...labels.keys()].filter((i) => i % 3 === fold);
    const { scores: judged } = ridgeBaseline(
      takeRows(features, train),
      train.map((i) => labels[i]!),
      takeRows(features, test),
      train.map((_, k) => k % 3),
      { grid: [0.01, 0.1, 1] },
    );
    for (const [k, i] of test.entries()) scores[i] = judged[k]!;
  }
  return rocAuc(scores, labels);
}

describe('missing=', () => {
  const open = async (options: string) => (await openDataset({ path: `phantom:breast,${options}` })).samples;

  test('leaves out the share of images asked for, and one of each sample at least', async () => {
    const samples = await open('pairs=600,modalities=3,missing=0.3');
    for (const modality of ['a', 'b', 'c']) {
      const share = samples.filter(({ images }) => !(modality in images)).length / samples.length;
      expect(Math.abs(share - 0.29)).toBeLessThan(0.07);
    }
    const most = await open('pairs=200,modalities=3,missing=0.99');
    expect(new Set(most.map(({ images }) => Object.keys(images).length))).toContain(1);
    expect(most.every(({ images }) => Object.keys(images).length > 0)).toBe(true);
  });

  test('draws for each image by itself, whatever else is drawn', async () => {
    const has = (samples: readonly Sample[]) => samples.map(({ images }) => Object.keys(images).join(''));
    const few = has(await open('pairs=20,missing=0.4'));
    expect(has(await open('pairs=40,missing=0.4')).slice(0, 20)).toEqual(few);
    expect(has(await open('pairs=20,missing=0.4,seed=1'))).not.toEqual(few);
    expect(has(await open('pairs=20,missing=0'))).toEqual(Array(20).fill('ab'));
  });

  test('is refused out of its range', async () => {
    for (const missing of ['1', '-0.1', 'x']) {
      await expect(open(`pairs=2,missing=${missing}`)).rejects.toThrow(UsageError);
    }
    await expect(open('pairs=2,misssing=0.3')).rejects.toThrow('Did you mean "missing"?');
  });
});

test.each([
  ['phantom:breast,pairs=120,modalities=3', 0.55, 0.9],
  ['phantom:fundus,pairs=120,modalities=3,task=amd', 0.5, 0.85],
])('thumbnails of c tell the class of %s to a degree', async (name, least, most) => {
  const auc = await thumbnailAuc(name, 'c');
  expect(auc).toBeGreaterThan(least);
  expect(auc).toBeLessThan(most);
});

/** Digests of the third modality's pixels. If this fails, the phantom has changed: raise its version. */
test('c keeps its pixels', () => {
  const digest = ({ data }: Raster) => createHash('sha256').update(data).digest('hex').slice(0, 16);
  const breast = { seed: 0, size: 64, modalities: 3 };
  expect([
    digest(generatePair({ ...breast, index: 5 }).c!),
    digest(generatePair({ ...breast, index: 90, overlay: false }).c!),
    digest(generatePair({ ...breast, index: 3, gray: true, misalignment: 2 }).c!),
    digest(generateFundusPair({ seed: 0, index: 1, size: 64, modalities: 3 }).c!),
    digest(generateFundusPair({ seed: 0, index: 4, size: 64, modalities: 3, task: 'amd' }).c!),
  ]).toEqual([
    '9f0f9b2840aff20c',
    'd07157f8d25b410d',
    '6e9564adb82f6284',
    '5b4c097d97dde9b9',
    '98f9cabaa8f47954',
  ]);
});
