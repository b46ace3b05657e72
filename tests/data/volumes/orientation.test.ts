import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPixels } from '../../../src/data/formats/index.js';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import type { FileSource, Sample } from '../../../src/data/sample.js';
import { nifti, upright } from '../handmadeVolumes.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'orientation-'));
  for (const side of ['A', 'B']) mkdirSync(join(folder, side));
});
afterEach(() => rmSync(folder, { recursive: true }));

const place = (name: string) => join(folder, name);

/** Voxels that tell their place, on a grid of 2×3×2. */
const told = (x: number, y: number, z: number) => 1 + x + 10 * y + 100 * z;
const SIZE = [2, 3, 2] as const;
/** Left, back, top. */
const LPS = upright().map((row, axis) => (axis < 2 ? row.map((value) => -value) : row));
const noCodes = (header: Buffer) => void header.writeInt16LE(0, 254);
const zeroSform = (header: Buffer) => void header.fill(0, 280, 328);

const oriented = () => nifti(SIZE, told, LPS);
const untold = () => nifti(SIZE, told, LPS, noCodes);

function write(files: Readonly<Record<string, Buffer | string>>) {
  for (const [name, content] of Object.entries(files)) writeFileSync(place(name), content);
}

async function open(spec: DatasetSpec) {
  const warnings: string[] = [];
  const { samples } = await openDataset(spec, { onWarning: (warning) => warnings.push(warning) });
  return { samples, warnings };
}

async function pixels({ images }: Sample, modality: string) {
  return [...(await readPixels(images[modality] as FileSource)).data];
}

/** The first slice of an LPS volume, as stored: its right and front come first. */
const FIRST = [1, 2, 11, 12, 21, 22];

describe('a volume without an orientation beside a mate that has one', () => {
  const TOLD = /says no orientation; it is taken to lie as [ab], which has as many voxels/;

  it('is turned like its mate, whichever of the two it is, and this is told', async () => {
    for (const [a, b] of [
      [oriented(), untold()],
      [untold(), oriented()],
    ]) {
      write({ 'a.nii.gz': a!, 'b.nii.gz': b! });
      const { samples, warnings } = await open({ path: place('a.nii.gz'), pathB: place('b.nii.gz') });
      for (const modality of ['a', 'b']) expect(await pixels(samples[0]!, modality)).toEqual(FIRST);
      expect(warnings).toEqual([expect.stringMatching(TOLD)]);
    }
  });

  it('is turned in every plane that is asked for', async () => {
    write({ 'a.nii.gz': untold(), 'b.nii.gz': oriented() });
    for (const axis of ['axial', 'coronal', 'sagittal', 0, 1, 2] as const) {
      const volumes = { axis, from: null, to: null, step: 1, content: 0 };
      const spec = { path: place('a.nii.gz'), pathB: place('b.nii.gz'), volumes };
      for (const sample of (await open(spec)).samples) {
        expect(await pixels(sample, 'a'), `${axis}`).toEqual(await pixels(sample, 'b'));
      }
    }
  });

  it('is told once for a folder or a manifest, with the number of samples', async () => {
    write({ 'A/p1.nii.gz': oriented(), 'A/p2.nii.gz': oriented(), 'A/p3.nii.gz': oriented() });
    write({ 'B/p1.nii.gz': untold(), 'B/p2.nii.gz': untold(), 'B/p3.nii.gz': oriented() });
    const { samples, warnings } = await open({ path: place('A'), pathB: place('B') });
    expect(samples).toHaveLength(6);
    expect(warnings).toEqual([
      expect.stringContaining('the files name no patients'),
      expect.stringMatching(/^2 of 3 samples \(p1, …\): the NIfTI header of b says/),
    ]);
    const rows = ['p1', 'p2', 'p3'].map((id) => `${id},${id},A/${id}.nii.gz,B/${id}.nii.gz`);
    write({ 'pairs.csv': ['id,subject,a,b', ...rows].join('\n') });
    expect((await open({ path: place('pairs.csv') })).warnings).toEqual(warnings.slice(1));
  });

  it('does not hide that two others lie differently', async () => {
    write({ 'a.nii.gz': untold(), 'b.nii.gz': oriented(), 'c.nii.gz': nifti(SIZE, told) });
    write({ 'three.csv': 'id,subject,a,b,c\np1,p1,a.nii.gz,b.nii.gz,c.nii.gz' });
    const spec = { path: place('three.csv'), columns: { c: 'c' } };
    await expect(open(spec)).rejects.toThrow('b and c are not co-registered');
  });

  it('is refused where its voxels have another size', async () => {
    const other = (header: Buffer) => {
      noCodes(header);
      for (const [axis, size] of [2, 2, 5].entries()) header.writeFloatLE(size, 80 + 4 * axis);
    };
    const sized = (header: Buffer) => {
      for (const [axis, size] of [5, 2, 2].entries()) header.writeFloatLE(size, 80 + 4 * axis);
    };
    write({ 'a.nii.gz': nifti(SIZE, told, LPS, sized), 'b.nii.gz': nifti(SIZE, told, LPS, other) });
    await expect(open({ path: place('a.nii.gz'), pathB: place('b.nii.gz') })).rejects.toThrow(
      'the voxels are of 5×2×2 and 2×2×5 mm',
    );
  });
});

describe('a volume whose sform is singular', () => {
  const qform = (header: Buffer) => {
    zeroSform(header);
    header.writeInt16LE(1, 252);
    // Half a turn about the third axis: left, back, top.
    header.writeFloatLE(1, 264);
  };

  it('lies as its qform says, and this is told', async () => {
    write({ 'a.nii.gz': nifti(SIZE, told, LPS, qform), 'b.nii.gz': oriented() });
    const { samples, warnings } = await open({ path: place('a.nii.gz'), pathB: place('b.nii.gz') });
    for (const modality of ['a', 'b']) expect(await pixels(samples[0]!, modality)).toEqual(FIRST);
    expect(warnings).toEqual([
      '1 of 1 samples (a): in the NIfTI header of a the sform is singular; the qform is taken.',
    ]);
  });

  it('has no orientation without a qform: a stored axis must be named, and the message says why', async () => {
    for (const name of ['a.nii.gz', 'b.nii.gz']) write({ [name]: nifti(SIZE, told, LPS, zeroSform) });
    const spec = { path: place('a.nii.gz'), pathB: place('b.nii.gz') };
    await expect(open(spec)).rejects.toThrow(
      'does not say how the patient lay (sform is singular), so axial slices cannot be told',
    );
    const volumes = { axis: 2, from: null, to: null, step: 1, content: 0 } as const;
    const { samples, warnings } = await open({ ...spec, volumes });
    expect(samples).toHaveLength(2);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('the sform is singular; it counts as without orientation');
  });

  it('is compared by directions alone where the header says a voxel size of 0', async () => {
    const sizeless = (header: Buffer) => {
      qform(header);
      header.fill(0, 80, 92);
    };
    const wide = LPS.map((row) => row.map((value, column) => (column === 2 ? 4 * value : value)));
    write({ 'a.nii.gz': nifti(SIZE, told, LPS, sizeless), 'b.nii.gz': nifti(SIZE, told, wide) });
    expect((await open({ path: place('a.nii.gz'), pathB: place('b.nii.gz') })).samples).toHaveLength(2);
    write({ 'b.nii.gz': nifti(SIZE, told) });
    await expect(open({ path: place('a.nii.gz'), pathB: place('b.nii.gz') })).rejects.toThrow(
      'their axes run LPS and RAS',
    );
  });
});
