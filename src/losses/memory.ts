/**
 * Contrast against a memory bank (Wu et al. 2018, instance discrimination; Tian et al. 2020, CMC): an image finds its
 * own row among the features that all n images had when they were last seen. The bank is a constant: gradients flow to
 * f alone.
 *
 *   P(i|f) = exp(f·v_i/τ) / Z,  Z = Σ_j exp(f·v_j/τ)
 */
import {
  inFullPrecision,
  l2Normalize,
  noGrad,
  ops,
  type Tensor,
  TensorError,
  tensor,
  tidy,
} from '../tensor/index.js';
import { checkExclude, excludeFrom } from './exclude.js';
import { checkTau } from './options.js';

export interface BankSoftmaxOptions {
  /** The temperature τ. */
  tau?: number;
  /** The rows that are no negatives, bool [B, n]. An image's own row stays. */
  exclude?: Tensor;
  /** The weight w_b of each image in the mean, [B]; default 1. The mean is still over B. */
  weights?: readonly number[];
}

/**
 * Computes −1/B Σ_b w_b log P(row_b | f_b) with the whole sum Z. It is fast enough for up to tens of thousands of images.
 * @param f [B, d], raw
 * @param bank [n, d], unit rows
 * @param rows i64 [B], the row of the bank of each image
 * @returns a scalar; chance level ln n
 */
export function bankSoftmax(
  f: Tensor,
  bank: Tensor,
  rows: Tensor,
  { tau = 0.07, exclude, weights }: BankSoftmaxOptions = {},
): Tensor {
  checkBank('bankSoftmax', f, bank);
  if (weights !== undefined && weights.length !== f.size(0)) {
    throw new TensorError(
      `bankSoftmax: ${weights.length} weights for ${f.size(0)} images, expected one for each`,
    );
  }
  checkIndices('bankSoftmax', 'rows', rows, [f.size(0)]);
  checkTau('bankSoftmax', tau);
  checkExclude('bankSoftmax', exclude, [f.size(0), bank.size(0)]);
  return inFullPrecision([f, bank], (raw, memory) => {
    const similarities = toAllRows(raw!, memory!, tau);
    const positives = ops.gather(similarities, 1, ops.unsqueeze(rows, 1));
    const losses = ops.logSumExp(excludeFrom(similarities, exclude, rows), [1], true).sub(positives);
    if (weights === undefined) return losses.mean();
    const { dtype, device } = losses;
    return losses.mul(tensor([...weights], [weights.length, 1], { dtype, device })).mean();
  });
}

export interface BankNceOptions {
  /** The temperature τ. */
  tau?: number;
  /** The normaliser Z, from {@link estimateNormalizer}. */
  normalizer: number;
  /** The drawn rows that are no negatives, bool [B, K]. They are dropped, and K is smaller for that image. */
  exclude?: Tensor;
}

/**
 * Estimates the same loss by noise contrast, for banks too large to sum over: it tells an image's own row from K rows
 * of noise, which are uniform over the n rows. With h(i) = P(i|f) / (P(i|f) + K/n):
 *
 *   −1/B Σ_b [ log h(row_b) + Σ_k log(1 − h(negative_bk)) ]
 *
 * An image whose negatives are all excluded adds nothing.
 * @param f [B, d], raw
 * @param bank [n, d], unit rows
 * @param rows i64 [B], the row of the bank of each image
 * @param negatives i64 [B, K], distinct for an image and never its own row
 * @returns a scalar; chance level, P = 1/n everywhere: ln(1 + K) + K·ln(1 + 1/K)
 * @throws TensorError when K > n − 1: such negatives repeat or hold the positive
 */
