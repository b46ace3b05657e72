import type { Device } from '../../tensor/index.js';
import type { Precision } from '../../training/precision.js';
import { resolveDevice, resolvePrecision } from '../../training/precision.js';
import type { JudgedRunSummary } from '../results/evaluationResult.js';
import type { JudgedRun } from './runEncoders.js';

/** The device and the precision with which a run is judged. */
export interface Forwarding {
  readonly device: Device;
  readonly precision: Precision;
}

/**
 * Resolves the device and the precision: as asked for, else as the run was trained. A run in fp16 from a GPU can be
 * judged without one.
 * @throws UsageError when the device or the precision is not available
 */
export function forwardingOf(
  { encoders }: JudgedRun,
  asked: { readonly device?: string; readonly precision?: 'auto' | Precision },
): Forwarding {
  const device = resolveDevice(asked.device ?? 'auto');
  const precision = asked.precision ?? encoders[0]!.config.training.precision;
  return {
    device,
    precision: resolvePrecision(precision === 'fp16' && device === 'cpu' ? 'auto' : precision, device),
  };
}

export function runSummary(
  { name, encoders }: JudgedRun,
  { device, precision }: Forwarding,
): JudgedRunSummary {
  const { config } = encoders[0]!;
  return {
    name,
    method: config.method.name,
    recipe: config.recipe,
    seed: config.seed,
    size: config.data.size,
    precision,
    device,
    encoders: encoders.map(({ fold, checkpoint }) => ({
      fold,
      weights: checkpoint === undefined ? 'final' : 'checkpoint',
      step: checkpoint?.step,
    })),
  };
}
