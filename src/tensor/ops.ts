/**
 * LibTorch's operators that this project uses, one line each: the TypeScript signature, the operator, and the schema
 * types of the arguments it passes. tests/tensor/ops.test.ts holds every line against the schemas of the loaded
 * LibTorch.
 */
import type { Device, Dtype, MemoryFormat } from './native.js';
import { op } from './operator.js';
import type { Tensor } from './tensor.js';

type Ints = readonly number[];
type OptionalTensor = Tensor | null;

// Arithmetic
export const addTensor = op<[a: Tensor, b: Tensor], Tensor>('aten::add.Tensor', 'Tensor', 'Tensor');
export const addScalar = op<[a: Tensor, b: number], Tensor>('aten::add.Scalar', 'Tensor', 'Scalar');
export const subTensor = op<[a: Tensor, b: Tensor], Tensor>('aten::sub.Tensor', 'Tensor', 'Tensor');
export const subScalar = op<[a: Tensor, b: number], Tensor>('aten::sub.Scalar', 'Tensor', 'Scalar');
export const mulTensor = op<[a: Tensor, b: Tensor], Tensor>('aten::mul.Tensor', 'Tensor', 'Tensor');
export const mulScalar = op<[a: Tensor, b: number], Tensor>('aten::mul.Scalar', 'Tensor', 'Scalar');
export const divTensor = op<[a: Tensor, b: Tensor], Tensor>('aten::div.Tensor', 'Tensor', 'Tensor');
export const divScalar = op<[a: Tensor, b: number], Tensor>('aten::div.Scalar', 'Tensor', 'Scalar');
export const neg = op<[x: Tensor], Tensor>('aten::neg', 'Tensor');
export const powScalar = op<[x: Tensor, exponent: number], Tensor>('aten::pow.Tensor_Scalar', 'Tensor', 'Scalar');
export const sqrt = op<[x: Tensor], Tensor>('aten::sqrt', 'Tensor');
export const exp = op<[x: Tensor], Tensor>('aten::exp', 'Tensor');
export const logSigmoid = op<[x: Tensor], Tensor>('aten::log_sigmoid', 'Tensor');
export const log = op<[x: Tensor], Tensor>('aten::log', 'Tensor');
export const clampMin = op<[x: Tensor, low: number], Tensor>('aten::clamp_min', 'Tensor', 'Scalar');
export const clamp_ = op<[x: Tensor, low: number | null, high: number | null], Tensor>('aten::clamp_', 'Tensor', 'Scalar?', 'Scalar?');
export const minimum = op<[a: Tensor, b: Tensor], Tensor>('aten::minimum', 'Tensor', 'Tensor');
export const remainderScalar = op<[x: Tensor, divisor: number], Tensor>('aten::remainder.Scalar', 'Tensor', 'Scalar');
export const reverseSubScalar = op<[x: Tensor, from: number], Tensor>('aten::rsub.Scalar', 'Tensor', 'Scalar');

// Reductions
export const sum = op<[x: Tensor], Tensor>('aten::sum', 'Tensor');
export const sumDims = op<[x: Tensor, dims: Ints, keepDim: boolean], Tensor>('aten::sum.dim_IntList', 'Tensor', 'int[1]?', 'bool');
export const mean = op<[x: Tensor], Tensor>('aten::mean', 'Tensor');
export const meanDims = op<[x: Tensor, dims: Ints, keepDim: boolean], Tensor>('aten::mean.dim', 'Tensor', 'int[1]?', 'bool');
export const vectorNorm = op<[x: Tensor, order: number, dims: Ints | null, keepDim: boolean], Tensor>('aten::linalg_vector_norm', 'Tensor', 'Scalar', 'int[1]?', 'bool');
export const logSumExp = op<[x: Tensor, dims: Ints, keepDim: boolean], Tensor>('aten::logsumexp', 'Tensor', 'int[1]', 'bool');
export const finite = op<[x: Tensor], Tensor>('aten::isfinite', 'Tensor');
export const all = op<[x: Tensor], Tensor>('aten::all', 'Tensor');
export const amax = op<[x: Tensor, dims: Ints, keepDim: boolean], Tensor>('aten::amax', 'Tensor', 'int[1]', 'bool');
export const amin = op<[x: Tensor, dims: Ints, keepDim: boolean], Tensor>('aten::amin', 'Tensor', 'int[1]', 'bool');
export const sortStable = op<[x: Tensor, stable: boolean, dim: number, descending: boolean], Tensor[]>('aten::sort.stable', 'Tensor', 'bool?', 'int', 'bool');
export const argmax = op<[x: Tensor, dim: number, keepDim: boolean], Tensor>('aten::argmax', 'Tensor', 'int?', 'bool');

