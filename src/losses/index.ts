/** The room `losses` has the losses of the paper and of the methods it is compared with, as functions of tensors. */
export { type AnatomyLossInputs, type AnatomyLossOptions, anatomyLoss } from './anatomy.js';
export {
  type ConsistencyOptions,
  consistencyLoss,
  correlationMatrix,
  stackedConsistencyLoss,
} from './consistency.js';
export {
  CROSS_MODAL,
  type CrossModal,
  type GlobalContrastiveOptions,
  type GlobalTerms,
  globalContrastiveLoss,
  type InfoNceOptions,
  infoNce,
  joinTerms,
  type ModalityPair,
  modalityContrastiveLoss,
  modalityContrastiveTerms,
  type PairEmbeddings,
} from './contrastive.js';
export { crossEntropy } from './crossEntropy.js';
export { decorrelation } from './decorrelation.js';
export {
  barlowTwins,
  DECUR_WEIGHTS,
  type DecurOptions,
  type DecurPair,
  type DecurTerms,
  decurChance,
  decurTerms,
  type RedundancyOptions,
  type TwoViews,
} from './decur.js';
export { denseContrast, denseCorrespondence } from './dense.js';
export { pairsEqual } from './exclude.js';
export { meanOverParts } from './meanOverParts.js';
export {
  type BankNceOptions,
  type BankSoftmaxOptions,
  bankNce,
  bankSoftmax,
  estimateNormalizer,
} from './memory.js';
export { type NtXentOptions, ntXent, ntXentChance, ntXentOfRows } from './ntXent.js';
export { correlation, type PatchOptions, patchEmbeddings } from './patches.js';
export { type QueueContrastOptions, queueContrast } from './queue.js';
export { reconstructionChance, reconstructionLoss } from './reconstruction.js';
export { checkRelation, RELATIONS, type RelationOptions } from './relationOptions.js';
export { checkRelationGrid, relationLoss } from './relations.js';
