/** The settings by which two images are compared, and which of them go together. */
import { TensorError } from '../tensor/index.js';
import { checkOneOf } from './options.js';
import { type TransportOptions, transportDefaults } from './transport.js';

export const RELATIONS = [
  'correlation',
  'normed',
  'kl',
  'local-contrast',
  'cka',
  'transport',
  'alignment-free',
] as const;

export type Relation = (typeof RELATIONS)[number];

export interface RelationOptions extends TransportOptions {
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
   * - `transport`: Eq. 5 with B's patches moved to where A has them, P⁻²‖A^{(M_A)} − T A^{(M_B)} Tᵀ‖²_F, by a plan T of
   *   optimal transport between similar patches that lie near each other, which takes no gradient. T mixes patches that
   *   are alike, so equal images are near 0 and not at it; and it goes one way: A and B cannot be swapped.
   * - `alignment-free`: the mean squared difference of the sorted similarities of different patches, which no
   *   permutation of either image's patches changes.
   */
  relation?: Relation;
  /**
   * The temperature of the softmax. The paper names none. Correlations lie in [−1, 1], or after a ReLU in [0, 1], so
   * that the softmax is nearly uniform at 1. The defaults are 1 for `normed`, as its name says, 0.1 for `kl`, and 0.07,
   * the τ of Eq. 7, for `local-contrast`.
   */
  relationTau?: number;
  /**
   * How many patches B may be shifted against A in each direction; default 0. Each pair has the least Eq. 5 over all
   * such shifts, over the patches that overlap. For `correlation` with `mse`.
   */
  consistencyShift?: number;
  /**
   * The distance: `mse` is Eq. 5. `frobenius` is ‖A^{(M_A)} − A^{(M_B)} + 1e-6‖_F (the authors' code), for
   * `correlation` and `normed`.
   */
  distance?: 'mse' | 'frobenius';
  /**
   * The way `correlation` (with `mse`, unshifted) and `cka` are computed, a matter of time and memory only. `patches`:
   * by P×P matrices. `gram`: by C×C matrices, in f64. `auto`: `gram` where patches are many and more than channels.
   */
  form?: 'auto' | 'patches' | 'gram';
}

export const temperatures: Partial<Record<Relation, number>> = {
  normed: 1,
  kl: 0.1,
  'local-contrast': 0.07,
};

/** @throws TensorError for options that are misspelt or do not go together */
export function checkRelation(options: RelationOptions): void {
  checkOneOf('consistencyLoss', options, {
    relation: RELATIONS,
    distance: ['mse', 'frobenius'],
    form: ['auto', 'patches', 'gram'],
  });
  const { relation = 'correlation', relationTau, distance = 'mse', form = 'auto' } = options;
  if (distance === 'frobenius' && relation !== 'correlation' && relation !== 'normed') {
    throw new TensorError(
      `consistencyLoss: distance frobenius goes with relation correlation or normed, not with ${relation}; leave distance at mse`,
    );
  }
  checkConsistencyShift(options);
  if (form === 'gram' && !hasGramForm(options)) {
    throw new TensorError(
      `consistencyLoss: form gram goes with relation correlation and distance mse, or with relation cka, not with relation ${relation} and distance ${distance}${shifted(options) ? ' and a shift' : ''}; leave form at auto`,
    );
  }
  if (relationTau !== undefined && temperatures[relation] === undefined) {
    throw new TensorError(
      `consistencyLoss: relationTau is ${relationTau}, but relation ${relation} has no temperature; leave it out`,
    );
  }
  if (relationTau !== undefined && !isPositive(relationTau)) {
    throw new TensorError(
      `consistencyLoss: relationTau is ${relationTau}, expected a positive temperature such as ${temperatures[relation]}`,
    );
  }
  checkTransport(options);
}

function checkConsistencyShift(options: RelationOptions): void {
  const { relation = 'correlation', distance = 'mse', consistencyShift: most = 0 } = options;
  if (!Number.isSafeInteger(most) || most < 0) {
    throw new TensorError(
      `consistencyLoss: consistencyShift is ${most}, expected a whole number of patches, 0 or more`,
    );
  }
  if (most > 0 && (relation !== 'correlation' || distance !== 'mse')) {
    throw new TensorError(
      `consistencyLoss: consistencyShift is ${most}, which goes with relation correlation and distance mse, not with relation ${relation} and distance ${distance}; leave it at 0`,
    );
  }
}

function checkTransport(options: RelationOptions): void {
  const { relation = 'correlation' } = options;
  for (const [name, usual] of Object.entries(transportDefaults)) {
    const value = options[name as keyof TransportOptions];
    if (value === undefined) continue;
    if (relation !== 'transport') {
      throw new TensorError(
        `consistencyLoss: ${name} is ${value}, but relation ${relation} transports nothing; leave it out, or use relation transport`,
      );
    }
    if (!isPositive(value)) {
      throw new TensorError(
        `consistencyLoss: ${name} is ${value}, expected a positive number such as ${usual}`,
      );
    }
  }
}

function isPositive(value: number): boolean {
  return value > 0 && value < Number.POSITIVE_INFINITY;
}

/** Tells whether C×C matrices tell as much as P×P matrices. */
export function hasGramForm(options: RelationOptions): boolean {
  const { relation = 'correlation', distance = 'mse' } = options;
  return relation === 'cka' || (relation === 'correlation' && distance === 'mse' && !shifted(options));
}

function shifted({ consistencyShift = 0 }: RelationOptions): boolean {
  return consistencyShift > 0;
}
