import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { RunEncoder } from '../../../src/evaluation/encoders/runEncoders.js';
import { exposureOf } from '../../../src/evaluation/folds/exposure.js';
import { traceImages } from '../../../src/evaluation/folds/imageTrace.js';
import { exposureNotes } from '../../../src/evaluation/summary/notes.js';
import { datasetSpec } from '../../../src/training/datasetSpec.js';
import { nifti } from '../../data/handmadeVolumes.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'exposure-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('a run has seen the volume whose other slices are judged, and no other volume', async () => {
  for (const [i, name] of ['seen', 'new'].entries()) {
    writeFileSync(
      join(folder, `${name}.nii`),
      nifti([32, 32, 4], (x, y, z) => x + y * z + i),
    );
    writeFileSync(join(folder, `${name}.csv`), `id,subject,a\n${name},${name},${name}.nii\n`);
  }
  const configOf = (name: string, slices: string) =>
    resolveConfig({
      set: [
        `data.path=${join(folder, `${name}.csv`)}`,
        'data.columns={b: null}',
        `data.volumes=${slices}`,
        'data.preprocess.a={intensity: {kind: minmax}}',
      ],
    });
  const own = { root: folder, config: configOf('seen', '{from: 0, to: 1}') } as RunEncoder;
  const inRun = async (name: string, slices: string) => {
    const dataset = await openDataset(datasetSpec(configOf(name, slices)));
    const cache = await openImageCache(dataset, { size: 32, root: join(folder, 'cache') });
    return (await traceImages({ root: folder, name: 'run', encoders: [own] }, dataset, cache, undefined))
      .inRun;
  };
  expect(await inRun('seen', '{from: 2, to: 3}')).toEqual([true, true]);
  expect(await inRun('seen', '{axis: 0, to: 0}')).toEqual([true]);
  expect(await inRun('new', '{from: 2, to: 3}')).toEqual([false, false]);
});

it('images saved anew are not recognised, but samples of the same names show that they may be', async () => {
  const manifest = (name: string, ids: readonly string[], image: (i: number) => string) => {
    const lines = ids.map((id, i) => `${id},patient-${id},${image(i)}`);
    writeFileSync(join(folder, `${name}.csv`), ['id,subject,a', ...lines].join('\n'));
    return resolveConfig({ set: [`data.path=${join(folder, `${name}.csv`)}`, 'data.columns={b: null}'] });
  };
  for (const i of [0, 1]) {
    const raw = { raw: { width: 32, height: 32, channels: 1 } } as const;
    const pixels = Uint8Array.from({ length: 1024 }, (_, k) => (k * (i + 3)) % 251);
    for (const compressionLevel of [1, 9]) {
      await sharp(pixels, raw)
        .png({ compressionLevel })
        .toFile(join(folder, `${i}-${compressionLevel}.png`));
    }
  }
  const own = {
    root: folder,
    config: manifest('own', ['p', 'q'], (i) => `${i}-1.png`),
    fold: 'none',
  } as RunEncoder;
  const run = { root: folder, name: 'run', encoders: [own] };
  const exposed = async (config: ReturnType<typeof resolveConfig>) => {
    const dataset = await openDataset(datasetSpec(config));
    const cache = await openImageCache(dataset, { size: 32, root: join(folder, 'cache') });
    const trace = await traceImages(run, dataset, cache, undefined);
    const exposure = exposureOf({ rounds: [{ test: [0, 1], encoder: own }] }, { positions: [0, 1] }, trace);
    return { exposure, notes: exposureNotes(run, exposure).join('') };
  };
  const anew = await exposed(manifest('anew', ['p', 'q'], (i) => `${i}-9.png`));
  expect(anew.exposure).toEqual({ kind: 'transfer', seenTestSamples: 0, testSamples: 2, namesakes: 2 });
  expect(anew.notes).toContain(
    '2 of the 2 samples have the id and subject of a sample of the run’s own data',
  );
  // The file of one sample is the same, and the other sample has its own name.
  const other = await exposed(manifest('other', ['p', 'r'], (i) => `${i}-${i === 0 ? 1 : 9}.png`));
  expect(other.exposure).toEqual({ kind: 'transductive', seenTestSamples: 1, testSamples: 2 });
});
