/** The device and the precision of a run, and the loss scaling that fp16 needs. */
import { UsageError } from '../errors.js';
import { cudaDevices, type Device, type Dtype, supportsBf16 } from '../tensor/index.js';

export type Precision = 'fp32' | 'bf16' | 'fp16';

/**
 * Finds the device; `auto` is the first CUDA device if there is one.
 *
 * @throws UsageError for a device that is not there
 */
export function resolveDevice(asked: string): Device {
  const devices = cudaDevices();
  if (asked === 'auto') return devices > 0 ? 'cuda' : 'cpu';
  const index = asked === 'cuda' ? 0 : Number(/^cuda:(\d+)$/.exec(asked)?.[1] ?? -1);
  if (asked !== 'cpu' && index >= devices) {
    throw new UsageError(
      `training.device is ${asked}, but LibTorch sees ${devices} CUDA device(s); use cpu, or point LIBTORCH to a LibTorch with CUDA`,
    );
  }
  return asked as Device;
}

/**
 * Chooses the precision; `auto` is bf16 where the CPU has avx512_bf16 or amx_bf16, or on CUDA, and otherwise fp32.
 *
 * @throws UsageError for fp16 on a CPU
 */
export function resolvePrecision(asked: 'auto' | Precision, device: Device): Precision {
  if (asked === 'auto') return device !== 'cpu' || supportsBf16() ? 'bf16' : 'fp32';
  if (asked === 'fp16' && device === 'cpu') {
    throw new UsageError(
      'training.precision is fp16, which LibTorch cannot train in on a CPU; use bf16, fp32 or auto',
    );
  }
  return asked;
}

/** The dtype for autocast; null for none. */
export function autocastDtype(precision: Precision): Dtype | null {
  return precision === 'fp32' ? null : precision === 'bf16' ? 'bf16' : 'f16';
}

/**
 * Dynamic loss scaling for fp16 (Micikevicius et al. 2018). Gradients of a scaled loss do not underflow. A step whose
 * gradients overflow is skipped and halves the scale; 2,000 good steps double it.
 */
export class LossScaler {
  scale = 65536;
  goodSteps = 0;

  /** Records whether the step's gradients were finite. */
  update(finite: boolean): void {
    if (!finite) {
      this.scale /= 2;
      this.goodSteps = 0;
      return;
    }
    this.goodSteps += 1;
    if (this.goodSteps === 2000) {
      this.scale *= 2;
      this.goodSteps = 0;
    }
  }
}
