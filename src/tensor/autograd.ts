/** Gradients: graphs switched on and off, and gradients that leave `grad` alone. */
import { native } from './native.js';
import { synchronous } from './synchronous.js';
import { handleOf, Tensor } from './tensor.js';

/** Runs `body` without recording a graph. */
export function noGrad<T>(body: () => T): T {
  return withGradMode('noGrad', false, body);
}

/** Runs `body` with recording switched on again inside {@link noGrad}. */
export function enableGrad<T>(body: () => T): T {
  return withGradMode('enableGrad', true, body);
}

function withGradMode<T>(scope: string, enabled: boolean, body: () => T): T {
  const previous = native().setGradMode(enabled);
  try {
    return synchronous(scope, `${scope} covers`, body());
  } finally {
    native().setGradMode(previous);
  }
}

/**
 * Computes ∂(sum of outputs)/∂input for each input, without touching `grad`; null where no path leads to an input.
 * @param retainGraph keep the graph for a further backward pass
 */
export function gradientsOf(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  { retainGraph = false } = {},
): (Tensor | null)[] {
  return native()
    .grad(outputs.map(handleOf), inputs.map(handleOf), null, retainGraph)
    .map((handle) => (handle === null ? null : new Tensor(handle)));
}
