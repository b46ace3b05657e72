import { ops, type Tensor, tensor, tidy } from '../../src/tensor/index.js';

/** The values in reverse order along the given dimensions. */
export function flip(x: Tensor, dims: readonly number[]): Tensor {
  return tidy(() =>
    dims.reduce((turned, dim) => {
      const length = turned.shape[dim]!;
      const backwards = Array.from({ length }, (_, i) => length - 1 - i);
      return ops.indexSelect(turned, dim, tensor(backwards, [length], { dtype: 'i64' }));
    }, x),
  );
}
