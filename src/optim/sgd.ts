import { keep, noGrad, ops, type Tensor, tidy } from '../tensor/index.js';

export interface SgdOptions {
  momentum?: number;
  weightDecay?: number;
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent as torch.optim.SGD:
 * d = g + λ·p;  v ← μ·v + d (v = d at first);  p ← p − lr·(v, or d + μ·v with Nesterov).
 *
 * A parameter without a gradient stays as it is and does not decay: with L_C alone the head gets no gradient.
 */
export class Sgd {
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #momentum: number;
  readonly #weightDecay: number;
  readonly #nesterov: boolean;
  /** The velocity v by parameter name, made at a parameter's first gradient. */
  readonly #velocities = new Map<string, Tensor>();

  /** @throws RangeError on a negative momentum or decay, and on Nesterov without momentum */
  constructor(
    parameters: ReadonlyMap<string, Tensor>,
    { momentum = 0, weightDecay = 0, nesterov = false }: SgdOptions = {},
  ) {
    if (!(momentum >= 0 && momentum < 1)) {
      throw new RangeError(`Sgd: momentum is ${momentum}, expected a number in [0, 1)`);
    }
    if (!(weightDecay >= 0))
      throw new RangeError(`Sgd: weightDecay is ${weightDecay}, expected a number ≥ 0`);
    if (nesterov && momentum === 0) throw new RangeError('Sgd: nesterov needs a momentum above 0');
    this.#parameters = parameters;
    this.#momentum = momentum;
    this.#weightDecay = weightDecay;
    this.#nesterov = nesterov;
  }

  /** Takes one step at the given learning rate. It consumes the gradients, whose memory holds d afterwards. */
  step(learningRate: number): void {
    noGrad(() =>
      tidy(() => {
        const names: string[] = [];
        const parameters: Tensor[] = [];
        const d: Tensor[] = [];
        for (const [name, parameter] of this.#parameters) {
          const gradient = parameter.grad;
          if (gradient === null) continue;
          names.push(name);
          parameters.push(parameter);
          d.push(gradient);
        }
        if (names.length === 0) return;
        if (this.#weightDecay > 0) ops.foreachAddList_(d, parameters, this.#weightDecay);
        ops.foreachAddList_(parameters, this.#momentum > 0 ? this.#accelerate(names, d) : d, -learningRate);
      }),
    );
  }

  /** Updates the velocities. @returns the direction of the step */
  #accelerate(names: readonly string[], d: readonly Tensor[]): readonly Tensor[] {
    const known: Tensor[] = [];
    const additions: Tensor[] = [];
    const velocities = names.map((name, i) => {
      const velocity = this.#velocities.get(name);
      if (velocity !== undefined) {
        known.push(velocity);
        additions.push(d[i]!);
        return velocity;
      }
      const first = keepClone(d[i]!);
      this.#velocities.set(name, first);
      return first;
    });
    if (known.length > 0) {
      ops.foreachMulScalar_(known, this.#momentum);
      ops.foreachAddList_(known, additions, 1);
    }
    return this.#nesterov ? ops.foreachAddList(d, velocities, this.#momentum) : velocities;
  }

  /** Drops all gradients, so that the next backward pass starts anew. */
  zeroGrad(): void {
    for (const parameter of this.#parameters.values()) parameter.grad = null;
  }

  /** The velocities by parameter name, for the checkpoint. */
  state(): ReadonlyMap<string, Tensor> {
    return this.#velocities;
  }

  /** Takes over a copy of the velocities from a checkpoint. */
  loadState(state: ReadonlyMap<string, Tensor>): void {
    this.dispose();
    for (const [name, velocity] of state) {
      const parameter = this.#parameters.get(name);
      if (parameter === undefined || parameter.shape.join() !== velocity.shape.join()) {
        throw new RangeError(`Sgd: the velocity of ${name} [${velocity.shape}] fits no parameter`);
      }
      const own = noGrad(() => keepClone(parameter));
      ops.copy_(own, velocity);
      this.#velocities.set(name, own);
    }
  }

  dispose(): void {
    for (const velocity of this.#velocities.values()) velocity.dispose();
    this.#velocities.clear();
  }
}

function keepClone(x: Tensor): Tensor {
  return keep(ops.clone(x, 'preserve'));
}
