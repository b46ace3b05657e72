import { totalmem } from 'node:os';
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
  const { asked, batchSize, backbone, size, views, precision, device } = options;
  if (asked === null) return batchSize;
  if (asked !== 'auto') return Math.min(asked, batchSize);
  if (device !== 'cpu') return Math.min(PAIRS_ON_A_GPU, batchSize);
  const elementBytes = precision === 'fp32' ? 4 : 2;
  const perPair = views * backbone.savedBytes(size, elementBytes);
  const fit = (options.memory ?? wholeMemory()) / 2 / perPair;
  if (fit >= batchSize) return batchSize;
  return fit < 1 ? 1 : 2 ** Math.floor(Math.log2(fit));
}

function wholeMemory(): number {
  // The value is 0 or a huge number where no container limits the process.
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}
