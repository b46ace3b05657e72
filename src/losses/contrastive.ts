/**
 * Global-invariant features (paper, Eqs. 7–11): an image finds its augmented version, and its mate of the other
 * modality, among the batch.
 */
import { inFullPrecision, l2Normalize, ops, type Tensor, TensorError } from '../tensor/index.js';
import { checkExclude, excludeFrom, indices } from './exclude.js';
import { meanOverParts } from './meanOverParts.js';
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
   * `predict` (ours): ℓ(h_AB(f_A), f_B) + ℓ(h_BA(f_B), f_A), the mate is predicted and need not be alike; it takes the
   * predictions of `ModalityPair.predicted`.
   */
  crossModal?: CrossModal;
  /** The factor β on L_M; default 1, as in Eq. 11. */
  crossModalWeight?: number;
}

export const CROSS_MODAL = ['both-directions', 'clean-and-augmented', 'none', 'predict'] as const;
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
  const { exclude } = options;
  checkRows('globalContrastiveLoss', { a, b, aHat, bHat });
  const modalities = [
    { clean: a, augmented: aHat, exclude },
    { clean: b, augmented: bHat, exclude },
  ];
  return modalityContrastiveLoss(modalities, [{ first: 0, second: 1, exclude }], options);
}

/** The raw embeddings of the images of one modality, a row for each sample that has it. */
export interface ModalityEmbeddings {
  /** Those of the un-augmented images, [n, d]. */
  readonly clean: Tensor;
  /** Those of the augmented images, [n, d]. */
  readonly augmented: Tensor;
  /** The samples that are no negatives of each other, bool [n, n]; see {@link InfoNceOptions}. */
  readonly exclude?: Tensor;
}

/** Two modalities, and the samples that have both. */
export interface ModalityPair {
  /** The numbers of the modalities. */
  readonly first: number;
  readonly second: number;
  /** The rows of the samples among those of the first modality and of the second, i64 [n]; undefined: all rows. */
  readonly rows?: readonly [Tensor | undefined, Tensor | undefined];
  /** The samples that are no negatives of each other, bool [n, n]. */
  readonly exclude?: Tensor;
  /** For `predict`: what the images of the first modality predict of the second, and the other way round, [n, d]. */
  readonly predicted?: readonly [Tensor, Tensor];
  /** For `predict`: whether the embeddings of the first modality, and of the second, take no gradient as targets. */
  readonly fixed?: readonly [boolean, boolean];
}

/** The two parts of L_Glo, scalars. */
export interface GlobalTerms {
  /** L_AUG of Eq. 8. */
  readonly augmentation: Tensor;
  /** L_M of Eq. 10 or what stands in its place, without β; undefined where nothing is compared. */
  readonly crossModal?: Tensor;
}

/**
 * L_Glo of Eq. 11 for any number of modalities, of which samples may lack some. L_AUG is twice the mean of Eq. 7 over
 * all images, and L_M is the mean of Eq. 10 over all pairs of images of one sample. So each image and each pair weighs
 * the same, and two modalities without gaps give the paper's sums.
 *
 * @param modalities at least one
 * @param pairs the pairs of modalities; without any, L_M is left out
 * @returns a scalar
 */
export function modalityContrastiveLoss(
  modalities: readonly ModalityEmbeddings[],
  pairs: readonly ModalityPair[],
  options: Omit<GlobalContrastiveOptions, 'exclude'> = {},
): Tensor {
  return joinTerms(modalityContrastiveTerms(modalities, pairs, options), options.crossModalWeight);
}

/** L_AUG + β·L_M, a scalar. @param beta β; a factor of 1 is left out */
export function joinTerms({ augmentation, crossModal }: GlobalTerms, beta = 1): Tensor {
  if (crossModal === undefined) return augmentation;
  return augmentation.add(beta === 1 ? crossModal : crossModal.mul(beta)); // Eq. 11
}

/** The parts of {@link modalityContrastiveLoss}, of the same arguments. */
export function modalityContrastiveTerms(
  modalities: readonly ModalityEmbeddings[],
  pairs: readonly ModalityPair[],
  options: Omit<GlobalContrastiveOptions, 'exclude'> = {},
): GlobalTerms {
  checkOneOf('globalContrastiveLoss', options, { crossModal: CROSS_MODAL });
  if (modalities.length === 0)
    throw new TensorError('globalContrastiveLoss: no modality, expected at least one');
  const { crossModal = 'both-directions' } = options;
  if (crossModal === 'predict' && pairs.some(({ predicted }) => predicted === undefined)) {
    throw new TensorError('globalContrastiveLoss: crossModal is predict, but a pair has no predictions');
  }
  for (const { clean, augmented } of modalities) checkRows('globalContrastiveLoss', { clean, augmented });
  const predictions = crossModal === 'predict' ? pairs.flatMap(({ predicted }) => predicted!) : [];
  const raw = [
    ...modalities.map(({ clean }) => clean),
    ...modalities.map(({ augmented }) => augmented),
    ...predictions,
  ];
  return inFullPrecision(raw, (...inputs) => {
    const unit = inputs.map((rows) => l2Normalize(rows!, 1));
    const clean = unit.slice(0, modalities.length);
    const hat = unit.slice(modalities.length);
    const predicted = unit.slice(2 * modalities.length);
    const augmentation = meanOverParts(
      modalities.map(({ exclude }, m) => ({
        value: infoNceOfUnitRows(clean[m]!, hat[m]!, { ...options, exclude }), // Eq. 7
        count: clean[m]!.size(0),
      })),
      2, // Eq. 8
    )!;
    if (crossModal === 'none') return { augmentation };
    const crossed = meanOverParts(
      pairs.map((pair, i) => {
        const { first, second, rows: [rowsOfFirst, rowsOfSecond] = [undefined, undefined], exclude } = pair;
        const own = { ...options, exclude };
        const [f, g] = [chosen(clean[first]!, rowsOfFirst), chosen(clean[second]!, rowsOfSecond)];
        if (crossModal === 'predict') {
          const [fixedF, fixedG] = pair.fixed ?? [false, false];
          const ofSecond = infoNceOfUnitRows(predicted[2 * i]!, fixedG ? g.detach() : g, own);
          const ofFirst = infoNceOfUnitRows(predicted[2 * i + 1]!, fixedF ? f.detach() : f, own);
          return { value: ofSecond.add(ofFirst), count: f.size(0) };
        }
        const there = infoNceOfUnitRows(f, g, own); // Eq. 9
        const back =
          crossModal === 'both-directions'
            ? infoNceOfUnitRows(g, f, own)
            : infoNceOfUnitRows(chosen(hat[first]!, rowsOfFirst), chosen(hat[second]!, rowsOfSecond), own);
        return { value: there.add(back), count: f.size(0) }; // Eq. 10
      }),
    );
    return crossed === undefined ? { augmentation } : { augmentation, crossModal: crossed };
  });
}

function chosen(x: Tensor, rows: Tensor | undefined): Tensor {
  return rows === undefined ? x : ops.indexSelect(x, 0, rows);
}