// Linear algebra
export const matmul = op<[a: Tensor, b: Tensor], Tensor>('aten::matmul', 'Tensor', 'Tensor');
export const bmm = op<[a: Tensor, b: Tensor], Tensor>('aten::bmm', 'Tensor', 'Tensor');
export const linear = op<[x: Tensor, weight: Tensor, bias: OptionalTensor], Tensor>('aten::linear', 'Tensor', 'Tensor', 'Tensor?');
export const pairwiseDistance = op<[a: Tensor, b: Tensor, p: number, eps: number], Tensor>('aten::pairwise_distance', 'Tensor', 'Tensor', 'float', 'float');
export const diagonal = op<[x: Tensor, offset?: number, dim1?: number, dim2?: number], Tensor>('aten::diagonal', 'Tensor', 'int', 'int', 'int');

// Networks
export const conv2d = op<[x: Tensor, weight: Tensor, bias: OptionalTensor, stride: Ints, padding: Ints], Tensor>('aten::conv2d', 'Tensor', 'Tensor', 'Tensor?', 'int[2]', 'int[2]');
export const batchNorm = op<[x: Tensor, weight: Tensor, bias: Tensor, runningMean: OptionalTensor, runningVar: OptionalTensor, training: boolean, momentum: number, eps: number, cudnn: boolean], Tensor>('aten::batch_norm', 'Tensor', 'Tensor?', 'Tensor?', 'Tensor?', 'Tensor?', 'bool', 'float', 'float', 'bool');
export const layerNorm = op<[x: Tensor, shape: Ints, weight: Tensor, bias: Tensor, eps: number, cudnn: boolean], Tensor>('aten::layer_norm', 'Tensor', 'int[]', 'Tensor?', 'Tensor?', 'float', 'bool');
export const gelu = op<[x: Tensor], Tensor>('aten::gelu', 'Tensor');
export const relu = op<[x: Tensor], Tensor>('aten::relu', 'Tensor');
export const relu_ = op<[x: Tensor], Tensor>('aten::relu_', 'Tensor');
export const maxPool2d = op<[x: Tensor, kernel: Ints, stride: Ints, padding?: Ints], Tensor>('aten::max_pool2d', 'Tensor', 'int[2]', 'int[2]', 'int[2]');
export const avgPool2d = op<[x: Tensor, kernel: Ints, stride: Ints, padding: Ints, ceilMode: boolean, countPad: boolean, divisor: number | null], Tensor>('aten::avg_pool2d', 'Tensor', 'int[2]', 'int[2]', 'int[2]', 'bool', 'bool', 'int?');
export const adaptiveAvgPool2d = op<[x: Tensor, size: Ints], Tensor>('aten::adaptive_avg_pool2d', 'Tensor', 'int[2]');
export const gridSampler2d = op<[x: Tensor, grid: Tensor, interpolation: number, padding: number, alignCorners: boolean], Tensor>('aten::grid_sampler_2d', 'Tensor', 'Tensor', 'int', 'int', 'bool');
export const upsampleNearest2d = op<[x: Tensor, size: Ints], Tensor>('aten::upsample_nearest2d', 'Tensor', 'int[2]');
export const upsampleBilinear2dAntialiased = op<[x: Tensor, size: Ints, alignCorners: boolean], Tensor>('aten::_upsample_bilinear2d_aa', 'Tensor', 'int[2]', 'bool');
export const upsampleBicubic2dAntialiased = op<[x: Tensor, size: Ints, alignCorners: boolean], Tensor>('aten::_upsample_bicubic2d_aa', 'Tensor', 'int[2]', 'bool');
export const logSoftmax = op<[x: Tensor, dim: number], Tensor>('aten::log_softmax.int', 'Tensor', 'int');
export const softmax = op<[x: Tensor, dim: number], Tensor>('aten::softmax.int', 'Tensor', 'int');

// Shape and indexing
export const reshape = op<[x: Tensor, shape: Ints], Tensor>('aten::reshape', 'Tensor', 'int[]');
export const flatten = op<[x: Tensor, start: number, end: number], Tensor>('aten::flatten.using_ints', 'Tensor', 'int', 'int');
export const permute = op<[x: Tensor, dims: Ints], Tensor>('aten::permute', 'Tensor', 'int[]');
export const transpose = op<[x: Tensor, dim0: number, dim1: number], Tensor>('aten::transpose.int', 'Tensor', 'int', 'int');
export const t = op<[x: Tensor], Tensor>('aten::t', 'Tensor');
export const narrow = op<[x: Tensor, dim: number, start: number, length: number], Tensor>('aten::narrow', 'Tensor', 'int', 'int', 'int');
export const split = op<[x: Tensor, length: number, dim: number], Tensor[]>('aten::split.Tensor', 'Tensor', 'int', 'int');
export const expand = op<[x: Tensor, shape: Ints], Tensor>('aten::expand', 'Tensor', 'int[]');
export const viewDtype = op<[x: Tensor, dtype: Dtype], Tensor>('aten::view.dtype', 'Tensor', 'ScalarType');
export const unsqueeze = op<[x: Tensor, dim: number], Tensor>('aten::unsqueeze', 'Tensor', 'int');
export const cat = op<[xs: readonly Tensor[], dim: number], Tensor>('aten::cat', 'Tensor[]', 'int');
export const indexSelect = op<[x: Tensor, dim: number, index: Tensor], Tensor>('aten::index_select', 'Tensor', 'int', 'Tensor');
export const take = op<[x: Tensor, index: Tensor], Tensor>('aten::take', 'Tensor', 'Tensor');
export const gather = op<[x: Tensor, dim: number, index: Tensor], Tensor>('aten::gather', 'Tensor', 'int', 'Tensor');
export const indexCopy_ = op<[x: Tensor, dim: number, index: Tensor, source: Tensor], Tensor>('aten::index_copy_', 'Tensor', 'int', 'Tensor', 'Tensor');
export const roll = op<[x: Tensor, shifts: Ints, dims: Ints], Tensor>('aten::roll', 'Tensor', 'int[1]', 'int[1]');