export function bankNce(
  f: Tensor,
  bank: Tensor,
  rows: Tensor,
  negatives: Tensor,
  { tau = 0.07, normalizer, exclude }: BankNceOptions,
): Tensor {
  checkBank('bankNce', f, bank);
  checkTau('bankNce', tau);
  const batch = f.size(0);
  const drawn = checkNegatives('bankNce', negatives, f, bank);
  checkIndices('bankNce', 'rows', rows, [batch]);
  checkExclude('bankNce', exclude, [batch, drawn]);
  if (!(normalizer > 0 && Number.isFinite(normalizer))) {
    throw new TensorError(
      `bankNce: normalizer is ${normalizer}, expected the positive sum Z of estimateNormalizer`,
    );
  }
  return inFullPrecision([f, bank], (raw, memory) => {
    const index = ops.cat([ops.unsqueeze(rows, 1), negatives], 1);
    const logP = ops.gather(toAllRows(raw!, memory!, tau), 1, index).sub(Math.log(normalizer));
    // With log h = log σ(log P − log K/n) and log(1 − h) = log σ(−(log P − log K/n)), neither overflows.
    const logNoise = noiseCount(drawn, logP, exclude).div(memory!.size(0)).log(); // −∞ where no negative is left: h = 1
    const logOdds = logP.sub(logNoise);
    const positives = ops.logSigmoid(logOdds.narrow(1, 0, 1));
    const others = excludeFrom(logOdds.narrow(1, 1, drawn), exclude);
    return positives.sum().add(ops.logSigmoid(others.neg()).sum()).div(-batch);
  });
}

/**
 * Estimates Z by Monte Carlo: n times the mean of exp(f·v/τ) over drawn rows. Wu's code keeps the estimate of the first
 * batch for ever, when the bank is still noise and Z is far from its later value. Average estimates over the run
 * instead.
 * @param f [B, d], raw
 * @param bank [n, d], unit rows
 * @param negatives i64 [B, K], K ≥ 1
 */
export function estimateNormalizer(f: Tensor, bank: Tensor, negatives: Tensor, tau = 0.07): number {
  checkBank('estimateNormalizer', f, bank);
  checkTau('estimateNormalizer', tau);
  const drawn = checkNegatives('estimateNormalizer', negatives, f, bank);
  if (drawn === 0)
    throw new TensorError('estimateNormalizer: negatives has no columns, expected at least one');
  const logSum = noGrad(() =>
    tidy(() =>
      inFullPrecision([f, bank], (raw, memory) => {
        const logits = ops.gather(toAllRows(raw!, memory!, tau), 1, negatives);
        return ops.logSumExp(logits, [0, 1], false).item();
      }),
    ),
  );
  return bank.size(0) * Math.exp(logSum - Math.log(f.size(0) * drawn));
}

/**
 * Computes the cosines over τ to all rows, [B, n], although NCE needs only K + 1. One product is faster than gathering
 * vectors [B, K, d] until n is some twenty times K.
 */
function toAllRows(f: Tensor, bank: Tensor, tau: number): Tensor {
  const constant = bank.detach().to({ dtype: f.dtype }); // banks are f32, features may be f64
  return l2Normalize(f, 1).matmul(constant.t()).div(tau);
}

/** The K of each image, a scalar or [B, 1]. */
function noiseCount(drawn: number, like: Tensor, exclude: Tensor | undefined): Tensor {
  if (exclude === undefined) return ops.full([], drawn, like.dtype, null, like.device);
  return ops.reverseSubScalar(exclude.to({ dtype: like.dtype }).sum([1], true), drawn);
}

function checkBank(loss: string, f: Tensor, bank: Tensor): void {
  if (f.shape.length !== 2 || f.shape[0] === 0) {
    throw new TensorError(`${loss}: f is [${f.shape}], expected [B, d] with at least one row`);
  }
  if (bank.shape.length !== 2 || bank.shape[0] === 0 || bank.shape[1] !== f.shape[1]) {
    throw new TensorError(`${loss}: bank is [${bank.shape}], expected [n, d] with d = ${f.shape[1]} as in f`);
  }
}

/** Checks the shape of the negatives. @returns K */
function checkNegatives(loss: string, negatives: Tensor, f: Tensor, bank: Tensor): number {
  const drawn = negatives.shape.at(1) ?? 0;
  checkIndices(loss, 'negatives', negatives, [f.size(0), drawn]);
  const rows = bank.size(0);
  if (drawn > rows - 1) {
    throw new TensorError(
      `${loss}: ${drawn} negatives from a bank of ${rows} rows repeat or hold the positive, expected at most ${rows - 1}`,
    );
  }
  return drawn;
}

function checkIndices(loss: string, name: string, x: Tensor, shape: readonly number[]): void {
  if (x.dtype !== 'i64' || x.shape.join() !== shape.join()) {
    throw new TensorError(`${loss}: ${name} is ${x.dtype} [${x.shape}], expected i64 [${shape}]`);
  }
}
