/**
 * Checkpoints of a run. Each is a state file, `step-00000100.safetensors`, and a voucher, `step-00000100.json`, which
 * holds the state's SHA-256 and is written after it. A crash between the two leaves a state without a voucher, which
 * is not used.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError, UsageError } from '../errors.js';
import { readState, saveState } from '../export/stateFile.js';
import { namingFile, writeFileAtomic } from '../files.js';
import { instructionSet, type ProcessGroup, type Tensor, threads, torchVersion } from '../tensor/index.js';

/** The conditions under which numbers come out equal to the bit. A resumed run must share them with the run before. */
export interface Fingerprint {
  /** The version of LibTorch. */
  readonly torch: string;
  /** The instruction-set extensions that decide which kernels LibTorch chooses. */
  readonly instructionSet: string;
  /** The number of threads of LibTorch. */
  readonly threads: number;
  readonly device: string;
  readonly precision: string;
  /** The number of pairs in one forward pass. */
  readonly microBatch: number;
  /** The number of processes that compute a step together. */
  readonly processes: number;
}

/** The fingerprint of a run with these settings in this process. */
export function fingerprint({
  device,
  precision,
  microBatch,
  group,
}: Pick<Fingerprint, 'device' | 'precision' | 'microBatch'> & {
  readonly group?: Pick<ProcessGroup, 'size'> | undefined;
}): Fingerprint {
  return {
    torch: torchVersion(),
    instructionSet: instructionSet(),
    threads: threads(),
    device,
    precision,
    microBatch,
    processes: group?.size ?? 1,
  };
}

/** The facts about a checkpoint, beside its tensors. */
export interface CheckpointInfo {
  /** The number of optimiser steps done. */
  readonly step: number;
  /** The published digest of the data. */
  readonly dataHash: string;
  readonly fingerprint: Fingerprint;
  /** The state of fp16's loss scaler; absent for other precisions. */
  readonly lossScale?: { readonly scale: number; readonly goodSteps: number };
}

/** The version of the format of checkpoints. */
const VERSION = 1;

/** The content of a voucher. */
interface StoredInfo extends CheckpointInfo {
  readonly version: number;
  /** The digest of the state file, in hexadecimal. */
  readonly sha256: string;
}

const storedInfo = z.object({
  version: z.literal(VERSION),
  step: z.int().min(0),
  dataHash: z.string(),
  fingerprint: z.object({
    torch: z.string(),
    instructionSet: z.string(),
    threads: z.int(),
    device: z.string(),
    precision: z.string(),
    microBatch: z.int().min(1),
    // Absent before several processes could train together.
    processes: z.int().min(1).default(1),
  }),
  lossScale: z.object({ scale: z.number().positive(), goodSteps: z.int().min(0) }).optional(),
  sha256: z.string(),
});

/** The prefixes of names in a state file, which tell the two kinds of tensors apart. */
const MODEL = 'model.';
const VELOCITY = 'velocity.';

/** Saves a checkpoint and deletes all but the newest `keep`. */
export function saveCheckpoint(
  folder: string,
  info: CheckpointInfo,
  model: ReadonlyMap<string, Tensor>,
  velocities: ReadonlyMap<string, Tensor>,
  keep: number,
): void {
  namingFile(folder, () => mkdirSync(folder, { recursive: true }));
  const state = new Map<string, Tensor>();
  for (const [name, tensor] of model) state.set(MODEL + name, tensor);
  for (const [name, tensor] of velocities) state.set(VELOCITY + name, tensor);
  const base = join(folder, checkpointName(info.step));
  saveState(`${base}.safetensors`, state, { step: `${info.step}` });
  const stored: StoredInfo = {
    version: VERSION,
    ...info,
    sha256: digest(readFileSync(`${base}.safetensors`)),
  };
  writeFileAtomic(`${base}.json`, `${JSON.stringify(stored, null, 2)}\n`);
  // Checkpoints of later steps are damaged: the resume passed over them. They must not push out good ones.
  const names = checkpointNames(folder);
  const current = names.indexOf(checkpointName(info.step));
  for (const name of [...names.slice(0, current), ...names.slice(current + keep)]) remove(folder, name);
}

