import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DataFault } from '../../../src/data/faults.js';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import { nifti } from '../handmadeVolumes.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'brats-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const volume = nifti([2, 2, 2], () => 1);

/** Writes `folder/SUBJECT + ending` for each ending. */
function write(folder: string, subject: string, endings: readonly string[]) {
  for (const ending of endings) {
    const file = join(root, folder, `${subject}${ending}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, volume);
  }
}

async function open(spec: Partial<DatasetSpec> = {}) {
  const warnings: string[] = [];
  const faults: DataFault[] = [];
  const dataset = await openDataset(
    { path: root, ...spec },
    { onWarning: (text) => warnings.push(text), onFault: (fault) => faults.push(fault) },
  );
  return {
    ...{ dataset, warnings, faults },
    has: dataset.samples.map(({ id, subject, images }) => `${id} of ${subject}: ${Object.keys(images)}`),
  };
}

const OLD = ['_t2.nii.gz', '_t1.nii.gz', '_flair.nii.gz', '_seg.nii.gz', '_t1ce.nii.gz'];

test('the layout until 2021: modalities in a fixed order, slices as samples, and no segmentation', async () => {
  write('BraTS2021_00000', 'BraTS2021_00000', OLD);
  write('BraTS2021_00002', 'BraTS2021_00002', ['_t1.nii', '_flair.nii.gz', '_seg.nii.gz']);
  const { dataset, has, warnings } = await open();
  expect(dataset).toMatchObject({ name: 'BraTS', modalities: ['flair', 't1', 't1ce', 't2'] });
  expect(has).toEqual([
    ...[0, 1].map((z) => `BraTS2021_00000/z=00${z} of BraTS2021_00000: flair,t1,t1ce,t2`),
    ...[0, 1].map((z) => `BraTS2021_00002/z=00${z} of BraTS2021_00002: flair,t1`),
  ]);
  expect(warnings).toEqual([
    expect.stringContaining('BraTS: 2 of 4 samples lack t1ce, 2 lack t2; 2 are complete.'),
  ]);
  const volumes = { axis: 'axial', from: 1, to: 1, step: 1, content: 0 } as const;
  const chosen = await open({ volumes, modalities: ['t1', 'flair'] });
  expect(chosen.has).toEqual([0, 2].map((n) => `BraTS2021_0000${n}/z=001 of BraTS2021_0000${n}: t1,flair`));
});

test('the layout since 2023: the scans of a patient at several times are of one subject', async () => {
  const endings = ['-t1n.nii.gz', '-t1c.nii.gz', '-t2w.nii.gz', '-t2f.nii.gz', '-seg.nii.gz'];
  for (const name of ['BraTS-GLI-00005-000', 'BraTS-GLI-00005-001', 'BraTS-MET-00005-000'])
    write(name, name, endings);
  const { dataset, has } = await open();
  expect(dataset.modalities).toEqual(['flair', 't1', 't1c', 't2']);
  expect(has.filter((one) => one.includes('z=000'))).toEqual([
    'BraTS-GLI-00005-000/z=000 of BraTS-GLI-00005: flair,t1,t1c,t2',
    'BraTS-GLI-00005-001/z=000 of BraTS-GLI-00005: flair,t1,t1c,t2',
    'BraTS-MET-00005-000/z=000 of BraTS-MET-00005: flair,t1,t1c,t2',
  ]);
});

test('all files in one folder, and grades as labels', async () => {
  write('', 'p1', ['_flair.nii', '_t1.nii']);
  write('', 'p2', ['_t1.nii']);
  expect((await open()).has).toContain('p2/z=000 of p2: t1');
  rmSync(root, { recursive: true });
  write('HGG/Brats18_CBICA_AAB_1', 'Brats18_CBICA_AAB_1', OLD);
  write('LGG/Brats18_TCIA_1', 'Brats18_TCIA_1', OLD);
  const { dataset } = await open();
  expect(dataset.positive).toBe('HGG');
  expect(dataset.samples.map(({ subject, label }) => `${subject} ${label}`)).toEqual([
    ...['Brats18_CBICA_AAB HGG', 'Brats18_CBICA_AAB HGG', 'Brats18_TCIA LGG', 'Brats18_TCIA LGG'],
  ]);
});

test('more subjects than a search for known data sets looks into are all found', async () => {
  for (let i = 0; i < 205; i += 1) {
    const name = `BraTS20_${String(i).padStart(3, '0')}`;
    write(name, name, ['_flair.nii.gz', '_t1.nii.gz']);
  }
  expect((await open()).dataset.samples).toHaveLength(410);
});

test('two files of one modality and a subject without images are faults; other volumes are told', async () => {
  write('p1', 'p1', ['_flair.nii.gz', '_t1.nii.gz', '_t1.nii']);
  write('p2', 'p2', ['_seg.nii.gz']);
  write('p3', 'p3', ['_flair.nii.gz', '_t1.nii.gz', '_Segm.nii']);
  const { faults, has, warnings } = await open();
  expect(has).toEqual([0, 1].map((z) => `p3/z=00${z} of p3: flair,t1`));
  expect(faults.map(({ id, kind }) => `${id} ${kind}`)).toEqual(['p1 bad-row', 'p2 missing-file']);
  expect(warnings[0]).toContain('1 of 7 volumes is passed over');
  expect(warnings[0]).toContain('p3_Segm.nii');
});

test('a patient may be named by a pattern, and modalities that are not there are refused', async () => {
  write('S1_a', 'S1_a', ['_flair.nii', '_t1.nii']);
  write('S1_b', 'S1_b', ['_flair.nii', '_t1.nii']);
  const { dataset } = await open({ subject: '^S\\d' });
  expect(new Set(dataset.samples.map(({ subject }) => subject))).toEqual(new Set(['S1']));
  await expect(open({ modalities: ['flare'] })).rejects.toThrow(
    '--modalities: BraTS has no modality "flare"; it has flair, t1. Did you mean "flair"?',
  );
});
