/** Computes L_Glo pair by pair, where the loss itself gives only the mean over a batch. */
import { type Features, unitRows } from '../../../metrics/features/features.js';
import { eachProductRow } from '../../../metrics/features/similarity.js';

export interface GlobalTermsOptions {
  readonly tau: number;
  readonly positive: 'once' | 'twice';
  readonly crossModal: 'both-directions' | 'clean-and-augmented';
}

/** The raw embeddings of the four views of n pairs, [n, d] each. */
export interface ViewFeatures {
  readonly a: Features;
  readonly b: Features;
  readonly aHat: Features;
  readonly bHat: Features;
}

/**
 * L_Glo of Eq. 11 pair by pair: the four terms of Eqs. 7 and 9 that have an image of pair i as their anchor. Their mean
 * over the pairs is `globalContrastiveLoss` with other images of the same subject excluded, in double precision.
 *
 * @param subjects [n] of the pairs: two images of one subject are no negatives of each other
 * @returns `value` [n] in nats, and `chance` [n], what guessing among the same candidates gives; both NaN where all are
 * of one subject, since without negatives there is nothing to tell the mate from
 */
export function globalTerms(
  views: ViewFeatures,
  subjects: readonly string[],
  { tau, positive, crossModal }: GlobalTermsOptions,
): { value: Float64Array; chance: Float64Array } {
  const { a, b, aHat, bHat } = views;
  const back: [Features, Features] = crossModal === 'both-directions' ? [b, a] : [aHat, bHat];
  const value = new Float64Array(a.rows);
  const chance = new Float64Array(a.rows);
  for (const [anchors, candidates] of [[a, aHat], [b, bHat], [a, b], back] as const) {
    eachProductRow(unitRows(anchors).data, unitRows(candidates).data, a.columns, (i, cosines) => {
      const own = cosines[i]! / tau;
      const logits = Array.from(cosines, (cosine) => cosine / tau).filter(
        (_, j) => j === i || subjects[j] !== subjects[i],
      );
      if (logits.length === 1) {
        value[i] = Number.NaN;
        chance[i] = Number.NaN;
        return;
      }
      if (positive === 'twice') logits.push(own);
      const largest = Math.max(...logits);
      const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
      value[i]! += largest + Math.log(sum) - own;
      chance[i]! += Math.log(logits.length);
    });
  }
  return { value, chance };
}