// Comparison
export const where = op<[condition: Tensor, a: Tensor, b: Tensor], Tensor>('aten::where.self', 'Tensor', 'Tensor', 'Tensor');
export const eqTensor = op<[a: Tensor, b: Tensor], Tensor>('aten::eq.Tensor', 'Tensor', 'Tensor');
export const geScalar = op<[a: Tensor, b: number], Tensor>('aten::ge.Scalar', 'Tensor', 'Scalar');
export const logicalNot = op<[x: Tensor], Tensor>('aten::logical_not', 'Tensor');
export const logicalAnd = op<[a: Tensor, b: Tensor], Tensor>('aten::logical_and', 'Tensor', 'Tensor');
export const logicalOr = op<[a: Tensor, b: Tensor], Tensor>('aten::logical_or', 'Tensor', 'Tensor');
export const maskedFill = op<[x: Tensor, mask: Tensor, value: number], Tensor>('aten::masked_fill.Scalar', 'Tensor', 'Tensor', 'Scalar');

// Making and copying
export const full = op<[shape: Ints, value: number, dtype: Dtype | null, layout: null, device: Device | null], Tensor>('aten::full', 'int[]', 'Scalar', 'ScalarType?', 'Layout?', 'Device?');
export const arange = op<[end: number, dtype: Dtype | null, layout: null, device: Device | null], Tensor>('aten::arange', 'Scalar', 'ScalarType?', 'Layout?', 'Device?');
export const fromFile = op<[path: string, shared: boolean, size: number, dtype: Dtype], Tensor>('aten::from_file', 'str', 'bool?', 'int?', 'ScalarType?');
export const toCopy = op<[x: Tensor, dtype: Dtype | null, layout: null, device: Device | null, pinMemory: null, nonBlocking: boolean, copy: boolean, memoryFormat: MemoryFormat | 'preserve' | null], Tensor>('aten::to.dtype_layout', 'Tensor', 'ScalarType?', 'Layout?', 'Device?', 'bool?', 'bool', 'bool', 'MemoryFormat?');
export const contiguous = op<[x: Tensor, memoryFormat: MemoryFormat], Tensor>('aten::contiguous', 'Tensor', 'MemoryFormat');
export const clone = op<[x: Tensor, memoryFormat: MemoryFormat | 'preserve' | null], Tensor>('aten::clone', 'Tensor', 'MemoryFormat?');
export const detach = op<[x: Tensor], Tensor>('aten::detach', 'Tensor');
export const copy_ = op<[target: Tensor, source: Tensor], Tensor>('aten::copy_', 'Tensor', 'Tensor');
export const setData = op<[x: Tensor, data: Tensor], void>('aten::set_data', 'Tensor', 'Tensor');
export const zero_ = op<[x: Tensor], Tensor>('aten::zero_', 'Tensor');
export const add_ = op<[target: Tensor, source: Tensor], Tensor>('aten::add_.Tensor', 'Tensor', 'Tensor');
export const addScalar_ = op<[target: Tensor, value: number], Tensor>('aten::add_.Scalar', 'Tensor', 'Scalar');
export const mulScalar_ = op<[target: Tensor, factor: number], Tensor>('aten::mul_.Scalar', 'Tensor', 'Scalar');
export const divScalar_ = op<[target: Tensor, factor: number], Tensor>('aten::div_.Scalar', 'Tensor', 'Scalar');
export const mul_ = op<[target: Tensor, factor: Tensor], Tensor>('aten::mul_.Tensor', 'Tensor', 'Tensor');

// Many tensors at once, for optimisers
export const foreachMulScalar_ = op<[targets: readonly Tensor[], factor: number], void>('aten::_foreach_mul_.Scalar', 'Tensor[]', 'Scalar');
export const foreachAddList = op<[a: readonly Tensor[], b: readonly Tensor[], alpha: number], Tensor[]>('aten::_foreach_add.List', 'Tensor[]', 'Tensor[]', 'Scalar');
export const foreachAddList_ = op<[targets: readonly Tensor[], sources: readonly Tensor[], alpha: number], void>('aten::_foreach_add_.List', 'Tensor[]', 'Tensor[]', 'Scalar');
