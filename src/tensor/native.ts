/** The native addon: its functions as types, and the loading of its .node file. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineMissingError, UsageError } from '../errors.js';
import { mostThreads, usableCores } from './cpu.js';

/** A LibTorch tensor as the addon hands it out. It is opaque, and only the addon can use it. */
export type Handle = { readonly tensorHandle: unique symbol };

export type Dtype = 'f32' | 'f64' | 'f16' | 'bf16' | 'u8' | 'i64' | 'bool';
export type Device = 'cpu' | 'cuda' | `cuda:${number}`;
export type MemoryFormat = 'contiguous' | 'channelsLast';

/** The kinds of errors inside the engine. The message of `libtorch` is LibTorch's own. */
export type TensorErrorCode = 'libtorch' | 'freed' | 'foreign' | 'argument' | 'operator';

export class TensorError extends Error {
  readonly code: TensorErrorCode;
  constructor(message: string, code: TensorErrorCode = 'argument') {
    super(message);
    this.name = 'TensorError';
    this.code = code;
  }
}

/** The addon's functions, one for one (native/*.cc). Everything above them goes through `Tensor` and `op`. */
export interface Native {
  readonly torchVersion: string;
  readonly cudaDevices: number;
  initialize(errorClass: typeof TensorError): void;
  fromBytes(bytes: ArrayBufferView, shape: readonly number[], dtype: Dtype, device: string): Handle;
  copyBytes(handle: Handle, into: ArrayBufferView): void;
  shapeOf(handle: Handle): number[];
  dtypeOf(handle: Handle): Dtype;
  deviceOf(handle: Handle): Device;
  memoryFormatOf(handle: Handle): MemoryFormat | 'strided';
  release(handle: Handle): void;
  isReleased(handle: Handle): boolean;
  liveTensors(): number;
  collectedTensors(): number;
  externalMemory(): number;
  findOperator(name: string, overload: string): number | null;
  schemaOf(id: number): string;
  call(id: number, args: readonly unknown[]): unknown;
  backward(handles: readonly Handle[], gradients: readonly Handle[] | null, retainGraph: boolean): void;
  grad(
    outputs: readonly Handle[],
    inputs: readonly Handle[],
    gradients: readonly Handle[] | null,
    retainGraph: boolean,
  ): (Handle | null)[];
  gradOf(handle: Handle): Handle | null;
  setGrad(handle: Handle, gradient: Handle | null): void;
  requiresGrad(handle: Handle): boolean;
  setRequiresGrad(handle: Handle, required: boolean): void;
  setGradMode(enabled: boolean): boolean;
  enterAutocast(device: string, dtype: Dtype | null): AutocastToken;
  leaveAutocast(token: AutocastToken): void;
  /** Absent where the addon was built without Gloo's headers; then so are the other functions of groups. */
  openGroup?(options: GroupPlace): GroupHandle;
  groupSum(group: GroupHandle, handle: Handle): void;
  groupGather(group: GroupHandle, handle: Handle): Handle[];
  groupBroadcast(group: GroupHandle, handle: Handle): void;
  groupSeconds(group: GroupHandle): number;
  groupTell(group: GroupHandle, key: string, word: string): void;
  groupHear(group: GroupHandle, key: string, timeout: number): string | null;
  groupNorm(group: GroupHandle, x: Handle, weight: Handle, bias: Handle, epsilon: number): Handle[];
  /** Null where the kernels do not take such maps. */
  normRelu(
    x: Handle,
    weight: Handle,
    bias: Handle,
    runningMean: Handle | null,
    runningVariance: Handle | null,
    options: {
      training: boolean;
      momentum: number;
      epsilon: number;
      relu: boolean;
      pool: boolean;
    },
    group: GroupHandle | null,
  ): Handle[] | null;
  recomputeInput(y: Handle, z: Handle): boolean;
  patchSums(map: Handle, first: number, count: number, rows: number, columns: number): Handle | null;
  /** Returns the loss of a logistic regression and writes its gradient. */
  logisticLoss(
    features: Float64Array,
    labels: Uint32Array,
    outputs: number,
    parameters: Float64Array,
    gradient: Float64Array,
  ): number;
  /** Null where LibTorch has no such convolution for these weights. */
  packConvolution(
    weight: Handle,
    bias: Handle | null,
    stride: readonly number[],
    padding: readonly number[],
    inputShape: readonly number[],
    relu: boolean,
  ): PackedHandle | null;
  runPacked(packed: PackedHandle, input: Handle): Handle;
  freePacked(packed: PackedHandle): void;
  takeWarnings(): string[];
  manualSeed(seed: number): void;
  getThreads(): number;
  setThreads(threads: number): void;
  synchronize(): void;
  tuneAllocator(): boolean;
  watchSignals(): void;
  unwatchSignals(): void;
  pendingSignal(): number;
}

