/**
 * NT-Xent (Chen et al. 2020, SimCLR): an image finds its other views among all other views of the batch, including
 * those of its own modality. For more than two views it is L_out of SupCon (Khosla et al. 2020, Eq. 2), whose mean over
 * the positives stands outside the logarithm:
 *
 *   1/(V·N) Σ_i −1/(V−1) Σ_{p∈P(i)} log( exp(z_i·z_p/τ) / Σ_{a≠i} exp(z_i·z_a/τ) )
 */
import { inFullPrecision, l2Normalize, ops, type Tensor, TensorError, tensor } from '../tensor/index.js';
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

/**
 * The same loss where samples have different numbers of views. A row without another view of its sample has no
 * positive: it is a negative of the others, and no anchor.
 *
 * @param z one row for each view, [R, d], raw
 * @param samples the number of the sample of each row
 * @param options.groups a number for each row, such as that of its subject: rows of one group are no negatives of each
 * other, but positives stay
 * @returns a scalar, the mean over the anchors; undefined where no row has a positive. The chance level is ln(R − 1)
 */
export function ntXentOfRows(
  z: Tensor,
  samples: readonly number[],
  { tau = 0.5, groups }: { readonly tau?: number; readonly groups?: readonly number[] } = {},
): Tensor | undefined {
  checkRows('ntXent', { z });
  checkTau('ntXent', tau);
  const views = new Map<number, number>();
  for (const sample of samples) views.set(sample, (views.get(sample) ?? 0) + 1);
  const anchors = samples.flatMap((sample, row) => (views.get(sample)! > 1 ? [row] : []));
  if (anchors.length === 0) return undefined;
  const numbers = (values: readonly number[]) =>
    tensor([...values], [values.length], { dtype: 'i64', device: z.device });
  return inFullPrecision([z], (raw) => {
    const unit = l2Normalize(raw!, 1);
    const anchor = numbers(anchors);
    const logits = ops.indexSelect(unit, 0, anchor).matmul(unit.t()).div(tau); // [anchors, R]
    const itself = pairsEqual(anchor, indices(samples.length, z.device));
    const ownSample = numbers(samples);
    const same = pairsEqual(ops.indexSelect(ownSample, 0, anchor), ownSample);
    const positives = ops.logicalAnd(same, ops.logicalNot(itself));
    const left = groups === undefined ? itself : withoutGroup(numbers(groups), anchor, positives);
    const all = ops.maskedFill(logits, left, Number.NEGATIVE_INFINITY);
    const weights = numbers(anchors.map((row) => views.get(samples[row]!)! - 1));
    const positive = ops.maskedFill(logits, ops.logicalNot(positives), 0).sum([1]).div(weights);
    return ops.logSumExp(all, [1], false).sub(positive).mean();
  });
}

/** Marks the rows of each anchor's own group, itself included, but not its positives. */
function withoutGroup(group: Tensor, anchor: Tensor, positives: Tensor): Tensor {
  return ops.logicalAnd(pairsEqual(ops.indexSelect(group, 0, anchor), group), ops.logicalNot(positives));
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
