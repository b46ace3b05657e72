import { expect, test } from 'vitest';
import { resample } from '../../src/augment/index.js';
import { TensorError, tensor } from '../../src/tensor/index.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { box, expectClose, golden, pixels, unitPixels } from './golden.js';

test.each(golden.resample)(
  '$channels channels to $size, antialias $antialias, equals F.interpolate of each crop',
  ({ channels, crops, size, antialias, values }) => {
    const shape = [2, channels, 9, 7];
    const boxes = crops.map((crop) => box(crop));
    const flips = crops.map((crop) => crop[4]);
    const bytes = resample(tensor(pixels(shape), shape), boxes, { size, flips, antialias });
    expect(bytes.shape).toEqual([2, channels, size, size]);
    expect(bytes.dtype).toBe('f32');
    expectClose(bytes, values);
    expectClose(resample(unitPixels(shape), boxes, { size, flips, antialias }), values);
  },
);

test('shrinking averages unless told otherwise', () => {
  const stripes = tensor(
    Uint8Array.from({ length: 64 }, (_, i) => 255 * ((i % 8) & 1)),
    [1, 1, 8, 8],
  );
  const at = (antialias?: boolean): number =>
    resample(stripes, null, { size: 2, antialias }).toArray()[0] as number;
  expect(at()).toBeCloseTo(0.5, 1);
  expect(at()).toBe(at(true));
  expect(at()).not.toBe(at(false));
});

test('whole images, with shared matrices, equal whole images each with a matrix of its own', () => {
  const shape = [3, 3, 9, 7];
  const images = tensor(pixels(shape), shape);
  const shared = resample(images, null, { size: 5 });
  // One flipped image makes the matrices differ.
  const own = resample(images, null, { size: 5, flips: [false, true, false] });
  for (const b of [0, 2])
    expectClose(own.narrow(0, b, 1), [...(shared.narrow(0, b, 1).toArray() as Float32Array)]);
  expect(own.narrow(0, 1, 1).toArray()).not.toEqual(shared.narrow(0, 1, 1).toArray());
  expectClose(resample(images, new Array(3).fill(box([0, 0, 9, 7])), { size: 5 }), [
    ...(shared.toArray() as Float32Array),
  ]);
});

test('whole images of the right size are only cast, into a new tensor', () => {
  const shape = [2, 3, 6, 6];
  const bytes = pixels(shape);
  const same = resample(tensor(bytes, shape), null, { size: 6 });
  expect(same.toArray()).toEqual(Float32Array.from(bytes, (value) => Math.fround(value / 255)));
  const images = unitPixels(shape);
  const copy = resample(images, null, { size: 6 });
  copy.dispose();
  expect(images.disposed).toBe(false);
});

test.each(['bf16', 'f16'] as const)('values in %s are those of f32, rounded once', (dtype) => {
  const every = tensor(
    Uint8Array.from({ length: 256 }, (_, value) => value),
    [1, 1, 16, 16],
  );
  const cropped = [box([1, 2, 9, 11])];
  for (const [size, boxes] of [
    [16, null],
    [7, null],
    [16, cropped],
  ] as const) {
    const rounded = resample(every, boxes, { size }).to({ dtype });
    const direct = resample(every, boxes, { size, dtype });
    expect(direct.dtype).toBe(dtype);
    expect(direct.toArray()).toEqual(rounded.toArray());
  }
});

test('whole images that take several slices give what each gives alone', () => {
  const shape = [5, 1, 2000, 2100]; // four images to a slice
  const images = tensor(pixels(shape), shape);
  const together = resample(images, null, { size: 8 });
  expect(together.shape).toEqual([5, 1, 8, 8]);
  for (const b of [0, 3, 4])
    expect(together.narrow(0, b, 1).toArray()).toEqual(
      resample(images.narrow(0, b, 1), null, { size: 8 }).toArray(),
    );
});

test('a whole image of the right size keeps its bytes whether or not the others are cropped', () => {
  const images = tensor(pixels([2, 3, 9, 9]), [2, 3, 9, 9]);
  const whole = box([0, 0, 9, 9]);
  const mixed = resample(images, [whole, box([1, 1, 5, 6])], { size: 9 });
  const alone = resample(images.narrow(0, 0, 1), [whole], { size: 9 });
  expect(mixed.narrow(0, 0, 1).toArray()).toEqual(alone.toArray());
});

test('white images stay in 0..1', () => {
  const white = tensor(new Uint8Array(40 * 31 * 31).fill(255), [40, 1, 31, 31]);
  const boxes = Array.from({ length: 40 }, (_, b) => box([b % 3, b % 5, 7 + (b % 20), 3 + (b % 23)]));
  const values = resample(white, boxes, { size: 17 }).toArray() as Float32Array;
  expect(Math.max(...values)).toBeLessThanOrEqual(1);
  expect(Math.min(...values)).toBeGreaterThan(0.999999);
});

test('a batch too large for one slice gives what its images give alone', () => {
  const shape = [5, 1, 700, 900]; // three images to a slice
  const images = tensor(pixels(shape), shape);
  const boxes = Array.from({ length: 5 }, (_, b) => box([b, 2 * b, 600 + b, 800 - b]));
  const flips = [false, true, false, true, false];
  const together = resample(images, boxes, { size: 8, flips });
  expect(together.shape).toEqual([5, 1, 8, 8]);
  for (let b = 0; b < 5; b += 1) {
    const alone = resample(images.narrow(0, b, 1), [boxes[b]!], { size: 8, flips: [flips[b]!] });
    expect(together.narrow(0, b, 1).toArray()).toEqual(alone.toArray());
  }
});

test('resampling leaves one new tensor', () => {
  const images = tensor(pixels([2, 3, 9, 7]), [2, 3, 9, 7]);
  const before = undisposedTensors();
  resample(images, null, { size: 4 }).dispose();
  resample(images, null, { size: 4, flips: [true, false] }).dispose();
  expect(undisposedTensors()).toBe(before);
});

test('an error names what does not fit', () => {
  const images = tensor(pixels([2, 1, 9, 7]), [2, 1, 9, 7]);
  const options = { size: 4 };
  const whole = box([0, 0, 9, 7]);
  expect(() => resample(images, [whole, box([0, 3, 9, 5])], options)).toThrow(
    /box 1 is top 0, left 3, height 9, width 5; expected whole pixels inside the image of 9×7/,
  );
  for (const bad of [
    [-1, 0, 9, 7],
    [1, 0, 9, 7],
    [0, 0, 0, 7],
    [0, 0.5, 4, 4],
    [0, 0, Number.NaN, 4],
  ] as const) {
    expect(() => resample(images, [box(bad), whole], options)).toThrow(RangeError);
  }
  expect(() => resample(images, [whole], options)).toThrow(/1 boxes for 2 images/);
  expect(() => resample(images, null, { size: 4, flips: [true] })).toThrow(/1 flips for 2 images/);
  expect(() => resample(images, null, { size: 0 })).toThrow(/size is 0, expected a whole number/);
  expect(() => resample(images.reshape([2, 9, 7]), null, options)).toThrow(TensorError);
  expect(() => resample(images.reshape([2, 9, 7]), null, options)).toThrow(
    /shape \[2,9,7\].*1 or 3 channels/,
  );
  expect(() => resample(tensor(new Uint8Array(32), [2, 4, 2, 2]), null, options)).toThrow(
    /shape \[2,4,2,2\]/,
  );
  expect(() => resample(images.to({ dtype: 'f64' }), null, options)).toThrow(
    /dtype f64, expected u8, or f32/,
  );
});
