import { keep, noGrad, ops, type Tensor, tensor, tidy } from '../tensor/index.js';

/** Parameters that share their settings. */
export interface ParameterGroup {
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** The factor on the learning rate of every step; by default 1. */
  readonly rate?: number;
  /** The weight decay λ; by default 0. */
  readonly weightDecay?: number;
}

export interface AdamWOptions {
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
}

/** The running averages, since a parameter's first gradient, of the gradient and of its square. */
interface Moments {
  readonly first: Tensor;
  readonly second: Tensor;
  steps: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019) as torch.optim.AdamW. In step t of a parameter:
 * p ← (1 − lr·λ)·p;  m ← β₁·m + (1 − β₁)·g;  v ← β₂·v + (1 − β₂)·g²;
 * p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε).
 *
 * A parameter without a gradient stays as it is: it does not decay, and its t does not advance.
 */
export class AdamW {
  readonly #groups: readonly ParameterGroup[];
  readonly #betas: readonly [number, number];
  readonly #epsilon: number;
  readonly #moments = new Map<string, Moments>();

  /** @throws RangeError on numbers that torch.optim.AdamW refuses, and on a name that stands in two groups */
  constructor(
    groups: readonly ParameterGroup[],
    { betas = [0.9, 0.999], epsilon = 1e-8 }: AdamWOptions = {},
  ) {
    for (const beta of betas) {
      if (!(beta >= 0 && beta < 1))
        throw new RangeError(`AdamW: beta is ${beta}, expected a number in [0, 1)`);
    }
    if (!(epsilon >= 0)) throw new RangeError(`AdamW: epsilon is ${epsilon}, expected a number ≥ 0`);
    const names = new Set<string>();
    for (const { parameters, rate = 1, weightDecay = 0 } of groups) {
      if (!(rate >= 0)) throw new RangeError(`AdamW: rate is ${rate}, expected a factor ≥ 0`);
      if (!(weightDecay >= 0))
        throw new RangeError(`AdamW: weightDecay is ${weightDecay}, expected a number ≥ 0`);
      for (const name of parameters.keys()) {
        if (names.has(name)) throw new RangeError(`AdamW: ${name} is in two groups, expected one`);
        names.add(name);
      }
    }
    this.#groups = groups;
    this.#betas = betas;
    this.#epsilon = epsilon;
  }

  /** Takes one step, each group at its own factor times `learningRate`. */
  step(learningRate: number): void {
    noGrad(() => {
      for (const { parameters, rate = 1, weightDecay = 0 } of this.#groups) {
        for (const [name, parameter] of parameters) {
          tidy(() => this.#update(name, parameter, learningRate * rate, weightDecay));
        }
      }
    });
  }

  #update(name: string, parameter: Tensor, learningRate: number, weightDecay: number): void {
    const gradient = parameter.grad;
    if (gradient === null) return;
    const [beta1, beta2] = this.#betas;
    const moments = this.#moments.get(name) ?? this.#begin(name, parameter);
    const { first, second } = moments;
    moments.steps += 1;
    if (weightDecay > 0) ops.mulScalar_(parameter, 1 - learningRate * weightDecay);
    ops.add_(ops.mulScalar_(first, beta1), gradient.mul(1 - beta1));
    ops.add_(ops.mulScalar_(second, beta2), gradient.mul(gradient).mul(1 - beta2));
    const size = second
      .sqrt()
      .div(Math.sqrt(1 - beta2 ** moments.steps))
      .add(this.#epsilon);
    ops.add_(parameter, first.div(size).mul(-learningRate / (1 - beta1 ** moments.steps)));
  }

  #begin(name: string, parameter: Tensor): Moments {
    const moments = { first: zerosLike(parameter), second: zerosLike(parameter), steps: 0 };
    this.#moments.set(name, moments);
    return moments;
  }

  /** Drops all gradients, so that the next backward pass starts anew. */
  zeroGrad(): void {
    for (const { parameters } of this.#groups) {
      for (const parameter of parameters.values()) parameter.grad = null;
    }
  }

  /**
   * The state by parameter name, with torch's `exp_avg` and `exp_avg_sq`, and `step` as i64; the caller frees the
   * latter.
   */
  state(): ReadonlyMap<string, Tensor> {
    return new Map(
      [...this.#moments].flatMap(([name, { first, second, steps }]) => [
        [`${name}.exp_avg`, first] as const,
        [`${name}.exp_avg_sq`, second] as const,
        [`${name}.step`, tensor(steps, [], { dtype: 'i64' })] as const,
      ]),
    );
  }

  /** Takes over a copy of the state that `state` gave. @throws RangeError when it does not fit */
  loadState(state: ReadonlyMap<string, Tensor>): void {
    this.dispose();
    const parameters = new Map(this.#groups.flatMap((group) => [...group.parameters]));
    for (const key of state.keys()) {
      const name = key.replace(/\.(exp_avg|exp_avg_sq|step)$/, '');
      if (this.#moments.has(name)) continue;
      const parameter = parameters.get(name);
      const [first, second] = [state.get(`${name}.exp_avg`), state.get(`${name}.exp_avg_sq`)];
      const steps = state.get(`${name}.step`);
      if (parameter === undefined || first === undefined || second === undefined || steps === undefined) {
        throw new RangeError(`AdamW: ${key} fits no parameter, or is not all of its state`);
      }
      for (const moment of [first, second]) {
        if (moment.shape.join() === parameter.shape.join()) continue;
        throw new RangeError(
          `AdamW: the state of ${name} is [${moment.shape}], expected [${parameter.shape}]`,
        );
      }
      const own = this.#begin(name, parameter);
      ops.copy_(own.first, first);
      ops.copy_(own.second, second);
      own.steps = steps.item();
    }
  }

  dispose(): void {
    for (const { first, second } of this.#moments.values())
      for (const moment of [first, second]) moment.dispose();
    this.#moments.clear();
  }
}

/** Makes zeros of the parameter's shape, in the parameter's own memory format. */
function zerosLike(parameter: Tensor): Tensor {
  return noGrad(() => keep(ops.zero_(ops.clone(parameter, 'preserve'))));
}
