/**
 * Contrast against a queue of earlier keys (He et al. 2020, MoCo): a query finds the key that the momentum encoder made
 * of the same image, among the Q keys of the batches before. Enqueue after scoring, or the positive is a negative too.
 */
import { inFullPrecision, l2Normalize, ops, type Tensor, TensorError } from '../tensor/index.js';
import { checkExclude, excludeFrom } from './exclude.js';
import { checkRows, checkTau } from './options.js';

export interface QueueContrastOptions {
  /** The temperature τ. */
  tau?: number;
  /** The keys that are no negatives, such as older ones of the same image, bool [B, Q]. */
  exclude?: Tensor;
}

/**
 * Computes −1/B Σ_b log( exp(q_b·k_b/τ) / (exp(q_b·k_b/τ) + Σ_j exp(q_b·queue_j/τ)) ). Keys and queue are constants.
 * @param q queries [B, d], raw
 * @param k keys [B, d], raw
 * @param queue [Q, d], unit rows; Q may be 0, then the loss is 0
 * @returns a scalar; chance level ln(1 + Q)
 */
export function queueContrast(
  q: Tensor,
  k: Tensor,
  queue: Tensor,
  { tau = 0.2, exclude }: QueueContrastOptions = {},
): Tensor {
  checkRows('queueContrast', { q, k });
  checkTau('queueContrast', tau);
  checkQueue('queueContrast', queue, q.size(1));
  checkExclude('queueContrast', exclude, [q.size(0), queue.size(0)]);
  return inFullPrecision([q, k, queue], (rawQueries, rawKeys, negatives) => {
    const query = l2Normalize(rawQueries!, 1);
    const key = l2Normalize(rawKeys!.detach(), 1);
    const positive = query.mul(key).sum([1], true).div(tau); // [B, 1]
    const others = excludeFrom(toQueue(query, negatives!).div(tau), exclude); // [B, Q]
    return ops
      .logSumExp(ops.cat([positive, others], 1), [1], true)
      .sub(positive)
      .mean();
  });
}

/**
 * Computes the cosines [..., Q] of unit queries [..., d] to the queue, which is a constant and f32 where queries may be
 * f64.
 */
export function toQueue(queries: Tensor, queue: Tensor): Tensor {
  return queries.matmul(queue.detach().to({ dtype: queries.dtype }).t());
}

/** @throws TensorError unless `queue` is [Q, dimension] */
export function checkQueue(loss: string, queue: Tensor, dimension: number): void {
  if (queue.shape.length !== 2 || queue.shape[1] !== dimension) {
    throw new TensorError(
      `${loss}: queue is [${queue.shape}], expected [Q, d] with d = ${dimension} as in q`,
    );
  }
}
