/**
 * The comparison of two aligned images by their patches: the paper's correlation matrices (Eqs. 4, 5), the alternatives
 * of its Table 3, which it names in a word each, and CKA. s^A and s^B are patch embeddings [B, C, P]. Every loss is the
 * mean over the pairs.
 */
import { l2Normalize, ops, type Tensor, TensorError } from '../tensor/index.js';
import { crossGram, gramCorrelationLoss } from './gram.js';
import { checkOneOf } from './options.js';
import { meanOverPairs } from './pairs.js';
import type { PatchOptions } from './patches.js';

export interface RelationOptions {
  /**
   * - `correlation`: the correlation matrices, Eqs. 4 and 5.
   * - `normed`: their softmax over each row ("Normed Corr" of Table 3), compared as Eq. 5 does. It is of the order of
   *   1/P² of Eq. 5.
   * - `kl`: ½(KL(P‖Q) + KL(Q‖P)) of their rows' softmax, the mean over the rows ("KL" of Table 3).
   * - `local-contrast`: InfoNCE; patch i of A finds patch i of B among all patches of B's image, and the other way
   *   round, the mean of both ("Local Contrast" of Table 3). Chance level ln P.
   * - `cka`: 1 − linear CKA (Kornblith 2019) of the centred correlation matrices, from 0 to 1, blind to how strong the
   *   contrast between patches is. An image whose patches are all alike has no structure to compare: its loss is 1, its
   *   gradient 0.
   */
  relation?: 'correlation' | 'normed' | 'kl' | 'local-contrast' | 'cka';
  /**
   * The temperature of the softmax. The paper names none. Correlations lie in [−1, 1], or after a ReLU in [0, 1], so
   * that the softmax is nearly uniform at 1. The defaults are 1 for `normed`, as its name says, 0.1 for `kl`, and 0.07,
   * the τ of Eq. 7, for `local-contrast`.
   */
  relationTau?: number;
  /**
   * The distance: `mse` is Eq. 5. `frobenius` is ‖A^{(M_A)} − A^{(M_B)} + 1e-6‖_F (the authors' code), for
   * `correlation` and `normed`.
   */
  distance?: 'mse' | 'frobenius';
  /**
   * The way `correlation` (with `mse`) and `cka` are computed, a matter of time and memory only. `patches`: by P×P
   * matrices. `gram`: by C×C matrices, in f64. `auto`: `gram` where patches are many and more than channels.
   */
  form?: 'auto' | 'patches' | 'gram';
}

type Relation = NonNullable<RelationOptions['relation']>;
type Form = Exclude<NonNullable<RelationOptions['form']>, 'auto'>;

const temperatures: Partial<Record<Relation, number>> = { normed: 1, kl: 0.1, 'local-contrast': 0.07 };

/** The number of P×P matrices that a pair takes at its peak, forward and backward, as measured. */
const matrices: Record<Relation, number> = {
  correlation: 9,
  normed: 15,
  kl: 17,
  'local-contrast': 9,
  cka: 14,
};

/** The number of bytes that the P×P matrices of one pair may take. */
const limit = 4 * 2 ** 30;

/** @throws TensorError for options that are misspelt or do not go together */
export function checkRelation(options: RelationOptions): void {
  checkOneOf('consistencyLoss', options, {
    relation: ['correlation', 'normed', 'kl', 'local-contrast', 'cka'],
    distance: ['mse', 'frobenius'],
    form: ['auto', 'patches', 'gram'],
  });
  const { relation = 'correlation', relationTau, distance = 'mse', form = 'auto' } = options;
  if (distance === 'frobenius' && relation !== 'correlation' && relation !== 'normed') {
    throw new TensorError(
      `consistencyLoss: distance frobenius goes with relation correlation or normed, not with ${relation}; leave distance at mse`,
    );
  }
  if (form === 'gram' && !hasGramForm(options)) {
    throw new TensorError(
      `consistencyLoss: form gram goes with relation correlation and distance mse, or with relation cka, not with relation ${relation} and distance ${distance}; leave form at auto`,
    );
  }
  if (relationTau !== undefined && temperatures[relation] === undefined) {
    throw new TensorError(
      `consistencyLoss: relationTau is ${relationTau}, but relation ${relation} has no temperature; leave it out`,
    );
  }
  if (relationTau !== undefined && !(relationTau > 0 && relationTau < Number.POSITIVE_INFINITY)) {
    throw new TensorError(
      `consistencyLoss: relationTau is ${relationTau}, expected a positive temperature such as ${temperatures[relation]}`,
    );
  }
}

