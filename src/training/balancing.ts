import type { Method } from '../methods/index.js';
import { gradientsOf, noGrad, ops, type ProcessGroup, type Tensor } from '../tensor/index.js';
import type { Pull } from './inspect.js';

/**
 * Measures, for a method with a `balance`, the gradient of its term at all parameters and that of all other terms.
 * Those of micro-batches are added up before their norm is taken, as they are in a step.
 */
export class Balancing {
  readonly #method: Method;
  readonly #parameters: readonly Tensor[];
  /** One sum for each parameter. They outlive the scope of a micro-batch. */
  readonly #own: readonly Tensor[];
  readonly #others: readonly Tensor[];

  constructor(method: Method) {
    this.#method = method;
    this.#parameters = method.balance?.due ? [...method.parameters().values()] : [];
    const nothing = () => noGrad(() => this.#parameters.map((parameter) => parameter.mul(0)));
    [this.#own, this.#others] = [nothing(), nothing()];
  }

  /**
   * @param pulls the weighted terms, or a micro-batch's share of them
   * @param scale the factor of the loss scaler, which keeps small gradients from underflow
   */
  add(pulls: readonly Pull[], scale = 1): void {
    if (this.#parameters.length === 0) return;
    const own = pulls.filter(({ name }) => name === this.#method.balance!.term);
    this.#add(own, this.#own, scale);
    this.#add(
      pulls.filter((pull) => !own.includes(pull)),
      this.#others,
      scale,
    );
  }

  #add(pulls: readonly Pull[], sums: readonly Tensor[], scale: number): void {
    if (pulls.length === 0) return;
    const outputs = pulls.map(({ value }) => (scale === 1 ? value : value.mul(scale)));
    const found = gradientsOf(outputs, this.#parameters, { retainGraph: true });
    noGrad(() => {
      for (const [i, gradient] of found.entries()) if (gradient !== null) ops.add_(sums[i]!, gradient);
    });
  }

  /** Tells the method both norms, once all micro-batches are added. @param group whose processes have the rest */
  tell(group?: ProcessGroup): void {
    if (group !== undefined) for (const sum of [...this.#own, ...this.#others]) group.sum(sum);
    if (this.#parameters.length > 0) this.#method.balance!.see(norm(this.#own), norm(this.#others));
  }
}

/** The norm over all tensors together. */
function norm(gradients: readonly Tensor[]): number {
  return noGrad(() =>
    Math.hypot(...gradients.map((gradient) => ops.vectorNorm(gradient, 2, null, false).item())),
  );
}
