/**
 * anatomy-ssl as a library. From data to an encoder and its use: {@link openDataset}, {@link audit}, {@link pretrain},
 * {@link evaluate}, {@link embed}, {@link loadEncoder}, {@link fitModel}, {@link predict}, {@link similar}. Below them:
 * tensors on LibTorch, the losses of the paper and of its competitors, networks, optimisers, and the metrics that judge
 * them. The command line (`anatomy`) is built on the same functions; `examples/` has programs that use them.
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
export { type Config, type ConfigSources, resolveConfig } from './config/index.js';
export {
  type AuditOptions,
  type AuditReport,
  auditDataset as audit,
} from './data/audit/audit.js';
export { type DatasetSpec, type OpenDatasetOptions, openDataset } from './data/openDataset.js';
export type { Dataset, ImageSource, Raster, Sample } from './data/sample.js';
export { AnatomyError, DataError, EngineMissingError, UsageError } from './errors.js';
export { evaluate } from './evaluation/evaluate.js';
export type { EvaluateOptions } from './evaluation/planEvaluation.js';
export type { Evaluation, EvaluationResult } from './evaluation/results/evaluationResult.js';
export { MessageConsole, type MessageConsoleOptions } from './log/console.js';
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
  averagePrecision,
  bootstrapDifference,
  bootstrapInterval,
  brier,
  calibrationError,
  calibrationIntercept,
  calibrationSlope,
  classificationMetrics,
  clusteredArea,
  clusteredDifference,
  deLongArea,
  deLongDifference,
  featureDeviation,
  featureRows,
  holm,
  neighbourProbabilities,
  precisionRecallCurve,
  reliabilityBins,
  retrievalAtOne,
  rocAuc,
  rocCurve,
  spearman,
  uniformity,
  weightedRocAuc,
} from './metrics/index.js';
export {
  type Backbone,
  type BackboneDefinition,
  type BackboneOutput,
  backboneNamed,
  backboneNames,
  disposeModule,
  Encoder,
  type EncoderOptions,
  type EncoderOutput,
  type ForwardOptions,
  type HeadInput,
  loadState,
  type Module,
  namedParameters,
  type ResNetOptions,
  resnet,
  stateDict,
  Vgg16,
  type Vgg16Options,
  type VitOptions,
  vgg16,
  vit,
} from './nn/index.js';
export {
  AdamW,
  type AdamWOptions,
  learningRateAt,
  type ParameterGroup,
  type Schedule,
  Sgd,
  type SgdOptions,
} from './optim/index.js';
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
export type { EncoderDescription } from './training/encoderFile.js';
export type { LoopOutcome } from './training/loop.js';
export { type PretrainOptions, pretrain } from './training/pretrain.js';
export { type EmbedDataOptions, type EmbedSummary, embedData as embed } from './use/embed/embed.js';
export { exportRunOnnx as exportOnnx, type OnnxExport, type OnnxExportOptions } from './use/exportRunOnnx.js';
export { type ExportedWeights, exportSafetensors, exportTorchvision } from './use/exportWeights.js';
export { type FitOptions, fitModel } from './use/fit/fit.js';
export type { ModelDescription } from './use/fit/modelFile.js';
export { type LoadedEncoder, loadEncoder } from './use/loadEncoder.js';
export { type Prediction, type Predictions, type PredictOptions, predict } from './use/predict/predict.js';
export { type Similar, type SimilarOptions, similar } from './use/similar/similar.js';
