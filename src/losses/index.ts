export { type AnatomyLossInputs, type AnatomyLossOptions, anatomyLoss } from './anatomy.js';
export {
  type ConsistencyOptions,
  consistencyLoss,
  correlationMatrix,
  stackedConsistencyLoss,
} from './consistency.js';
export {
  type GlobalContrastiveOptions,
  globalContrastiveLoss,
  type InfoNceOptions,
  infoNce,
  type PairEmbeddings,
} from './contrastive.js';
export type { PatchOptions } from './patches.js';
export type { RelationOptions } from './relations.js';
