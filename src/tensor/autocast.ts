import { type Device, type Dtype, native } from './native.js';
import { synchronous } from './synchronous.js';

/**
 * Runs `body` with LibTorch's autocast: convolutions and matrix products run in `dtype`, and operators that need more
 * precision in f32. A null dtype switches autocast off inside. Losses need that, as a mere cast to f32 would be undone.
 *
 * The low-precision copies of the weights are cached within the outermost scope only, because they are stale after the
 * optimiser's step. So put one scope around one forward pass.
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
