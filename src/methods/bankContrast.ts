/**
 * A memory bank with the loss against it, its false negatives and, for NCE, its normaliser. InstDis and CMC share it.
 */
import { z } from 'zod';
import { drawNegatives, MemoryBank } from '../banks/index.js';
import { bankNce, bankSoftmax, estimateNormalizer, pairsEqual } from '../losses/index.js';
import { type Device, noGrad, ops, type Tensor, tensor } from '../tensor/index.js';

/** The settings of a method with banks. */
export const bankSettings = {
  loss: z
    .enum(['auto', 'softmax', 'nce'])
    .describe('Over the whole bank, or against drawn rows of it; auto: softmax below 50,000 rows.'),
  negatives: z.int().min(1).describe('Rows that nce draws for each image, as far as there are as many.'),
  bankMomentum: z.number().min(0).lt(1).describe('Share of the old row when an image is seen again.'),
  // Far below this limit, exp(1/τ) of the normaliser overflows.
  tau: z.number().min(0.01).describe('Temperature τ.'),
};

/** The defaults of lemniscate.pytorch and CMC, which are the same. */
export const bankDefaults = { loss: 'auto' as const, negatives: 4096, bankMomentum: 0.5, tau: 0.07 };

/** The number of rows from which the softmax over all rows costs more than the network. */
const MOST_FOR_SOFTMAX = 50_000;

/**
 * The momentum of the average that estimates Z. With it the estimate of the first batch does not stay for ever (CMC,
 * issue 23).
 */
const NORMALIZER_MOMENTUM = 0.99;

export interface BankContrastOptions extends z.infer<z.ZodObject<typeof bankSettings>> {
  readonly name: string;
  readonly rows: number;
  readonly dimension: number;
  /** A number for each row. Rows with the same number are no negatives of each other. */
  readonly numbers?: readonly number[];
  readonly seed: number;
  readonly device: Device;
}

export class BankContrast {
  readonly #options: BankContrastOptions;
  readonly #bank: MemoryBank;
  /** Z and the number of estimates in it, f64 [2]. */
  readonly #normalizer: Tensor | undefined;
  readonly #numbers: Tensor | undefined;

  constructor(options: BankContrastOptions) {
    const { rows, dimension, bankMomentum, tau, loss, numbers, seed, name, device } = options;
    this.#options = options;
    this.#bank = new MemoryBank({ rows, dimension, momentum: bankMomentum, seed, name, device });
    this.#numbers = numbers && tensor([...numbers], [rows], { dtype: 'i64', device });
    if (loss === 'nce' || (loss === 'auto' && rows >= MOST_FOR_SOFTMAX)) {
      // In a bank of random directions cosines are about N(0, 1/d), so the mean of exp(cosine/τ) is exp(1/(2dτ²)).
      const first = rows * Math.exp(1 / (2 * dimension * tau ** 2));
      this.#normalizer = tensor([first, 0], [2], { dtype: 'f64' });
    }
  }

  /** Whether the loss is the softmax over all rows, and not an estimate from drawn ones. */
  get isWhole(): boolean {
    return this.#normalizer === undefined;
  }

  /**
   * Compares features with the bank.
   *
   * @param f [B, d], raw
   * @param rows the row of the bank of each image
   * @param weights the weight of each image in the mean over B; only the softmax over all rows takes them
   * @returns the loss and, with nce, an estimate of Z, one row for each image
   */
  compare(
    f: Tensor,
    rows: readonly number[],
    epoch: number,
    weights?: readonly number[],
  ): { loss: Tensor; estimate?: Tensor } {
    const { tau, seed, device, name } = this.#options;
    const bank = this.#bank.vectors;
    const index = tensor([...rows], [rows.length], { dtype: 'i64', device });
    const own = this.#numbers && ops.indexSelect(this.#numbers, 0, index);
    if (this.#normalizer === undefined) {
      const exclude = own && pairsEqual(own, this.#numbers!);
      return { loss: bankSoftmax(f, bank, index, { tau, exclude, weights }) };
    }
    const count = this.#drawn;
    const drawn = drawNegatives({ rows: bank.size(0), own: rows, count, key: [seed, name, epoch] });
    const flat = drawn.flatMap((each) => [...each]);
    const negatives = tensor(flat, [rows.length, count], { dtype: 'i64', device });
    const exclude = own && ops.eqTensor(ops.unsqueeze(own, 1), ops.take(this.#numbers!, negatives));
    const normalizer = (this.#normalizer.toArray() as Float64Array)[0]!;
    const estimate = estimateNormalizer(f, bank, negatives, tau);
    return {
      loss: bankNce(f, bank, index, negatives, { tau, normalizer, exclude }),
      estimate: ops.full([rows.length], estimate, 'f64', null, 'cpu'),
    };
  }

  /**
   * Compares features with rows of the bank that are not their own.
   *
   * @param f [P, d], raw
   * @param rows the row of the bank that each is to find
   * @param others for each, rows that are no negatives
   * @param weights the weight of each in the mean over P
   * @returns a scalar
   */
  compareWith(
    f: Tensor,
    rows: readonly number[],
    others: readonly (readonly number[])[],
    weights: readonly number[],
  ): Tensor {
    const { tau, rows: all, device } = this.#options;
    const index = tensor([...rows], [rows.length], { dtype: 'i64', device });
    const marks = new Uint8Array(rows.length * all);
    for (const [i, own] of others.entries()) for (const row of own) marks[i * all + row] = 1;
    const own = tensor(Array.from(marks, Boolean), [rows.length, all], { dtype: 'bool', device });
    const numbers = this.#numbers && ops.indexSelect(this.#numbers, 0, index);
    const exclude = numbers === undefined ? own : ops.logicalOr(own, pairsEqual(numbers, this.#numbers!));
    return bankSoftmax(f, this.#bank.vectors, index, { tau, exclude, weights });
  }

  get #drawn(): number {
    return Math.min(this.#options.negatives, this.#options.rows - 1);
  }

  /** The value of the loss when all rows are equally likely. */
  get chance(): number {
    const k = this.#drawn;
    return this.#normalizer === undefined
      ? Math.log(this.#options.rows)
      : Math.log(1 + k) + k * Math.log(1 + 1 / k);
  }

  /** Stores new features. Call it after they have been compared. */
  remember(rows: readonly number[], features: Tensor, estimates?: Tensor): void {
    this.#bank.update(rows, features);
    if (this.#normalizer === undefined || estimates === undefined) return;
    const [before, count] = this.#normalizer.toArray() as Float64Array;
    // The average starts as a plain one, so that its first guess does not linger.
    const momentum = Math.min(NORMALIZER_MOMENTUM, count! / (count! + 1));
    const now = momentum * before! + (1 - momentum) * estimates.mean().item();
    const next = tensor([now, count! + 1], [2], { dtype: 'f64' });
    noGrad(() => ops.copy_(this.#normalizer!, next));
  }

  state(): ReadonlyMap<string, Tensor> {
    const own = new Map(this.#bank.state());
    if (this.#normalizer !== undefined) own.set(`${this.#options.name}.normalizer`, this.#normalizer);
    return own;
  }

  dispose(): void {
    this.#bank.dispose();
    this.#numbers?.dispose();
    this.#normalizer?.dispose();
  }
}