/** A process group as the addon hands it out. */
export type PackedHandle = { readonly packedHandle: unique symbol };
export type GroupHandle = { readonly groupHandle: unique symbol };

/** Where a process group meets, and this process's place in it. */
export interface GroupPlace {
  /** The machine and port of the store where the processes meet. */
  readonly host: string;
  readonly port: number;
  /** Whether this process opens the store; the launcher may have. */
  readonly opensStore: boolean;
  /** The number of this process, from 0. */
  readonly rank: number;
  /** The number of processes. */
  readonly size: number;
  /** How long a process waits for the others, in milliseconds. */
  readonly timeout: number;
  /** Goes before all names in the store, so that those of an earlier start do not count. */
  readonly prefix: string;
}

export type AutocastToken = { readonly autocastToken: unique symbol };

/** The content of native/build/current.json, which the build writes. */
export interface NativeBuild {
  readonly addon: string;
  readonly torch: {
    readonly version: string;
    readonly root: string;
    readonly source: string;
    readonly cuda: boolean;
  };
}

const buildFolder = fileURLToPath(new URL('../../native/build/', import.meta.url));
const remedy = 'Run `npx anatomy setup`; `npx anatomy doctor` tells what is missing.';

/** Finds the addon that was built last. @throws EngineMissingError when there is none. */
export function nativeBuild(folder = buildFolder): NativeBuild {
  const file = join(folder, 'current.json');
  if (!existsSync(file)) throw new EngineMissingError(`the LibTorch addon has not been built. ${remedy}`);
  return JSON.parse(readFileSync(file, 'utf8')) as NativeBuild;
}

let loaded: Native | undefined;

/**
 * Gives the addon, which is loaded on first use (LibTorch takes 0.4 s) so that `--help` and `doctor` work without it.
 * This is the only place that loads the .node file.
 */
export function native(): Native {
  loaded ??= load();
  return loaded;
}

/** @internal The tests load from a folder of their own. */
export function load(folder = buildFolder): Native {
  const { addon, torch } = nativeBuild(folder);
  let module: Native;
  try {
    module = createRequire(import.meta.url)(join(folder, addon)) as Native;
  } catch (error) {
    throw new EngineMissingError(
      `the addon built against LibTorch ${torch.version} in ${torch.root} does not load: ${(error as Error).message}. ${remedy}`,
    );
  }
  module.initialize(TensorError);
  module.tuneAllocator();
  // Debian's LibTorch starts with one thread whatever the machine has. The environment variable is the user's choice; a
  // worker's own environment reaches no library by itself.
  const asked = Number.parseInt(process.env.OMP_NUM_THREADS ?? '', 10) || usableCores();
  try {
    module.setThreads(checkedThreads(asked, 'OMP_NUM_THREADS'));
  } catch (error) {
    // It is the user's setting, and no call of a program.
    throw error instanceof TensorError ? new UsageError(error.message) : error;
  }
  return module;
}

/** @throws TensorError that names `source` unless `count` is a number of threads that this machine can run */
export function checkedThreads(count: number, source: string): number {
  if (Number.isInteger(count) && count >= 1 && count <= mostThreads()) return count;
  throw new TensorError(`${source}: ${count} threads, expected 1 to ${mostThreads()} on this machine`);
}
