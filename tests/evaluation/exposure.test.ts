import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { openImageCache } from '../../src/data/cache/cache.js';
import { openDataset } from '../../src/data/dataset.js';
import { traceImages } from '../../src/evaluation/exposure.js';
import type { RunEncoder } from '../../src/evaluation/runEncoders.js';
import { datasetSpec } from '../../src/training/datasetSpec.js';
import { nifti } from '../data/handmadeVolumes.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'exposure-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('a run has met the volume whose other slices are judged, and no other volume', async () => {
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
