import { freemem, totalmem } from 'node:os';
import type { Backbone } from '../nn/index.js';
import type { Device } from '../tensor/index.js';
import type { Precision } from './precision.js';

export interface MicroBatchOptions {
  /** The setting `training.microBatch`; null means the whole batch. */
  readonly asked: number | 'auto' | null;
  readonly batchSize: number;
  readonly backbone: Backbone;
  /** The side of the images in pixels. */
  readonly size: number;
  /** The number of images that a pair puts into one forward pass. */
  readonly views: number;
  readonly precision: Precision;
  readonly device: Device;
  /** The memory in bytes. Default: that of the machine, or of the container. */
  readonly memory?: number;
}

/** The number of pairs on each of the authors' four GPUs in their batch of 128 pairs. */
const PAIRS_ON_A_GPU = 32;

/**
 * Chooses the number of pairs in one forward pass. `auto` takes the whole batch where its activations take at most half
 * of the machine's memory, and otherwise the largest power of two that does. On a GPU it takes at most 32, as
 * LibTorch's operators do not tell its memory. Batch norm sees a micro-batch at a time, so a repeated run needs the
 * same number; the choice does not depend on other programs at work.
 */
export function resolveMicroBatch(options: MicroBatchOptions): number {
  const { asked, batchSize, device } = options;
  if (asked === null) return batchSize;
  if (asked !== 'auto') return Math.min(asked, batchSize);
  if (device !== 'cpu') return Math.min(PAIRS_ON_A_GPU, batchSize);
  const fit = (options.memory ?? wholeMemory()) / 2 / activationBytes(options);
  if (fit >= batchSize) return batchSize;
  return fit < 1 ? 1 : 2 ** Math.floor(Math.log2(fit));
}

/** The bytes that one pair's activations take from the forward pass to the backward pass. */
export function activationBytes({
  backbone,
  size,
  views,
  precision,
}: Pick<MicroBatchOptions, 'backbone' | 'size' | 'views' | 'precision'>): number {
  return views * backbone.savedBytes(size, precision === 'fp32' ? 4 : 2);
}

/**
 * Words what a step needs beyond the free memory: the system would kill the process without a word. Undefined where it
 * fits.
 * @param free the bytes that are free; default: those of the machine, or of the container
 */
export function memoryFault(
  stepBytes: number,
  microBatch: number,
  free = process.availableMemory?.() ?? freemem(),
): string | undefined {
  if (stepBytes <= free) return undefined;
  const fit = Math.floor((microBatch * free) / stepBytes);
  const fix =
    fit < 1
      ? 'choose a smaller data.size or a smaller network'
      : `give --micro-batch ${2 ** Math.floor(Math.log2(fit))}, or a smaller data.size or network`;
  return `a step of ${microBatch} pairs at a time needs about ${gibibytes(stepBytes)} for its activations, and ${gibibytes(free)} are free; ${fix}`;
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function wholeMemory(): number {
  // The value is 0 or a huge number where no container limits the process.
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}
