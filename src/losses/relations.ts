/**
 * The comparison of two images by their patches: the paper's correlation matrices (Eqs. 4, 5), the alternatives of its
 * Table 3, which it names in a word each, CKA, and two for images that are not aligned. s^A and s^B are patch embeddings
 * [B, C, P]. Every loss is the mean over the pairs.
 */
import { l2Normalize, ops, type Tensor, TensorError } from '../tensor/index.js';
import { alignmentFreeLoss } from './alignmentFree.js';
import { crossGram, gramCorrelationLoss } from './gram.js';
import { meanOverPairs } from './pairs.js';
import { correlation, gridOf, type PatchOptions } from './patches.js';
import { hasGramForm, type Relation, type RelationOptions, temperatures } from './relationOptions.js';
import { checkShift, leastOverShifts } from './shift.js';
import { transport } from './transport.js';

type Form = Exclude<NonNullable<RelationOptions['form']>, 'auto'>;

/** The number of P×P matrices that a pair takes at its peak, forward and backward, as measured. */
const matrices: Record<Relation, number> = {
  correlation: 9,
  normed: 15,
  kl: 17,
  'local-contrast': 9,
  cka: 14,
  transport: 10,
  'alignment-free': 20,
};

/** The number of bytes that the P×P matrices of one pair may take. */
const limit = 4 * 2 ** 30;

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
  checkShift(gridOf(layer, options), layer, options.consistencyShift ?? 0);
  return meanOverPairs(sA, sB, bytesPerPair, (a, b) => directLoss(a, b, layer, options));
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
    : 'use a coarser grid, or relation correlation with distance mse and no shift or relation cka, which need no such matrix';
  throw new TensorError(
    `consistencyLoss: relation ${relation} of map ${layer} compares ${patches}×${patches} patches, which takes ${(bytes / 2 ** 30).toFixed(1)} GiB for each pair, more than the limit of ${limit / 2 ** 30} GiB; ${fix}`,
  );
}

/**
 * Checks a grid before anything is computed.
 * @param layer the number of the map in messages
 * @throws TensorError where so many patches would take more than 4 GiB for each pair, in f32, or are too few for the
 * shift
 */
export function checkRelationGrid(
  grid: readonly [number, number],
  layer: number,
  options: RelationOptions,
): void {
  if (!hasGramForm(options)) checkedBytes(grid[0] * grid[1], options, { layer, element: 4 });
  checkShift(grid, layer, options.consistencyShift ?? 0);
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

function directLoss(sA: Tensor, sB: Tensor, layer: number, options: RelationOptions & PatchOptions): Tensor {
  const { relation = 'correlation', relationTau: tau = temperatures[relation] ?? 1 } = options;
  switch (relation) {
    case 'correlation': {
      const { consistencyShift: most = 0 } = options;
      return most === 0
        ? distanceBetween(correlation(sA), correlation(sB), options)
        : leastOverShifts(sA, sB, gridOf(layer, options), most);
    }
    case 'normed': {
      const [p, q] = [sA, sB].map((s) => ops.softmax(correlation(s).div(tau), 2));
      return distanceBetween(p!, q!, options);
    }
    case 'kl':
      return symmetricKl(correlation(sA).div(tau), correlation(sB).div(tau));
    case 'local-contrast':
      return localContrast(...unitVectors(sA, sB, options), tau);
    case 'cka':
      return ckaLoss(sA, sB, 'patches');
    case 'transport': {
      const moved = transport(unitVectors(sA, sB, options), sB, gridOf(layer, options), options);
      return distanceBetween(correlation(sA), correlation(moved), options);
    }
    case 'alignment-free':
      return alignmentFreeLoss(correlation(sA), correlation(sB));
    default:
      throw new TensorError(`consistencyLoss: no relation ${relation satisfies never}`);
  }
}

/** Embeddings of Eq. 3 are unit vectors already. */
function unitVectors(sA: Tensor, sB: Tensor, { normalize }: PatchOptions): readonly [Tensor, Tensor] {
  return normalize === 'pixel' ? [l2Normalize(sA, 1), l2Normalize(sB, 1)] : [sA, sB];
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
