/** The common parts of bank and queue: the random directions they start with, and a check of sizes. */
import { type Device, keep, type Tensor, tensor, tidy } from '../tensor/index.js';

/**
 * Draws random directions, f32 [rows, dimension]; the caller frees the tensor. They are normalised here in double
 * precision, so that they are the same on every machine.
 * @param draw draws one component
 */
export function randomUnitRows(
  rows: number,
  dimension: number,
  draw: () => number,
  device: Device = 'cpu',
): Tensor {
  const values = new Float32Array(rows * dimension);
  const row = new Float64Array(dimension);
  for (let r = 0; r < rows; r += 1) {
    let squares = 0;
    for (let i = 0; i < dimension; i += 1) {
      row[i] = draw();
      squares += row[i]! ** 2;
    }
    const norm = Math.sqrt(squares);
    for (let i = 0; i < dimension; i += 1) values[r * dimension + i] = row[i]! / norm;
  }
  return keep(tidy(() => tensor(values, [rows, dimension]).to({ device })));
}

/** @throws RangeError unless `value` is an integer ≥ 1 */
export function checkCount(owner: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`${owner}: ${name} is ${value}, expected an integer ≥ 1`);
  }
}
