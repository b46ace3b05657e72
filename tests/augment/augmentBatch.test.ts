import { expect, test } from 'vitest';
import {
  type Augmentation,
  augmentBatch,
  colorJitter,
  type Draw,
  drawAugmentation,
  gaussianBlur,
  grayscale,
  recipes,
  resample,
} from '../../src/augment/index.js';
import { autocast, ops, type Tensor, TensorError, tensor } from '../../src/tensor/index.js';
import { flip } from '../tensor/flip.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { pixels } from './golden.js';

const side = 48;
const size = 32;

function batch(count: number, channels: number): Tensor {
  const shape = [count, channels, side, side];
  return tensor(pixels(shape), shape);
}

function drawMany(augmentation: Augmentation, count: number): Draw[] {
  return Array.from({ length: count }, (_, i) =>
    drawAugmentation(augmentation, { seed: 1, epoch: 0, id: `s${i}`, modality: 'a', source: side }),
  );
}

const variants = [1, 3].flatMap((channels) =>
  (['paper', 'authors', 'simclr'] as const).map((recipe) => ({ channels, recipe })),
);

test.each(variants)(
  'an image of $channels channels gives the same bytes by $recipe alone, in a batch and in any order',
  ({ channels, recipe }) => {
    const count = 17;
    const images = batch(count, channels);
    const draws = drawMany(recipes[recipe], count);
    const together = augmentBatch(images, draws, { size });
    expect(together.shape).toEqual([count, channels, size, size]);
    expect(together.dtype).toBe('f32');
    expect(together.memoryFormat).toBe('contiguous');
    const values = together.toArray() as Float32Array;
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThanOrEqual(1);
    for (let b = 0; b < count; b += 1) {
      const alone = augmentBatch(images.narrow(0, b, 1), [draws[b]!], { size });
      expect(alone.toArray()).toEqual(together.narrow(0, b, 1).toArray());
    }
    const backwards = Array.from({ length: count }, (_, b) => count - 1 - b);
    const reversed = augmentBatch(
      ops.indexSelect(images, 0, tensor(backwards, [count], { dtype: 'i64' })),
      backwards.map((b) => draws[b]!),
      { size },
    );
    expect(flip(reversed, [0]).toArray()).toEqual(values);
  },
);

test('images of more than a thread’s share, in a batch of more than a slice, give the same bytes alone', () => {
  const images = batch(4, 3);
  const draws = drawMany(recipes.simclr, 4).map((draw, b) => ({
    ...draw,
    jitter: { order: ['contrast'] as const, brightness: 1, contrast: 0.3 + b, saturation: 1, hue: 0 },
    blurSigma: null,
  }));
  const together = augmentBatch(images, draws, { size: 450 }); // three images to a slice
  for (let b = 0; b < 4; b += 1) {
    const alone = augmentBatch(images.narrow(0, b, 1), [draws[b]!], { size: 450 });
    expect(alone.toArray()).toEqual(together.narrow(0, b, 1).toArray());
  }
});

test('the order is crop and flip, grayscale or jitter first, then blur', () => {
  const images = batch(2, 3);
  const base: Draw = {
    box: { top: 3, left: 5, height: 30, width: 22 },
    flip: true,
    jitter: {
      order: ['hue', 'contrast', 'brightness', 'saturation'],
      brightness: 1.2,
      contrast: 0.5,
      saturation: 1.7,
      hue: 0.3,
    },
    grayscale: true,
    grayscaleFirst: false,
    blurSigma: 1.5,
  };
  const draws: Draw[] = [base, { ...base, grayscaleFirst: true }];
  const cropped = resample(images, [base.box, base.box], { size, flips: [true, true] });
  const jitters = [base.jitter, base.jitter];
  const jitterFirst = gaussianBlur(grayscale(colorJitter(cropped, jitters)), [1.5, 1.5], 3);
  const grayFirst = gaussianBlur(colorJitter(grayscale(cropped), jitters), [1.5, 1.5], 3);
  const result = augmentBatch(images, draws, { size });
  expect(result.narrow(0, 0, 1).toArray()).toEqual(jitterFirst.narrow(0, 0, 1).toArray());
  expect(result.narrow(0, 1, 1).toArray()).toEqual(grayFirst.narrow(0, 1, 1).toArray());
  expect(jitterFirst.narrow(0, 1, 1).toArray()).not.toEqual(grayFirst.narrow(0, 1, 1).toArray());
});

test('a draw that changes nothing only resizes', () => {
  const images = batch(2, 3);
  const draw: Draw = {
    box: { top: 0, left: 0, height: side, width: side },
    flip: false,
    jitter: null,
    grayscale: false,
    grayscaleFirst: false,
    blurSigma: null,
  };
  const result = augmentBatch(images, [draw, draw], { size });
  expect(result.toArray()).toEqual(resample(images, null, { size }).toArray());
  expect(augmentBatch(images, [draw, draw], { size: 16 }).shape).toEqual([2, 3, 16, 16]); // no blur kernel below 20
});

test('augmentation computes in f32 inside an autocast scope, too', () => {
  const images = batch(4, 3);
  const draws = drawMany(recipes.simclr, 4);
  const inside = autocast('bf16', () => augmentBatch(images, draws, { size }));
  expect(inside.dtype).toBe('f32');
  expect(inside.toArray()).toEqual(augmentBatch(images, draws, { size }).toArray());
});

test('augmentation leaves one new tensor, and its input as it was', () => {
  for (const channels of [1, 3]) {
    const images = batch(9, channels);
    const bytes = images.toArray();
    const floats = images.div(255);
    const before = floats.toArray();
    const count = undisposedTensors();
    for (const recipe of ['paper', 'authors', 'simclr'] as const) {
      const draws = drawMany(recipes[recipe], 9);
      augmentBatch(images, draws, { size }).dispose();
      augmentBatch(floats, draws, { size: side }).dispose();
      const result = augmentBatch(floats, draws, { size: side });
      expect(result.requiresGrad).toBe(false);
      result.dispose();
    }
    expect(undisposedTensors()).toBe(count);
    expect(images.toArray()).toEqual(bytes);
    expect(floats.toArray()).toEqual(before);
  }
});

test('an error names what does not fit', () => {
  const images = batch(2, 1);
  const draws = drawMany(recipes.paper, 2);
  expect(() => augmentBatch(images, draws.slice(1), { size })).toThrow(
    /1 draws for 2 images, expected one per image/,
  );
  expect(() => augmentBatch(images, draws, { size: 2.5 })).toThrow(/size is 2.5/);
  expect(() => augmentBatch(images.reshape([2, side, side]), draws, { size })).toThrow(TensorError);
  const outside = { ...draws[0]!, box: { top: 0, left: 0, height: side + 1, width: side } };
  const before = undisposedTensors();
  expect(() => augmentBatch(images, [draws[1]!, outside], { size })).toThrow(/augmentBatch: box 1 .* 48×48/);
  expect(undisposedTensors()).toBe(before);
});
