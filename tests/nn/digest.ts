import { expect } from 'vitest';
import type { Tensor } from '../../src/tensor/index.js';

/**
 * Holds a tensor against what stands in a golden file for it: its sum, its norm and its first values.
 * @param scale the size of what the error is held against, where the norm itself is next to nothing
 */
export function expectDigest(x: Tensor, [sum, norm, ...first]: number[], tolerance: number, scale?: number) {
  const flat = x.detach().to({ dtype: 'f64' }).toArray() as Float64Array;
  const measured = { sum: 0, squares: 0 };
  for (const value of flat) {
    measured.sum += value;
    measured.squares += value * value;
  }
  const size = Math.max(norm!, scale ?? 0); // everything in it is at most its norm
  expect(Math.abs(Math.sqrt(measured.squares) - norm!)).toBeLessThanOrEqual(tolerance * size);
  expect(Math.abs(measured.sum - sum!)).toBeLessThanOrEqual(tolerance * size * Math.sqrt(flat.length));
  first.forEach((value, i) => {
    expect(Math.abs(flat[i]! - value)).toBeLessThanOrEqual(tolerance * size);
  });
}
