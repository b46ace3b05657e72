import { describe, expect, it } from 'vitest';
import {
  affineOfCodes,
  axesOfCodes,
  axisCodes,
  type OrientationFields,
  orientationOf,
  patientAxes,
} from '../../../src/data/formats/niftiAffine.js';

const sform = [
  [2, 0, 0, 10],
  [0, 3, 0, 20],
  [0, 0, 4, 30],
];
const qform = [
  [2, 0, 0, 1],
  [0, -3, 0, 2],
  [0, 0, -4, 3],
];

/** A header with both maps, which lie differently; b = 1 is half a turn about the first axis. */
function fields(changed: Partial<OrientationFields> = {}): OrientationFields {
  const own = { pixdim: [1, 2, 3, 4], qformCode: 1, sformCode: 1, quatern: [1, 0, 0], qoffset: [1, 2, 3] };
  return { ...own, srow: sform, ...changed };
}

const ofRows = (...rows: number[][]) => fields({ srow: rows });

describe('orientationOf', () => {
  it('takes the sform, else the qform, else none', () => {
    expect(orientationOf(fields())).toEqual({ affine: sform });
    expect(orientationOf(fields({ sformCode: 0 }))).toEqual({ affine: qform });
    expect(orientationOf(fields({ sformCode: 0, qformCode: 0 })).affine).toBeUndefined();
  });

  it('takes a sform for none that is singular or not finite', () => {
    const zero = [0, 0, 0, 0];
    const singular = {
      zeros: ofRows(zero, zero, zero),
      'an offset alone': ofRows([0, 0, 0, 5], [0, 0, 0, 6], [0, 0, 0, 7]),
      'a row of zeros': ofRows([2, 0, 0, 1], [0, 3, 0, 1], zero),
      'a column of zeros': ofRows([2, 0, 0, 1], [0, 0, 0, 1], [0, 0, 4, 1]),
      'two axes alike': ofRows([2, 2, 0, 1], [0, 0, 0, 1], [0, 0, 4, 1]),
    };
    for (const [what, header] of Object.entries(singular)) {
      expect(orientationOf(header), what).toEqual({
        affine: qform,
        unusable: 'sform is singular',
      });
    }
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const header = ofRows([2, 0, 0, 0], [0, value, 0, 0], [0, 0, 4, 0]);
      expect(orientationOf(header)).toMatchObject({ affine: qform, unusable: 'sform is not finite' });
    }
  });

  it('has none where the qform cannot be used either', () => {
    const srow = [0, 1, 2].map(() => [0, 0, 0, 0]);
    expect(orientationOf(fields({ srow, quatern: [1e30, 0, 0] }))).toEqual({
      unusable: 'sform is singular, qform is no rotation',
    });
    expect(orientationOf(fields({ sformCode: 0, quatern: [Number.NaN, 0, 0] }))).toMatchObject({
      unusable: 'qform is no rotation',
    });
  });

  it('keeps small oblique angles, thin voxels and shears', () => {
    const oblique = ofRows([0.01, 0.001, 0, 0], [-0.001, 0.01, 0.3, 0], [0, 0, 10, 0]);
    expect(orientationOf(oblique).unusable).toBeUndefined();
  });

  it('takes the directions of a qform whose voxel sizes are 0 or negative', () => {
    const { affine, lacks } = orientationOf(fields({ sformCode: 0, pixdim: [1, 0, -3, Number.NaN] }));
    expect(lacks).toBe('voxel size');
    expect(affine).toEqual([
      [1, 0, 0, 1],
      [0, -3, 0, 2],
      [0, 0, -1, 3],
    ]);
  });

  it('takes the directions of a map whose offset alone is not finite', () => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const header = ofRows([2, 0, 0, value], [0, 3, 0, 20], [0, 0, 4, 30]);
      const unplaced = (rows: number[][]) => rows.map((row) => [...row.slice(0, 3), 0]);
      expect(orientationOf(header)).toEqual({ affine: unplaced(sform), lacks: 'offset' });
      const turned = orientationOf(fields({ sformCode: 0, qoffset: [0, value, 0] }));
      expect(turned).toEqual({ affine: unplaced(qform), lacks: 'offset' });
    }
  });

  it('takes a map of an unknown code for none', () => {
    for (const code of [-1, 6, 99, 32767]) {
      const what = `has the unknown code ${code}`;
      expect(orientationOf(fields({ sformCode: code }))).toEqual({
        affine: qform,
        unusable: `sform ${what}`,
      });
      expect(orientationOf(fields({ sformCode: 0, qformCode: code }))).toEqual({ unusable: `qform ${what}` });
    }
    expect(orientationOf(fields({ sformCode: 5 }))).toEqual({ affine: sform });
  });

  it('mirrors nothing where voxel sizes are negative', () => {
    const { affine } = orientationOf(fields({ sformCode: 0, pixdim: [1, -2, -3, -4] }));
    expect(affine).toEqual(qform);
  });

  it('makes a quaternion that rounding left above 1 a unit one', () => {
    const { affine } = orientationOf(fields({ sformCode: 0, quatern: [1.0001, 0, 0] }));
    expect(affine![1]![1]).toBeCloseTo(-3, 9);
  });
});

describe('axisCodes', () => {
  it('writes the directions of the stored axes, and axesOfCodes reads them', () => {
    expect(axisCodes(sform)).toBe('RAS');
    expect(axisCodes(qform)).toBe('RPI');
    const turned = [
      [0, 0, 4, 0],
      [-2, 0, 0, 0],
      [0, 3, 0, 0],
    ];
    expect(axisCodes(turned)).toBe('PSR');
    expect(axesOfCodes('PSR')).toEqual(patientAxes(turned));
    expect(affineOfCodes('PSR', [2, 3, 4])).toEqual(turned);
    expect(affineOfCodes('LAS', [0, Number.NaN, 2])).toEqual([
      [-1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 2, 0],
    ]);
  });
});
