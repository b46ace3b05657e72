/**
 * Global-invariant features (paper, Eqs. 7–11): an image finds its augmented version, and its mate of the other
 * modality, among the batch.
 */
import { inFullPrecision, l2Normalize, ops, type Tensor } from '../tensor/index.js';
import { checkExclude, excludeFrom, indices } from './exclude.js';
import { checkOneOf, checkRows, checkTau } from './options.js';

export interface InfoNceOptions {
  /** The temperature τ. */
  tau?: number;
  /**
   * The candidates that are no negatives of an anchor, such as other slices of its subject, bool [N, N]. The positive
   * stays.
   */
  exclude?: Tensor;
  /**
   * The number of times the positive stands in the denominator: `once`, as printed in Eqs. 7 and 9, or `twice`, as in
   * the authors' code, which puts it before the full row (the loss is then at least ln 2).
   */
  positive?: 'once' | 'twice';
}

/**
 * InfoNCE (van den Oord 2018), one direction, as in Eqs. 7 and 9:
 * −1/N Σ_i log( exp(f_i·g_i/τ) / Σ_j exp(f_i·g_j/τ) ) over l2-normalised rows.
 * @param f anchors [N, d], raw
 * @param g candidates [N, d], raw; row i is the positive of anchor i
 * @returns a scalar; chance level ln N
 */
export function infoNce(f: Tensor, g: Tensor, options: InfoNceOptions = {}): Tensor {
  checkRows('infoNce', { f, g });
  return inFullPrecision([f, g], (anchors, candidates) =>
    infoNceOfUnitRows(l2Normalize(anchors!, 1), l2Normalize(candidates!, 1), options),
  );
}

function infoNceOfUnitRows(f: Tensor, g: Tensor, options: InfoNceOptions): Tensor {
  checkOneOf('contrastive loss', options, { positive: ['once', 'twice'] });
  const { tau = 0.07, positive = 'once', exclude } = options;
  checkTau('infoNce', tau);
  const count = f.size(0);
  checkExclude('contrastive loss', exclude, [count, count]);
  const similarities = f.matmul(g.t()).div(tau); // [N, N] cosines over τ
  const positives = ops.diagonal(similarities);
  const logits = excludeFrom(similarities, exclude, indices(count, f.device));
  const row = positive === 'once' ? logits : ops.cat([ops.unsqueeze(positives, 1), logits], 1);
  return ops.logSumExp(row, [1], false).sub(positives).mean();
}

export interface GlobalContrastiveOptions extends InfoNceOptions {
  /**
   * `both-directions`: L_M = A→B + B→A on the un-augmented images, Eq. 10. `clean-and-augmented`: A→B + Â→B̂ (the
   * authors' code). `none`: no L_M, so that nothing draws A and B together (an ablation of Eq. 11 that is ours).
   */
  crossModal?: CrossModal;
}

export const CROSS_MODAL = ['both-directions', 'clean-and-augmented', 'none'] as const;
export type CrossModal = (typeof CROSS_MODAL)[number];

/** The raw embeddings of the four views, [N, d]. */
export interface PairEmbeddings {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly aHat: Tensor;
  readonly bHat: Tensor;
}

/** L_Glo = L_AUG + L_M of Eq. 11, not scaled by α, a scalar. Its chance level is 4·ln N, or 2·ln N without L_M. */
export function globalContrastiveLoss(views: PairEmbeddings, options: GlobalContrastiveOptions = {}): Tensor {
  const { a, b, aHat, bHat } = views;
  checkOneOf('globalContrastiveLoss', options, { crossModal: CROSS_MODAL });
  const { crossModal = 'both-directions' } = options;
  checkRows('globalContrastiveLoss', { a, b, aHat, bHat });
  return inFullPrecision([a, b, aHat, bHat], (...raw) => {
    const [fA, fB, fAHat, fBHat] = raw.map((rows) => l2Normalize(rows, 1)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const augA = infoNceOfUnitRows(fA, fAHat, options); // Eq. 7
    const augB = infoNceOfUnitRows(fB, fBHat, options);
    const augmented = augA.add(augB); // Eq. 8
    if (crossModal === 'none') return augmented;
    const aToB = infoNceOfUnitRows(fA, fB, options); // Eq. 9
    const back =
      crossModal === 'both-directions'
        ? infoNceOfUnitRows(fB, fA, options)
        : infoNceOfUnitRows(fAHat, fBHat, options);
    return augmented.add(aToB.add(back)); // Eqs. 10, 11
  });
}
