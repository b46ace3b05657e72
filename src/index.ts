/**
 * anatomy-ssl as a library: tensors on LibTorch, the losses of the paper and of its competitors, VGG16, and the metrics that
 * judge it. The command line (`anatomy`) is built on the same functions.
 *
 * @packageDocumentation
 */
export {
  drawNegatives,
  KeyQueue,
  type KeyQueueOptions,
  MemoryBank,
  type MemoryBankOptions,
  momentumUpdate,
  type NegativesOptions,
} from './banks/index.js';
export { AnatomyError, DataError, EngineMissingError, UsageError } from './errors.js';
export {
  type AnatomyLossInputs,
  type AnatomyLossOptions,
  anatomyLoss,
  type BankNceOptions,
  type BankSoftmaxOptions,
  bankNce,
  bankSoftmax,
  type ConsistencyOptions,
  consistencyLoss,
  correlationMatrix,
  denseContrast,
  denseCorrespondence,
  estimateNormalizer,
  type GlobalContrastiveOptions,
  globalContrastiveLoss,
  type InfoNceOptions,
  infoNce,
  type NtXentOptions,
  ntXent,
  ntXentChance,
  type PairEmbeddings,
  type QueueContrastOptions,
  queueContrast,
} from './losses/index.js';
export {
  alignment,
  classificationMetrics,
  featureDeviation,
  featureRows,
  neighbourProbabilities,
  retrievalAtOne,
  rocAuc,
  uniformity,
} from './metrics/index.js';
export {
  type Backbone,
  type BackboneOutput,
  disposeModule,
  Encoder,
  type EncoderOptions,
  type EncoderOutput,
  type ForwardOptions,
  type HeadInput,
  loadState,
  type Module,
  namedParameters,
  stateDict,
  Vgg16,
  type Vgg16Options,
  vgg16,
} from './nn/index.js';
export { learningRateAt, type Schedule, Sgd, type SgdOptions } from './optim/index.js';
export {
  autocast,
  cudaDevices,
  type Device,
  type Dtype,
  enableGrad,
  gradientsOf,
  keep,
  liveTensors,
  type MemoryFormat,
  manualSeed,
  noGrad,
  ops,
  Random,
  setThreads,
  Tensor,
  type TensorData,
  TensorError,
  type TensorOptions,
  tensor,
  threads,
  tidy,
  torchVersion,
} from './tensor/index.js';