function hasGramForm({ relation = 'correlation', distance = 'mse' }: RelationOptions): boolean {
  return relation === 'cka' || (relation === 'correlation' && distance === 'mse');
}

/**
 * The loss of a map's patch embeddings, a scalar.
 * @param sA [B, C, P]
 * @param sB [B, C, P]
 * @throws TensorError when one pair's P×P matrices would take more than 4 GiB
 */
export function relationLoss(
  sA: Tensor,
  sB: Tensor,
  layer: number,
  options: RelationOptions & PatchOptions,
): Tensor {
  const { relation = 'correlation' } = options;
  const [, channels, patches] = sA.shape as [number, number, number];
  if (formFor(channels, patches, options) === 'gram') {
    return meanOverPairs(sA, sB, 6 * channels * patches * 8, (a, b) =>
      relation === 'cka' ? ckaLoss(a, b, 'gram') : gramCorrelationLoss(a, b),
    );
  }
  const element = sA.dtype === 'f64' || relation === 'cka' ? 8 : 4;
  const bytesPerPair = checkedBytes(patches, options, { layer, element });
  return meanOverPairs(sA, sB, bytesPerPair, (a, b) => directLoss(a, b, options));
}

/** The bytes that the P×P matrices of a pair take. @throws TensorError when they are more than the limit */
function checkedBytes(
  patches: number,
  options: RelationOptions,
  { layer, element }: { layer: number; element: number },
): number {
  const { relation = 'correlation' } = options;
  const bytes = matrices[relation] * patches ** 2 * element;
  if (bytes <= limit) return bytes;
  const fix = hasGramForm(options)
    ? 'use form gram, which needs no such matrix'
    : 'use a coarser grid, or relation correlation with distance mse or relation cka, which need no such matrix';
  throw new TensorError(
    `consistencyLoss: relation ${relation} of map ${layer} compares ${patches}×${patches} patches, which takes ${(bytes / 2 ** 30).toFixed(1)} GiB for each pair, more than the limit of ${limit / 2 ** 30} GiB; ${fix}`,
  );
}

/**
 * Checks the number of patches before anything is computed.
 * @param layer the number of the map in messages
 * @throws TensorError where a grid of so many patches would take more than 4 GiB for each pair, in f32
 */
export function checkPatchCount(patches: number, layer: number, options: RelationOptions): void {
  if (!hasGramForm(options)) checkedBytes(patches, options, { layer, element: 4 });
}

/**
 * Chooses the form by the break-even as measured (bench/consistency.mjs): P×P matrices in f32 cost as much as C×C
 * matrices in f64 at P = 3C, those in f64 at P = 1.5C. Up to 4×4, the paper's grid, its own matrices are as cheap as
 * any.
 */
export function formFor(channels: number, patches: number, options: RelationOptions): Form {
  const { form = 'auto', relation = 'correlation' } = options;
  if (form !== 'auto') return form;
  const breakEven = relation === 'cka' ? 1.5 * channels : 3 * channels;
  return hasGramForm(options) && patches > Math.max(16, breakEven) ? 'gram' : 'patches';
}

