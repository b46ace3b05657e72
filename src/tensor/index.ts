export { autocast } from './autocast.js';
export { instructionSet, supportsBf16 } from './cpu.js';
export { inFullPrecision, l2Normalize, toChannelsLast } from './functional.js';
export { type Device, type Dtype, type MemoryFormat, TensorError, type TensorErrorCode } from './native.js';
export * as ops from './ops.js';
export { Random } from './random.js';
export {
  cudaDevices,
  manualSeed,
  setThreads,
  synchronize,
  takeWarnings,
  threads,
  torchVersion,
  watchSignals,
} from './runtime.js';
export {
  enableGrad,
  gradientsOf,
  keep,
  liveTensors,
  noGrad,
  Tensor,
  type TensorData,
  type TensorOptions,
  type TypedArray,
  tensor,
  tidy,
} from './tensor.js';
