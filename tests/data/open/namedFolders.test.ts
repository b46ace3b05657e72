import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import { UsageError } from '../../../src/errors.js';
import { layOut } from '../datasets/layouts.js';
import { nifti } from '../handmadeVolumes.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'named-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const at = (...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, join(root, name)] as const));

async function open(spec: DatasetSpec) {
  const warnings: string[] = [];
  const dataset = await openDataset(spec, { onWarning: (warning) => warnings.push(warning) });
  return { dataset, warnings, has: dataset.samples.map(({ id, images }) => `${id}: ${Object.keys(images)}`) };
}

describe('a folder for each modality', () => {
  it('is matched by stem, and what has no mate is missing, told with counts', async () => {
    layOut(root, ['flair/P1.png', 'flair/P2.png', 't1/P2.jpg', 't1/P3.png', 't1c/P1.png', 't1c/P3.png']);
    const { dataset, warnings, has } = await open({ folders: at('t1c', 'flair', 't1') });
    expect(dataset).toMatchObject({ name: 't1c+flair+t1', modalities: ['t1c', 'flair', 't1'] });
    expect(has).toEqual(['P1: t1c,flair', 'P2: flair,t1', 'P3: t1c,t1']);
    expect(warnings[1]).toBe(
      't1c+flair+t1: 1 of 3 samples lacks t1c, 1 lacks flair, 1 lacks t1; none is complete. What a sample lacks is left ' +
        'out where it is needed, and its other images are used.',
    );
  });

  it('is matched by what stands before the name of the modality where all stems end in it', async () => {
    layOut(root, ['flair/P1_FLAIR.png', 'flair/P2-flair.png', 't1/P1.png', 't1/P2.png']);
    expect((await open({ folders: at('flair', 't1') })).has).toEqual(['P1: flair,t1', 'P2: flair,t1']);
    // One file without the ending, and all are taken by their whole names.
    layOut(root, ['flair/P2.png', 'flair/P1.png']);
    const { has } = await open({ folders: at('flair', 't1') });
    expect(has).toEqual(['P1: flair,t1', 'P1_FLAIR: flair', 'P2: flair,t1', 'P2-flair: flair']);
    rmSync(join(root, 'flair'), { recursive: true });
    layOut(root, ['flair/P1_flair.png', 'flair/P1-flair.png']);
    await expect(open({ folders: at('flair', 't1') })).rejects.toThrow('are both of P1. Keep one of them.');
  });

  it('is refused where no two have a name in common, with examples and the nearest', async () => {
    layOut(root, ['flair/case_001.png', 't1/scan001.png', 't1/case-001x.png']);
    await expect(open({ folders: at('flair', 't1') })).rejects.toThrow(
      'flair has such as case_001.png, t1 such as case-001x.png, which is the nearest',
    );
  });

  it('is refused where it is given twice, is not there, is a file or holds folders alone', async () => {
    layOut(root, ['flair/1.png', 't1/sub/1.png', 'scan.png']);
    const flair = join(root, 'flair');
    await expect(open({ folders: { flair, t1: `${flair}/.` } })).rejects.toThrow(
      'is given for both flair and t1',
    );
    await expect(open({ folders: { flair, t1: join(root, 'flare') } })).rejects.toThrow(
      `Did you mean ${flair}?`,
    );
    await expect(open({ folders: at('flair', 't1') })).rejects.toThrow(
      'It has the sub-folders sub: name one',
    );
    await expect(open({ folders: { flair, t1: join(root, 'scan.png') } })).rejects.toThrow(
      /scan\.png \(t1\) is a file, but .*flair \(flair\) is a folder/,
    );
    await expect(open({ folders: { t1: join(root, 'scan.png') } })).rejects.toThrow('is no volume');
  });

  it('goes with no other name of data, no column and no image root', async () => {
    layOut(root, ['flair/1.png', 't1/1.png']);
    const folders = at('flair', 't1');
    await expect(open({ folders, path: root })).rejects.toThrow('Leave one of them out');
    await expect(open({ folders, pathB: root })).rejects.toThrow(UsageError);
    await expect(open({ folders, columns: { a: 'x' } })).rejects.toThrow('--column (a) goes with a manifest');
    await expect(open({ folders, imageRoot: root })).rejects.toThrow(
      `--image-root ${root} goes with a manifest`,
    );
    await expect(open({ folders: { 'a+b': root } })).rejects.toThrow('--data: "a+b" has "+" in it');
    expect((await open({ folders, modalities: ['t1'] })).dataset.modalities).toEqual(['t1']);
  });

  it('may be a volume each, whose slices lack none', async () => {
    for (const name of ['x_flair.nii.gz', 'x_t1.nii.gz'])
      writeFileSync(
        join(root, name),
        nifti([2, 3, 4], () => 1),
      );
    const folders = { flair: join(root, 'x_flair.nii.gz'), t1: join(root, 'x_t1.nii.gz') };
    const { dataset, has } = await open({ folders });
    expect(has).toEqual([0, 1, 2, 3].map((z) => `x/z=00${z}: flair,t1`));
    expect(new Set(dataset.samples.map(({ subject }) => subject))).toEqual(new Set(['x']));
  });

  it('may hold volumes, of which some lack a modality', async () => {
    for (const name of ['flair', 't1']) mkdirSync(join(root, name));
    for (const name of ['flair/p1.nii.gz', 'flair/p2.nii.gz', 't1/p2.nii.gz']) {
      writeFileSync(
        join(root, name),
        nifti([2, 2, 2], () => 1),
      );
    }
    const { has } = await open({ folders: at('flair', 't1') });
    expect(has).toEqual(['p1/z=000: flair', 'p1/z=001: flair', 'p2/z=000: flair,t1', 'p2/z=001: flair,t1']);
  });
});
