import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileKind } from '../../../src/data/formats/fileKind.js';
import {
  type Axis,
  readImageSize,
  readPixels,
  readVolumeHeader,
  volumeContent,
} from '../../../src/data/formats/index.js';
import { mapPixels } from '../../../src/data/images/mapPixels.js';

const folder = fileURLToPath(new URL('../../golden/nifti/', import.meta.url));
const golden: {
  /** Values as nibabel reads them, the first stored axis fastest. */
  readonly cases: Readonly<Record<string, { dims: number[]; spacing: number[]; values: number[] }>>;
  readonly orientations: Readonly<
    Record<
      string,
      {
        /** Base64 of a .nii.gz file. */
        readonly file: string;
        readonly planes: Readonly<Record<'axial' | 'coronal' | 'sagittal', Axis>>;
        /** Slice 1 across each stored axis, taken from nibabel's closest canonical image. */
        readonly slices: readonly { readonly width: number; readonly values: readonly number[] }[];
      }
    >
  >;
} = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'nifti-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

function slice(path: string, axis: Axis, index: number) {
  return readPixels({ kind: 'file', path, part: { kind: 'slice', axis, index } });
}

describe('NIfTI', () => {
  it.each(Object.entries(golden.cases))(
    'is read as nibabel reads it: %s',
    async (name, { dims, spacing, values }) => {
      const path = join(folder, name);
      const header = await readVolumeHeader(path);
      expect(header.dims).toEqual(dims);
      for (const [axis, step] of header.spacing.entries()) expect(step).toBeCloseTo(spacing[axis]!, 6);
      expect(await fileKind(path)).toBe('volume');
      const [width, height, depth] = dims as [number, number, number];
      const { affine } = header;
      for (let z = 0; z < depth; z += 1) {
        const { data } = await slice(path, 2, z);
        for (let y = 0; y < height; y += 1) {
          for (let x = 0; x < width; x += 1) {
            // These files lie right, front, top, or left, back, top.
            const turned = affine === undefined || affine[0]![0]! > 0;
            const at = turned ? (height - 1 - y) * width + (width - 1 - x) : y * width + x;
            const expected = values[(z * height + y) * width + x]!;
            expect(data[at]).toBe(data instanceof Float32Array ? Math.fround(expected) : expected);
          }
        }
      }
    },
  );

  it.each(Object.entries(golden.orientations))(
    'shows slices of %s as radiology does',
    async (name, expected) => {
      const path = join(scratch, `${name}.nii.gz`);
      writeFileSync(path, Buffer.from(expected.file, 'base64'));
      const header = await readVolumeHeader(path);
      for (const plane of ['axial', 'coronal', 'sagittal'] as const) {
        expect(header.axisOf(plane), plane).toBe(expected.planes[plane]);
      }
      for (const axis of [0, 1, 2] as const) {
        const { width, height, data } = await slice(path, axis, 1);
        expect([width, ...data]).toEqual([expected.slices[axis]!.width, ...expected.slices[axis]!.values]);
        const part = { kind: 'slice', axis, index: 1 } as const;
        expect(await readImageSize({ kind: 'file', path, part })).toEqual({ width, height });
      }
    },
  );

  it('makes NaN and infinities the nearest finite value', async () => {
    const path = join(folder, 'holes.nii');
    const at = (x: number, y: number) => (3 - y) * 5 + (4 - x);
    const [first, second, third] = [
      await slice(path, 2, 0),
      await slice(path, 2, 1),
      await slice(path, 2, 2),
    ];
    const all = [...first.data, ...second.data, ...third.data];
    expect(all.every(Number.isFinite)).toBe(true);
    const [low, high] = first.population!.extremes();
    expect([low, high]).toEqual([Math.min(...all), Math.max(...all)]);
    expect(second.data[at(1, 1)]).toBe(low);
    expect(third.data[at(2, 2)]).toBe(high);
    expect(third.data[at(3, 3)]).toBe(low);
    await expect(slice(join(folder, 'nothing.nii'), 2, 0)).rejects.toThrow('no voxel is a finite number');
  });

  it('takes percentiles and extremes from the whole volume', async () => {
    const path = join(folder, 'i2-little.nii.gz');
    const pixels = await slice(path, 2, 1);
    const image = { name: 'v', modality: 'a' };
    // The extremes, −32768 and 32767, stand in slice 0: over the volume this slice is a middle gray.
    const { data } = mapPixels(pixels, { intensity: { kind: 'minmax' } }, image);
    expect(new Set(data)).toEqual(new Set([128]));
    const robust = mapPixels(pixels, { intensity: { kind: 'percentile', low: 5, high: 95 } }, image);
    expect(Math.max(...robust.data) - Math.min(...robust.data)).toBeGreaterThan(200);
    expect(() => mapPixels(pixels, {}, image)).toThrow(
      'v: the values run from -32768 to 32767, and nothing says',
    );
  });

  it('tells how much of each slice is above the darkest value', async () => {
    const { values, dims } = golden.cases['i2-little.nii.gz']!;
    const strides = [1, dims[0]!, dims[0]! * dims[1]!];
    for (const axis of [0, 1, 2] as const) {
      const share = await volumeContent(join(folder, 'i2-little.nii.gz'), axis);
      for (const [index, found] of share.entries()) {
        const voxels = values.filter((_, i) => Math.floor(i / strides[axis]!) % dims[axis]! === index);
        expect(found).toBeCloseTo(voxels.filter((value) => value > -32768).length / voxels.length, 12);
      }
    }
  });

  it('reads a single slice without being told which, and sees a file that was replaced', async () => {
    const path = join(scratch, 'flat.nii.gz');
    const bytes = readFileSync(join(folder, 'flat.nii.gz'));
    writeFileSync(path, bytes);
    const before = await readPixels({ kind: 'file', path });
    expect(before).toMatchObject({ width: 5, height: 4, channels: 1 });
    expect([...before.data]).toEqual(golden.cases['flat.nii.gz']!.values);
    const content = gunzipSync(bytes);
    content.writeInt16LE(999, 352);
    writeFileSync(path, content);
    utimesSync(path, 1, 1);
    expect((await readPixels({ kind: 'file', path })).data[0]).toBe(999);
  });
});