function directLoss(sA: Tensor, sB: Tensor, options: RelationOptions & PatchOptions): Tensor {
  const { relation = 'correlation', relationTau: tau = temperatures[relation] ?? 1 } = options;
  switch (relation) {
    case 'correlation':
      return distanceBetween(correlation(sA), correlation(sB), options);
    case 'normed': {
      const [p, q] = [sA, sB].map((s) => ops.softmax(correlation(s).div(tau), 2));
      return distanceBetween(p!, q!, options);
    }
    case 'kl':
      return symmetricKl(correlation(sA).div(tau), correlation(sB).div(tau));
    case 'local-contrast':
      // Embeddings of Eq. 3 are unit vectors already.
      return options.normalize === 'pixel'
        ? localContrast(l2Normalize(sA, 1), l2Normalize(sB, 1), tau)
        : localContrast(sA, sB, tau);
    case 'cka':
      return ckaLoss(sA, sB, 'patches');
    default:
      throw new TensorError(`consistencyLoss: no relation ${relation satisfies never}`);
  }
}

/** Computes Eq. 4, the similarities between the patches of one image. @param s [B, C, P] @returns A: [B, P, P] */
export function correlation(s: Tensor): Tensor {
  return ops.bmm(ops.transpose(s, 1, 2), s);
}

/** Eq. 5, averaged over the pairs. */
function distanceBetween(a: Tensor, b: Tensor, { distance = 'mse' }: RelationOptions): Tensor {
  return distance === 'mse'
    ? a.sub(b).pow(2).mean()
    : ops.pairwiseDistance(ops.flatten(a, 1, 2), ops.flatten(b, 1, 2), 2, 1e-6).mean();
}

/**
 * The mean over the rows of ½ Σ_j (P_ij − Q_ij)(ln P_ij − ln Q_ij), which is both divergences in one sum without a
 * negative term.
 */
function symmetricKl(logitsA: Tensor, logitsB: Tensor): Tensor {
  const [logP, logQ] = [ops.logSoftmax(logitsA, 2), ops.logSoftmax(logitsB, 2)];
  const terms = logP.exp().sub(logQ.exp()).mul(logP.sub(logQ));
  return terms.sum([2]).mean().mul(0.5);
}

/**
 * Computes ½(A→B + B→A) of −ln( exp(s_i^A·s_i^B/τ) / Σ_j exp(s_i^A·s_j^B/τ) ), the mean over i.
 *
 * @param sA unit vectors
 * @param sB unit vectors
 */
function localContrast(sA: Tensor, sB: Tensor, tau: number): Tensor {
  const logits = ops.bmm(ops.transpose(sA, 1, 2), sB).div(tau); // [B, P, P]
  const among = (dim: number): Tensor => ops.logSumExp(logits, [dim], false);
  return among(2)
    .add(among(1))
    .mul(0.5)
    .sub(ops.diagonal(logits, 0, 1, 2))
    .mean();
}

/**
 * Computes 1 − HSIC(A,B) / √(HSIC(A,A)·HSIC(B,B)), where HSIC is the mean product of two centred correlation matrices,
 * in f64. Each HSIC(X,X) counts as at least 1e-16. Below that the embeddings differ by less than 1e-4 of their length,
 * and the ratio would be that of rounding errors.
 */
function ckaLoss(sA: Tensor, sB: Tensor, form: Form): Tensor {
  const patches = sA.size(2);
  // The embeddings less their mean give the centred matrices.
  const [a, b] = [sA, sB].map((s) => s.to({ dtype: 'f64' })).map((s) => s.sub(s.mean([2], true)));
  const [k, l] = form === 'gram' ? [a!, b!] : [correlation(a!), correlation(b!)];
  const inner = form === 'gram' ? crossGram : (x: Tensor, y: Tensor) => x.mul(y).sum([1, 2]);
  const hsic = (x: Tensor, y: Tensor): Tensor => inner(x, y).div(patches ** 2);
  const [own, mate] = [k, l].map((x) => ops.clampMin(hsic(x, x), 1e-16));
  const cka = hsic(k, l).div(own!.mul(mate!).sqrt());
  return ops
    .clampMin(cka.neg().add(1), 0) // rounding alone makes it negative
    .mean()
    .to({ dtype: sA.dtype });
}
