import type { Tensor } from '../tensor/index.js';
import { type ConsistencyOptions, consistencyLoss } from './consistency.js';
import { type GlobalContrastiveOptions, globalContrastiveLoss, type PairEmbeddings } from './contrastive.js';

export interface AnatomyLossOptions extends ConsistencyOptions, GlobalContrastiveOptions {
  /** α of Eq. 12. */
  alpha?: number;
  /** The factor on L_C. Eq. 12 has 1; taken literally, L_C is a thousand times smaller than 3·L_Glo. */
  consistencyWeight?: number;
}

export interface AnatomyLossInputs extends PairEmbeddings {
  /** The maps of the un-augmented images, one for each of the hierarchies Q. */
  readonly mapsA: readonly Tensor[];
  readonly mapsB: readonly Tensor[];
}

/** The paper's whole objective, L = L_C + α·L_Glo (Eq. 12), a scalar. */
export function anatomyLoss(inputs: AnatomyLossInputs, options: AnatomyLossOptions = {}): Tensor {
  const { alpha = 3, consistencyWeight = 1 } = options;
  const consistency = consistencyLoss(inputs.mapsA, inputs.mapsB, options);
  return consistency.mul(consistencyWeight).add(globalContrastiveLoss(inputs, options).mul(alpha));
}