describe('NIfTI that is refused', () => {
  it('says what the file holds and what to do', async () => {
    const read = (name: string) => readPixels({ kind: 'file', path: join(folder, name) });
    await expect(readVolumeHeader(join(folder, 'series.nii.gz'))).rejects.toThrow(
      'holds 2 volumes (5×4×3×2), expected one. Save the one that is meant as a file of its own',
    );
    await expect(read('complex.nii.gz')).rejects.toThrow(
      'the voxels are of NIfTI datatype 32, expected uint8',
    );
    await expect(read('scaled.nii')).rejects.toThrow(
      'is a volume of 5×4×3 voxels, expected an image. Which of its slices become samples is said by --set data.volumes',
    );
    await expect(slice(join(folder, 'scaled.nii'), 1, 4)).rejects.toThrow(
      'has no slice 4 across axis 1; it has 4 (5×4×3 voxels), counted from 0',
    );
    const { axisOf } = await readVolumeHeader(join(folder, 'unknown.nii.gz'));
    expect(() => axisOf('coronal')).toThrow('does not say how the patient lay (no sform, no qform)');
    await expect(readVolumeHeader(join(folder, 'expected.json'))).rejects.toThrow(
      'has no complete NIfTI header',
    );
  });

  it('names a file that is cut off or declares more than it can hold', async () => {
    const path = join(scratch, 'cut.nii');
    const whole = readFileSync(join(folder, 'scaled.nii'));
    writeFileSync(path, whole.subarray(0, whole.length - 1));
    await expect(slice(path, 2, 0)).rejects.toThrow('holds 471 bytes, but its NIfTI header needs 472');
    const zipped = readFileSync(join(folder, 'i2-little.nii.gz'));
    writeFileSync(path, zipped.subarray(0, zipped.length - 12));
    await expect(slice(path, 2, 0)).rejects.toThrow('cannot be unzipped');
    const huge = Buffer.from(whole);
    for (const axis of [1, 2, 3]) huge.writeInt16LE(500, 40 + 2 * axis);
    writeFileSync(path, huge);
    await expect(slice(path, 2, 0)).rejects.toThrow('holds 472 bytes, but its NIfTI header needs 250000352');
    for (const axis of [1, 2, 3]) huge.writeInt16LE(32767, 40 + 2 * axis);
    writeFileSync(path, huge);
    await expect(slice(path, 2, 0)).rejects.toThrow(
      '32767×32767×32767 voxels of int16, which are 134205441 MiB when decoded; data.maxBytes allows 512 MiB',
    );
  });
});
