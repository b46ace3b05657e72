import { type Device, type Dtype, native } from './native.js';
import { synchronous } from './synchronous.js';

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
    return synchronous('autocast', 'autocast covers', body());
  } finally {
    engine.leaveAutocast(token);
  }
}
