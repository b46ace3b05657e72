import type { Device } from '../../tensor/index.js';
import type { Precision } from '../../training/precision.js';
import { resolveDevice, resolvePrecision } from '../../training/precision.js';
import type { JudgedRunSummary } from '../results/evaluationResult.js';
import type { JudgedRun } from './runEncoders.js';

/** Where and how precisely a run is judged. */
export interface Forwarding {
  readonly device: Device;
  readonly precision: Precision;
}

/** As asked, else as the run was trained; a run in fp16 on a GPU can be judged without one. @throws UsageError where that cannot be */
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
