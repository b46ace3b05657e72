/**
 * A weight that grows as another term falls: the term that it weighs enters when there is something to lose no more.
 */
import { noGrad, ops, type Tensor, tensor, tidy } from '../../tensor/index.js';

/** The part of the running mean that each step replaces. */
const PACE = 0.01;

/**
 * The running mean of a term as a share of its chance level. It starts at 1, is part of the checkpoint, and gives a
 * weight that rises linearly from 0 at 1 to 1 at the share `full`.
 */
export class Curriculum {
  readonly #full: number;
  /** f64 [1], on the CPU. */
  readonly #mean: Tensor;
  #seen: number | undefined;

  constructor(full: number) {
    this.#full = full;
    this.#mean = tensor([1], [1], { dtype: 'f64' });
  }

  /** The weight of this step, from 0 to 1. */
  get weight(): number {
    return Math.min(1, Math.max(0, (1 - this.#mean.item()) / (1 - this.#full)));
  }

  /** Takes the term's share of its chance level in this step; `afterStep` remembers it. */
  see(share: number): void {
    this.#seen = share;
  }

  afterStep(): void {
    if (this.#seen === undefined) return;
    const mean = (1 - PACE) * this.#mean.item() + PACE * this.#seen;
    noGrad(() => tidy(() => ops.copy_(this.#mean, tensor([mean], [1], { dtype: 'f64' }))));
    this.#seen = undefined;
  }

  state(): ReadonlyMap<string, Tensor> {
    return new Map([['curriculum', this.#mean]]);
  }

  dispose(): void {
    this.#mean.dispose();
  }
}
