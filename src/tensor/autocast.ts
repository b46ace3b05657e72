import { type Device, type Dtype, native, TensorError } from './native.js';

/**
 * Runs `body` with LibTorch's autocast: convolutions and matrix products in `dtype`, what needs it in f32. A null dtype
 * switches autocast off inside, as losses need it: a mere cast to f32 would be undone.
 *
 * The low-precision copies of the weights are cached within the outermost scope only, because they are stale after the
 * optimiser's step; so put one scope around one forward pass.
 */
export function autocast<T>(dtype: Dtype | null, body: () => T, device: Device = 'cpu'): T {
  const engine = native();
  const token = engine.enterAutocast(device, dtype);
  try {
    const result = body();
    if (result instanceof Promise) {
      throw new TensorError(
        'autocast(): the function returned a promise; autocast only covers synchronous work',
      );
    }
    return result;
  } finally {
    engine.leaveAutocast(token);
  }
}
