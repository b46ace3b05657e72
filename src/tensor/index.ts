/** The room `tensor` is LibTorch in TypeScript: tensors, operators, gradients, random numbers. */
export { autocast } from './autocast.js';
export { enableGrad, gradientsOf, noGrad } from './autograd.js';
export { instructionSet, supportsBf16, usableCores } from './cpu.js';
export { ProcessGroup } from './distributed.js';
export { type TensorData, type TensorOptions, tensor } from './fromData.js';
export { inFullPrecision, l2Normalize, toChannelsLast } from './functional.js';
export { logisticLoss } from './logistic.js';
export { type NormReluOptions, normRelu, patchSums, recomputeInput } from './maps.js';
export {
  type Device,
  type Dtype,
  type GroupPlace,
  type MemoryFormat,
  TensorError,
  type TensorErrorCode,
} from './native.js';
export { type Call, listenToCalls, schemaOf } from './operator.js';
export * as ops from './ops.js';
export { PackedConvolution } from './packedConvolution.js';
export { Random } from './random.js';
export {
  cudaDevices,
  manualSeed,
  type StopSignal,
  setThreads,
  synchronize,
  takeWarnings,
  threads,
  torchVersion,
  watchSignals,
} from './runtime.js';
export { keep, liveTensors, tidy } from './scope.js';
export { Tensor, type TypedArray } from './tensor.js';
