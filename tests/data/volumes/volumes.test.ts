import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataFault } from '../../../src/data/faults.js';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import type { VolumeOptions } from '../../../src/data/volumes/volumes.js';
import { DataError, UsageError } from '../../../src/errors.js';
import { dicomFile, image } from '../handmadeDicom.js';
import { GRAY, png } from '../handmadeImages.js';
import { dicom, nifti, upright } from '../handmadeVolumes.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volumes-'));
  mkdirSync(join(folder, 'A'));
  mkdirSync(join(folder, 'B'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const place = (name: string) => join(folder, name);
const write = (files: Readonly<Record<string, Buffer | string>>) => {
  for (const [name, content] of Object.entries(files)) writeFileSync(place(name), content);
};
const ALL: VolumeOptions = { axis: 'axial', from: null, to: null, step: 1, content: 0 };
const bright = () => 9;

async function open(spec: DatasetSpec) {
  const faults: DataFault[] = [];
  const warnings: string[] = [];
  const dataset = await openDataset(spec, {
    onWarning: (warning) => warnings.push(warning),
    onFault: (fault) => faults.push(fault),
  });
  return { ...dataset, ids: dataset.samples.map(({ id }) => id), faults, warnings };
}

describe('NIfTI volumes', () => {
  const two = () => ({ path: place('flair.nii.gz'), pathB: place('t1.nii.gz') });

  it('become one sample for each slice, all of one subject', async () => {
    write({ 'flair.nii.gz': nifti([2, 3, 4], bright), 't1.nii.gz': nifti([2, 3, 4], bright) });
    const { name, modalities, samples } = await openDataset(two());
    expect({ name, modalities }).toEqual({ name: 'flair+t1', modalities: ['a', 'b'] });
    expect(samples.map(({ id }) => id)).toEqual(['flair/z=000', 'flair/z=001', 'flair/z=002', 'flair/z=003']);
    expect(samples[1]).toEqual({
      id: 'flair/z=001',
      subject: 'flair',
      images: {
        a: { kind: 'file', path: place('flair.nii.gz'), part: { kind: 'slice', axis: 2, index: 1 } },
        b: { kind: 'file', path: place('t1.nii.gz'), part: { kind: 'slice', axis: 2, index: 1 } },
      },
    });
    const alone = await openDataset({ path: place('flair.nii.gz') });
    expect(alone).toMatchObject({ name: 'flair', modalities: ['a'] });
    expect(alone.samples).toHaveLength(4);
  });

  it('give the slices that axis or plane, from, to and step ask for', async () => {
    // Stored with the top along the first axis: axial slices lie across it.
    const onItsSide = [
      [0, 0, 1, 0],
      [0, 1, 0, 0],
      [1, 0, 0, 0],
    ];
    write({ 'v.nii.gz': nifti([8, 3, 4], bright, onItsSide) });
    const ids = async (volumes: Partial<VolumeOptions>) =>
      (await open({ path: place('v.nii.gz'), volumes: { ...ALL, ...volumes } })).ids;
    expect(await ids({ from: 1, to: 5, step: 2 })).toEqual(['v/x=001', 'v/x=003', 'v/x=005']);
    expect(await ids({ axis: 'coronal' })).toEqual(['v/y=000', 'v/y=001', 'v/y=002']);
    expect(await ids({ axis: 2, from: 2, to: 99 })).toEqual(['v/z=002', 'v/z=003']);
    await expect(openDataset({ path: place('v.nii.gz'), volumes: { ...ALL, from: 8 } })).rejects.toThrow(
      '"v": none of the 8 slices is left',
    );
    await expect(
      openDataset({ path: place('v.nii.gz'), volumes: { ...ALL, from: 3, to: 2 } }),
    ).rejects.toThrow(UsageError);
  });

  it('leave out slices with too little in them in any modality', async () => {
    // Slice z of the first has z of 4 voxels above its darkest; of the second, all but the last slice are full.
    write({
      'flair.nii.gz': nifti([2, 2, 5], (x, y, z) => (x + 2 * y < z ? 7 : 1)),
      't1.nii.gz': nifti([2, 2, 5], (_x, _y, z) => (z < 4 ? 7 : 1)),
    });
    const ids = async (content: number) => (await open({ ...two(), volumes: { ...ALL, content } })).ids;
    expect(await ids(0.5)).toEqual(['flair/z=002', 'flair/z=003']);
    expect(await ids(0.6)).toEqual(['flair/z=003']);
    expect(await ids(0)).toHaveLength(5);
  });

  it('are refused where their sizes or places differ, but not for small differences of the headers', async () => {
    write({ 'flair.nii.gz': nifti([2, 3, 4], bright), 't1.nii.gz': nifti([2, 3, 5], bright) });
    const message = `a and b are not co-registered: ${place('flair.nii.gz')} has 2×3×4 voxels, ${place('t1.nii.gz')} 2×3×5 voxels`;
    await expect(openDataset(two())).rejects.toThrow(message);
    await expect(openDataset(two())).rejects.toThrow(DataError);
    expect((await open(two())).faults).toEqual([
      { kind: 'bad-row', id: 'flair', message: expect.stringContaining(message) },
    ]);
    write({ 't1.nii.gz': nifti([2, 3, 4], bright, upright([0, 3, 4])) });
    await expect(openDataset(two())).rejects.toThrow('their voxels lie up to 5.0 voxels apart');
    write({ 't1.nii.gz': nifti([2, 3, 4], bright, upright([0, 0.05, 0])) });
    expect((await openDataset(two())).samples).toHaveLength(4);
    const turned = upright().map((row, i) => (i === 0 ? row.map((entry) => -entry) : row));
    write({ 't1.nii.gz': nifti([2, 3, 4], bright, turned) });
    await expect(openDataset(two())).rejects.toThrow('not co-registered');
  });

  it('are matched in two folders without .nii.gz, each a subject of its own; a damaged one is told or left out', async () => {
    for (const side of ['A', 'B']) {
      write({
        [`${side}/p1.nii.gz`]: nifti([2, 2, 2], bright),
        [`${side}/p2.nii.gz`]: nifti([2, 2, 3], bright),
      });
    }
    const spec = { path: place('A'), pathB: place('B') };
    const { ids, samples } = await open(spec);
    expect(ids).toEqual(['p1/z=000', 'p1/z=001', 'p2/z=000', 'p2/z=001', 'p2/z=002']);
    expect([...new Set(samples.map(({ subject }) => subject))]).toEqual(['p1', 'p2']);
    write({ 'B/p2.nii.gz': 'no volume' });
    await expect(openDataset(spec)).rejects.toThrow(/1 sample cannot be taken apart.*p2\.nii\.gz/s);
    expect(await open(spec)).toMatchObject({ ids: ids.slice(0, 2), faults: [{ id: 'p2' }] });
  });
});

describe('a manifest', () => {
  it('gives subject, label, fold and all else of a row to each slice or frame of its files', async () => {
    write({
      'v.nii.gz': nifti([2, 2, 2], bright),
      'cine.dcm': dicom({ frames: 3, patientId: 'someone else' }),
      'plain.dcm': dicom({}),
      'one.png': png(1, 8, GRAY, [[0]]),
      'm.csv': [
        'id,subject,a,b,label,fold,age',
        'v,p1,v.nii.gz,v.nii.gz,tumor,0,61',
        'cine,p2,cine.dcm,cine.dcm,none,1,62',
        'plain,p3,plain.dcm,one.png,none,1,63',
      ].join('\n'),
    });
    const { ids, samples } = await open({ path: place('m.csv') });
    expect(ids).toEqual(['v/z=000', 'v/z=001', 'cine/frame=0', 'cine/frame=1', 'cine/frame=2', 'plain']);
    expect(samples[3]).toEqual({
      id: 'cine/frame=1',
      subject: 'p2',
      images: {
        a: { kind: 'file', path: place('cine.dcm'), part: { kind: 'frame', index: 1 } },
        b: { kind: 'file', path: place('cine.dcm'), part: { kind: 'frame', index: 1 } },
      },
      label: 'none',
      fold: 1,
      extra: { age: '62' },
      origin: `${place('m.csv')}:3`,
    });
    expect(samples[5]!.images.a).toEqual({ kind: 'file', path: place('plain.dcm') });
  });

  it('is refused for all rows at once where a volume stands beside one image, or frames differ', async () => {
    write({
      'v.nii.gz': nifti([2, 2, 2], bright),
      'three.dcm': dicom({ frames: 3 }),
      'two.dcm': dicom({ frames: 2 }),
      'small.dcm': dicom({ frames: 3, rows: 2 }),
      'one.png': png(1, 8, GRAY, [[0]]),
      'm.csv': 'id,subject,a,b\n1,p,v.nii.gz,one.png\n2,p,three.dcm,two.dcm\n3,p,three.dcm,small.dcm\n',
    });
    const error = (await openDataset({ path: place('m.csv') }).catch((e: Error) => e)) as Error;
    expect(error.message).toContain('3 samples cannot be taken apart');
    expect(error.message).toContain(`${place('v.nii.gz')} has 2×2×2 voxels, ${place('one.png')} one image`);
    expect(error.message).toContain('3 frames of 6×4 pixels');
    expect(error.message).toContain('2 frames of 6×4 pixels');
    expect(error.message).toContain('3 frames of 6×2 pixels');
  });
});

describe('DICOM headers that the pixel data contradict', () => {
  it('are told once for all samples, with one of them', async () => {
    const said = (frames: string | undefined, bytes: number) =>
      dicomFile(image(2, 2, Buffer.alloc(bytes), { '0028,0008 IS': frames }));
    write({
      'none.dcm': said('0', 4),
      'three.dcm': said('0', 12),
      'right.dcm': said('2', 8),
      'm.csv': [
        'id,subject,a,b',
        '1,p1,right.dcm,right.dcm',
        '2,p2,none.dcm,none.dcm',
        '3,p3,three.dcm,three.dcm',
      ].join('\n'),
    });
    const { ids, warnings } = await open({ path: place('m.csv') });
    expect(ids).toEqual(['1/frame=0', '1/frame=1', '2', '3/frame=0', '3/frame=1', '3/frame=2']);
    expect(warnings).toEqual([
      '2 of 3 samples: the header gives no valid number of frames, so as many are read as the pixel data hold. ' +
        'For instance "2" (a): says "0" frames, holds 1.',
    ]);
  });
});

describe('subjects of DICOM files', () => {
  const spec = () => ({ path: place('A'), pathB: place('B') });

  it('are the patient, else the study, with a warning where neither is told', async () => {
    for (const side of ['A', 'B']) {
      write({
        [`${side}/1.dcm`]: dicom({ patientId: 'ann', studyId: '1.2.3' }),
        [`${side}/2.dcm`]: dicom({ patientId: 'ann', frames: 2 }),
        [`${side}/3.dcm`]: dicom({ studyId: '1.2.4' }),
        [`${side}/4.dcm`]: dicom({}),
      });
    }
    const { samples, warnings } = await open(spec());
    expect(samples.map(({ id, subject }) => [id, subject])).toEqual([
      ['1', 'ann'],
      ['2/frame=0', 'ann'],
      ['2/frame=1', 'ann'],
      ['3', '1.2.4'],
      ['4', '4'],
    ]);
    expect(warnings).toEqual([expect.stringContaining('1 of 4 samples: the DICOM headers name neither')]);
  });

  it('are the patient that any file of the same study names', async () => {
    write({
      'A/1.dcm': dicom({ patientId: 'ann', studyId: '1.2.3' }),
      'B/1.dcm': dicom({ studyId: '1.2.9' }),
      'A/2.dcm': dicom({ studyId: '1.2.3' }),
      'B/2.dcm': dicom({ studyId: '1.2.3' }),
    });
    const { samples, faults } = await open(spec());
    expect(faults).toEqual([]);
    expect(samples.map(({ subject }) => subject)).toEqual(['ann', 'ann']);
  });

  it('come from the headers unless a manifest names them', async () => {
    write({ 'A/1.dcm': dicom({ patientId: 'ann' }), 'A/2.dcm': dicom({ patientId: 'ann' }) });
    write({
      'bare.csv': 'id,a\n1,A/1.dcm\n2,A/2.dcm\n',
      'full.csv': 'id,subject,a\n1,s1,A/1.dcm\n2,s2,A/2.dcm\n',
    });
    const subjects = async (file: string) =>
      (await open({ path: place(file), columns: { b: null } })).samples.map(({ subject }) => subject);
    expect(await subjects('bare.csv')).toEqual(['ann', 'ann']);
    expect(await subjects('full.csv')).toEqual(['s1', 's2']);
  });

  it('are refused for a pair of two studies where no patient is named', async () => {
    write({ 'A/1.dcm': dicom({ studyId: '1.2.3' }), 'B/1.dcm': dicom({ studyId: '1.2.4' }) });
    await expect(openDataset(spec())).rejects.toThrow('are of different studies, and name no patient');
  });

  it('are one for a pair that spells it in two ways, unless spellings are kept apart', async () => {
    write({ 'A/1.dcm': dicom({ patientId: 'P01' }), 'B/1.dcm': dicom({ patientId: 'p1' }) });
    expect((await openDataset(spec())).samples.map(({ subject }) => subject)).toEqual(['P01']);
    await expect(openDataset({ ...spec(), spellings: 'keep' })).rejects.toThrow('are of different patients');
  });

  it('are told of where a pair of two studies has a name that stands for anybody', async () => {
    const pair = (patientId: string) => ({
      'A/1.dcm': dicom({ patientId, studyId: '1.2.3' }),
      'B/1.dcm': dicom({ patientId, studyId: '1.2.4' }),
    });
    write(pair('ANONYMOUS'));
    expect((await open(spec())).warnings).toContainEqual(
      expect.stringMatching(/^1 of 1 samples: .* different studies and one patient, whose name/),
    );
    write(pair('ann'));
    expect((await open(spec())).warnings).toEqual([]);
    write(pair('N/A'));
    await expect(openDataset(spec())).rejects.toThrow('are of different studies, and name no patient');
  });

  it('are refused for a pair of two patients', async () => {
    write({ 'A/1.dcm': dicom({ patientId: 'ann' }), 'B/1.dcm': dicom({ patientId: 'bob' }) });
    await expect(openDataset(spec())).rejects.toThrow(
      `"1": ${place('A/1.dcm')} and ${place('B/1.dcm')} are of different patients`,
    );
    expect((await open(spec())).faults).toEqual([expect.objectContaining({ kind: 'bad-row', id: '1' })]);
  });
});
