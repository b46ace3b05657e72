import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Adjustment, Box } from '../../src/augment/index.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';

interface Photometry extends Record<Adjustment | 'jitter' | 'grayscale', number[]> {
  channels: number;
}

/** What tests/golden/augment.py wrote. */
export const golden = JSON.parse(
  readFileSync(new URL('../golden/augment.json', import.meta.url), 'utf8'),
) as {
  resample: {
    channels: number;
    crops: [top: number, left: number, height: number, width: number, flip: boolean][];
    size: number;
    antialias: boolean;
    values: number[];
  }[];
  factors: Record<Adjustment, number[]>;
  orders: Adjustment[][];
  photometry: Photometry[];
  blur: { shape: number[]; kernelSize: number; sigmas: number[]; values: number[] }[];
  crops: {
    side: number;
    cases: { scale: [number, number]; moments: Record<string, [mean: number, deviation: number]> }[];
    fallbacks: { side: number; ratio: [number, number]; box: [number, number, number, number] }[];
  };
};

/** The bytes of augment.py's `pixels`: without structure, the same everywhere. */
export function pixels(shape: readonly number[]): Uint8Array {
  const count = shape.reduce((product, length) => product * length, 1);
  return Uint8Array.from({ length: count }, (_, i) => (i * i * 31 + i * 17) % 256);
}

/** `pixels` as f32 in 0..1. */
export function unitPixels(shape: readonly number[]): Tensor {
  return tensor(
    Float32Array.from(pixels(shape), (value) => value / 255),
    shape,
  );
}

export function box([top, left, height, width]: readonly [
  number,
  number,
  number,
  number,
  ...unknown[],
]): Box {
  return { top, left, height, width };
}

/** Values in 0..1 with at most f32's rounding between them. */
export function expectClose(actual: Tensor, expected: readonly number[], tolerance = 1e-6): void {
  const values = actual.toArray() as Float32Array;
  expect(values.length).toBe(expected.length);
  const errors = expected.map((value, i) => Math.abs(value - values[i]!));
  expect(
    Math.max(...errors.map((error) => (Number.isNaN(error) ? Number.POSITIVE_INFINITY : error))),
  ).toBeLessThan(tolerance);
}
