import { freemem } from 'node:os';
import type { Backbone } from '../nn/index.js';
import type { Device } from '../tensor/index.js';
import type { Precision } from './precision.js';

export interface MicroBatchOptions {
  readonly asked: number | 'auto' | null;
  readonly batchSize: number;
  readonly backbone: Backbone;
  /** Side of the images. */
  readonly size: number;
  /** Images that a pair puts into one forward pass. */
  readonly views: number;
  readonly precision: Precision;
  readonly device: Device;
  /** Bytes. Default: what the machine, or the container, has left. */
  readonly available?: number;
}

/** What the authors' four GPUs had each, of their 128 pairs. */
const PAIRS_ON_A_GPU = 32;

/**
 * Pairs in one forward pass. `auto`: all of the batch where its activations take at most half of the free memory, else the
 * largest power of two that does; on a GPU, whose free memory LibTorch's operators do not tell, at most 32. As batch norm sees
 * a micro-batch at a time, the number is part of what a run must repeat.
 */
export function resolveMicroBatch(options: MicroBatchOptions): number {
  const { asked, batchSize, backbone, size, views, precision, device } = options;
  if (asked === null) return batchSize;
  if (asked !== 'auto') return Math.min(asked, batchSize);
  if (device !== 'cpu') return Math.min(PAIRS_ON_A_GPU, batchSize);
  const elementBytes = precision === 'fp32' ? 4 : 2;
  const perPair = views * backbone.savedBytes(size, elementBytes);
  const fit = (options.available ?? availableMemory()) / 2 / perPair;
  if (fit >= batchSize) return batchSize;
  return fit < 1 ? 1 : 2 ** Math.floor(Math.log2(fit));
}

function availableMemory(): number {
  // 0 or a huge number where no container limits the process.
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(freemem(), constrained - process.memoryUsage.rss());
}
