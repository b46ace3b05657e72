import { type Dtype, l2Normalize, type Tensor, tensor } from '../../src/tensor/index.js';
import { values } from '../golden/formula.js';

/** Raw embeddings from the golden tests' formula, f64 unless told. */
export function rows(
  shape: readonly number[],
  seed: number,
  options: { dtype?: Dtype; requiresGrad?: boolean } = {},
): Tensor {
  return tensor(values(shape, seed), shape, options);
}

/** Unit rows, as banks and queues hold them. */
export function unitRows(shape: readonly [number, number], seed: number, dtype: Dtype = 'f64'): Tensor {
  return l2Normalize(rows(shape, seed, { dtype }), 1);
}

/** n equal unit rows. */
export function equalRows(n: number, d: number): Tensor {
  return tensor(Array(n * d).fill(1 / Math.sqrt(d)), [n, d], { dtype: 'f64' });
}

/** c·identity. */
export function oneHot(n: number, c = 1): Tensor {
  return tensor(
    Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? c : 0)),
    [n, n],
    { dtype: 'f64' },
  );
}

export function i64(data: readonly number[], shape: readonly number[] = [data.length]): Tensor {
  return tensor(data, shape, { dtype: 'i64' });
}

export function bool(data: readonly (number | boolean)[], shape: readonly number[]): Tensor {
  return tensor(data.map(Number), shape, { dtype: 'bool' });
}

export function numbers(x: Tensor | null): number[] {
  return Array.from(x?.toArray() ?? [], Number);
}