function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, '0')}`;
}

function remove(folder: string, name: string): void {
  // The voucher goes first: a state without a voucher is swept away, a voucher without its state would count as damage.
  rmSync(join(folder, `${name}.json`), { force: true });
  rmSync(join(folder, `${name}.safetensors`), { force: true });
}

/** Deletes the remains of a killed process: unfinished files, and states without a voucher. */
export function sweepCheckpoints(folder: string): void {
  if (!existsSync(folder)) return;
  const vouched = new Set(checkpointNames(folder));
  for (const name of readdirSync(folder)) {
    const state = /^(step-\d+)\.safetensors$/.exec(name)?.[1];
    const orphan = state !== undefined && !vouched.has(state);
    if (orphan || /^\.step-\d+\..*\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
  }
}

/** The names of checkpoints that have a voucher, the newest first. */
function checkpointNames(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^step-\d+\.json$/.test(name))
    .map((name) => name.slice(0, -'.json'.length))
    .sort()
    .reverse();
}

/** An intact checkpoint on disk. */
export interface Checkpoint extends CheckpointInfo {
  /** Path of the state file. */
  readonly file: string;
}

/** The tensors of a checkpoint, on the CPU. */
export interface CheckpointState {
  /** Parameters, buffers and banks of the method, by name. */
  readonly model: Map<string, Tensor>;
  /** The optimiser's velocities, by the name of their parameter. */
  readonly velocities: Map<string, Tensor>;
  /** Frees all tensors; may be called more than once. */
  dispose(): void;
}

/** A checkpoint whose state is in memory. */
export type OpenCheckpoint = Checkpoint & CheckpointState;

/**
 * Finds the newest intact checkpoint; undefined when the folder holds none at all. The state stays on disk until
 * `readCheckpoint`.
 * @param onWarning receives a message for each damaged checkpoint that is passed over
 * @throws DataError when there are checkpoints and none is intact
 */
export function latestCheckpoint(
  folder: string,
  onWarning: (message: string) => void,
): Checkpoint | undefined {
  return newestIntact(folder, onWarning)?.checkpoint;
}

/**
 * Lists the checkpoints that are there, the oldest first. Their states are not looked at, so one may turn out to be
 * damaged when it is read.
 */
export function savedCheckpoints(folder: string): Checkpoint[] {
  return checkpointNames(folder)
    .reverse()
    .flatMap((name) => {
      const file = join(folder, `${name}.safetensors`);
      const stored = existsSync(file) ? readVoucher(join(folder, `${name}.json`), file) : undefined;
      if (stored === undefined) return [];
      const { sha256: _, version: __, ...info } = stored;
      return [{ ...info, file }];
    });
}

/**
 * Opens the newest intact checkpoint with its state and reads the file only once; the caller disposes it. Warns and
 * throws as `latestCheckpoint` does.
 */
export function openLatestCheckpoint(
  folder: string,
  onWarning: (message: string) => void,
): OpenCheckpoint | undefined {
  const found = newestIntact(folder, onWarning);
  return found && { ...found.checkpoint, ...stateOf(found.checkpoint, found.content) };
}

function newestIntact(
  folder: string,
  onWarning: (message: string) => void,
): { checkpoint: Checkpoint; content: Uint8Array } | undefined {
  const names = checkpointNames(folder);
  for (const name of names) {
    const file = join(folder, `${name}.safetensors`);
    const stored = readVoucher(join(folder, `${name}.json`), file);
    const content = stored !== undefined && existsSync(file) ? readFileSync(file) : undefined;
    const intact = stored !== undefined && content !== undefined && digest(content) === stored.sha256;
    // The name of the files and the state say the step as well.
    if (intact && checkpointName(stored.step) === name) {
      const { sha256: _, version: __, ...info } = stored;
      return { checkpoint: { ...info, file }, content };
    }
    onWarning(`checkpoints/${name} is damaged; trying the one before`);
  }
  if (names.length > 0) {
    throw new DataError(`${folder}: no intact checkpoint among ${names.length}; start anew with --overwrite`);
  }
  return undefined;
}

/**
 * Reads a voucher; undefined when it is damaged.
 * @param state the file that it vouches for
 * @throws DataError when it is of another version
 */
function readVoucher(file: string, state: string): StoredInfo | undefined {
  let stored: unknown;
  try {
    stored = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { version } = (stored ?? {}) as { version?: unknown };
  if (Number.isInteger(version) && version !== VERSION) {
    throw new DataError(
      `${state}: is a checkpoint of version ${version}, expected ${VERSION}; go on with the anatomy-ssl that wrote it`,
    );
  }
  return storedInfo.safeParse(stored).data;
}

/** Reads the state of a checkpoint; the caller disposes it. */
export function readCheckpoint(checkpoint: Checkpoint): CheckpointState {
  return stateOf(checkpoint);
}

/** @param content of the file, where it has been read already */
function stateOf({ file, step }: Checkpoint, content?: Uint8Array): CheckpointState {
  const { state, metadata } = readState(file, content);
  // Older versions did not write the step into the state.
  if (metadata.step !== undefined && metadata.step !== `${step}`) {
    for (const tensor of state.values()) tensor.dispose();
    throw new DataError(
      `${file}: holds the state after step ${metadata.step}, but its name and voucher say ${step}; put the files back as they were, or start anew with --overwrite`,
    );
  }
  const model = new Map<string, Tensor>();
  const velocities = new Map<string, Tensor>();
  for (const [name, tensor] of state) {
    if (name.startsWith(MODEL)) model.set(name.slice(MODEL.length), tensor);
    else if (name.startsWith(VELOCITY)) velocities.set(name.slice(VELOCITY.length), tensor);
    else throw new DataError(`${file}: holds ${name}, expected names under ${MODEL} and ${VELOCITY}`);
  }
  const dispose = () => {
    for (const tensor of state.values()) tensor.dispose();
  };
  return { model, velocities, dispose };
}

/** Compares two fingerprints. @throws UsageError when the continued run would not be exact to the bit */
export function checkFingerprint(before: Fingerprint, now: Fingerprint): void {
  const changed = (Object.keys(now) as (keyof Fingerprint)[])
    .filter((key) => before[key] !== now[key])
    .map((key) => `${key}: ${before[key]} → ${now[key]}`);
  if (changed.length === 0) return;
  throw new UsageError(
    `resuming here would not be exact to the bit (${changed.join('; ')}); use the same setting, or continue with --allow-inexact`,
  );
}

function digest(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
