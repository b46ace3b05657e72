/**
 * NT-Xent (Chen et al. 2020, SimCLR): an image finds its other views among all other views of the batch, including
 * those of its own modality. For more than two views it is L_out of SupCon (Khosla et al. 2020, Eq. 2), whose mean over
 * the positives stands outside the logarithm:
 *
 *   1/(V·N) Σ_i −1/(V−1) Σ_{p∈P(i)} log( exp(z_i·z_p/τ) / Σ_{a≠i} exp(z_i·z_a/τ) )
 */
import { inFullPrecision, l2Normalize, ops, type Tensor, TensorError } from '../tensor/index.js';
import { checkExclude, excludeFrom, indices, pairsEqual } from './exclude.js';
import { checkRows, checkTau } from './options.js';

export interface NtXentOptions {
  /** The temperature τ. */
  tau?: number;
  /** The samples that are no negatives of each other in any view, bool [N, N]. The positives stay. */
  exclude?: Tensor;
}

/**
 * @param views V ≥ 2 tensors [N, d], raw; row i of each is a view of sample i
 * @returns a scalar; chance level {@link ntXentChance}
 * @throws TensorError when there are fewer than two views, or they differ in shape
 */
export function ntXent(views: readonly Tensor[], { tau = 0.5, exclude }: NtXentOptions = {}): Tensor {
  if (views.length < 2) throw new TensorError(`ntXent: ${views.length} views, expected at least two`);
  checkRows('ntXent', Object.fromEntries(views.map((view, v) => [`view ${v}`, view])));
  checkTau('ntXent', tau);
  const samples = views[0]!.size(0);
  checkExclude('ntXent', exclude, [samples, samples]);
  const count = views.length;
  const rows = count * samples;
  return inFullPrecision(views, (...raw) => {
    const z = l2Normalize(ops.cat(raw, 0), 1);
    const logits = z.matmul(z.t()).div(tau); // [V·N, V·N]
    const row = indices(rows, z.device);
    const others = ops.maskedFill(logits, pairsEqual(row, row), Number.NEGATIVE_INFINITY);
    const all = exclude === undefined ? others : excludeFrom(others, betweenViews(exclude, count));
    // The shape is [V, V, N]: view v of a sample with view w of the same sample. Where v = w there is no positive.
    const own = ops.diagonal(ops.reshape(logits, [count, samples, count, samples]), 0, 1, 3);
    const view = indices(count, z.device);
    const positives = ops.maskedFill(own, ops.unsqueeze(pairsEqual(view, view), 2), 0);
    const positive = ops.flatten(positives.sum([1]).div(count - 1), 0, 1); // [V·N], the mean over P(i)
    return ops.logSumExp(all, [1], false).sub(positive).mean();
  });
}

/** The loss ln(V·N − 1), when all embeddings are equal and nothing is excluded. */
export function ntXentChance(views: number, samples: number): number {
  return Math.log(views * samples - 1);
}

/** Expands a mask by sample, [N, N], to one by view and sample, [V·N, V·N], without the positives. */
function betweenViews(exclude: Tensor, views: number): Tensor {
  const samples = exclude.size(0);
  const sample = indices(samples, exclude.device);
  const negatives = ops.maskedFill(exclude, pairsEqual(sample, sample), 0);
  const rows = ops.cat(Array(views).fill(negatives), 0);
  return ops.cat(Array(views).fill(rows), 1);
}
