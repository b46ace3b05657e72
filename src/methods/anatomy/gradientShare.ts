/**
 * A weight that keeps the gradient of one term a set share of the gradient of all others. L_C is a mean over squares of
 * small differences, so at a weight of 1 its gradient is a thousandth of that of L_Glo and moves nothing.
 */
import { noGrad, ops, type Tensor, tensor, tidy } from '../../tensor/index.js';
import type { Balance } from '../method.js';

/** The steps from one measurement to the next; each costs two more backward passes. */
const EVERY = 10;
/** The part of the running ratio that each measurement replaces. */
const PACE = 0.1;

/**
 * The running ratio of the two norms, for a term of weight 1, with the number of steps so far. Both are part of the
 * checkpoint. The first step has the weight `start`, as nothing is measured yet.
 */
export class GradientShare implements Balance {
  readonly term: string;
  readonly #share: number;
  readonly #start: number;
  /** f64 [2], on the CPU: the running ratio, 0 before the first measurement, and the steps done. */
  readonly #state: Tensor;
  #seen: number | undefined;

  constructor(term: string, { share, start }: { share: number; start: number }) {
    this.term = term;
    this.#share = share;
    this.#start = start;
    this.#state = tensor([0, 0], [2], { dtype: 'f64' });
  }

  get #ratio(): number {
    return Number(this.#state.toArray()[0]);
  }

  get #steps(): number {
    return Number(this.#state.toArray()[1]);
  }

  /** The weight of this step. */
  get weight(): number {
    return this.#ratio === 0 ? this.#start : this.#share / this.#ratio;
  }

  get due(): boolean {
    return this.#steps % EVERY === 0;
  }

  see(own: number, others: number): void {
    const ratio = own / this.weight / others;
    // A term without gradient, or nothing beside it, has no ratio to keep.
    this.#seen = Number.isFinite(ratio) && ratio > 0 ? ratio : undefined;
  }

  /** Remembers what the step has measured. */
  afterStep(): void {
    const before = this.#ratio;
    const seen = this.#seen ?? before;
    const ratio = before === 0 ? seen : before + PACE * (seen - before);
    noGrad(() => tidy(() => ops.copy_(this.#state, tensor([ratio, this.#steps + 1], [2], { dtype: 'f64' }))));
    this.#seen = undefined;
  }

  state(): ReadonlyMap<string, Tensor> {
    return new Map([[`share.${this.term}`, this.#state]]);
  }

  dispose(): void {
    this.#state.dispose();
  }
}
