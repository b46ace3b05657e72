import { expect, test } from 'vitest';
import {
  type Adjustment,
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  blurKernelSize,
  colorJitter,
  gaussianBlur,
  grayscale,
  type Jitter,
} from '../../src/augment/index.js';
import { type Tensor, TensorError, tensor } from '../../src/tensor/index.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { expectClose, golden, pixels, unitPixels } from './golden.js';

/** The images of augment.py: noise with a gray, a black, a white and a red pixel. */
function images(channels: number): Tensor {
  const values = Float32Array.from(pixels([5, channels, 4, 5]), (value) => value / 255);
  for (let plane = 0; plane < 5 * channels; plane += 1) {
    values.set([0.5, 0, 1, plane % channels === 0 ? 1 : 0], plane * 20);
  }
  return tensor(values, [5, channels, 4, 5]);
}

const adjustments = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
};
const names = Object.keys(adjustments) as Adjustment[];
const cases = golden.photometry.flatMap((values) =>
  names.map((name) => ({ name, channels: values.channels, values: values[name] })),
);

test.each(cases)(
  '$name of $channels channels equals torchvision for every image',
  ({ name, channels, values }) => {
    expectClose(adjustments[name](images(channels), golden.factors[name]), values, 2e-6);
  },
);

test.each(golden.photometry)('grayscale of $channels channels equals torchvision', (values) => {
  expectClose(grayscale(images(values.channels)), values.grayscale);
});

const jitters: Jitter[] = golden.orders.map((order, b) => ({
  order,
  brightness: golden.factors.brightness[b]!,
  contrast: golden.factors.contrast[b]!,
  saturation: golden.factors.saturation[b]!,
  hue: golden.factors.hue[b]!,
}));

test.each(golden.photometry)(
  'jitter of $channels channels in an order per image equals torchvision',
  (values) => {
    expectClose(colorJitter(images(values.channels), jitters), values.jitter, 5e-6);
  },
);

test('images without jitter, or with factors that change nothing, keep their bytes, and the input is not written to', () => {
  const source = images(3);
  const before = source.toArray();
  const still: Jitter = { order: names, brightness: 1, contrast: 1, saturation: 1, hue: 0 };
  const result = colorJitter(source, [null, jitters[1]!, still, null, jitters[4]!]).toArray();
  expect(source.toArray()).toEqual(before);
  for (const b of [0, 2, 3])
    expect(result.slice(b * 60, b * 60 + 60)).toEqual(before.slice(b * 60, b * 60 + 60));
  for (const b of [1, 4])
    expect(result.slice(b * 60, b * 60 + 60)).not.toEqual(before.slice(b * 60, b * 60 + 60));
});

test.each(golden.blur)(
  'blur of $shape with kernel $kernelSize equals torchvision',
  ({ shape, kernelSize, sigmas, values }) => {
    expectClose(gaussianBlur(unitPixels(shape), sigmas, kernelSize), values, 2e-6);
  },
);

test('the blur kernel is a tenth of the side, odd', () => {
  expect([16, 20, 32, 64, 96, 112, 224].map(blurKernelSize)).toEqual([1, 3, 3, 7, 9, 11, 23]);
});

test('each change leaves one new tensor', () => {
  const source = images(3);
  const before = undisposedTensors();
  for (const name of names) adjustments[name](source, golden.factors[name]).dispose();
  grayscale(source).dispose();
  colorJitter(source, jitters).dispose();
  gaussianBlur(source, [1, 1, 1, 1, 1], 3).dispose();
  expect(undisposedTensors()).toBe(before);
});

test('an error names what does not fit', () => {
  const source = images(3);
  expect(() => adjustBrightness(source, [1, 1, -0.5, 1, 1])).toThrow(
    /adjustBrightness: factor -0.5, expected 0/,
  );
  expect(() => adjustContrast(source, [1, 1, Number.NaN, 1, 1])).toThrow(/factor NaN/);
  expect(() => adjustHue(source, [0, 0, 0, 0, 0.6])).toThrow(/adjustHue: factor 0.6, expected -0.5..0.5/);
  expect(() => adjustSaturation(source, [1])).toThrow(/1 factors for 5 images/);
  expect(() => adjustHue(tensor(pixels([1, 3, 2, 2]), [1, 3, 2, 2]), [0])).toThrow(
    /images are u8, expected f32/,
  );
  expect(() => colorJitter(source, [null])).toThrow(/1 jitters for 5 images/);
  expect(() => gaussianBlur(source, [1, 1, 0, 1, 1], 3)).toThrow(/sigma is 0, expected pixels > 0/);
  expect(() => gaussianBlur(source, [1, 1, 1, 1, 1], 4)).toThrow(/kernelSize is 4, expected an odd/);
  expect(() => gaussianBlur(source, [1, 1, 1, 1, 1], 9)).toThrow(TensorError);
  expect(() => gaussianBlur(source, [1, 1, 1, 1, 1], 9)).toThrow(/images are 4×5, expected sides > 4/);
});
