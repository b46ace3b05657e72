/**
 * DenseCL (Wang et al. 2021): MoCo for each position of the last map. A position of the query is matched with the
 * position of the key whose *backbone* features are most alike, and its dense embedding finds that of its match among
 * the queue of the batches' pooled keys. Several positions may have the same match.
 */
import {
  inFullPrecision,
  l2Normalize,
  noGrad,
  ops,
  type Tensor,
  TensorError,
  tidy,
} from '../tensor/index.js';
import { checkExclude, excludeFrom } from './exclude.js';
import { checkTau } from './options.js';
import { checkQueue, type QueueContrastOptions, toQueue } from './queue.js';

/**
 * Finds for each query position the key position of highest cosine, without gradient.
 * @param fq backbone features of the query image [B, C, P], raw
 * @param fk those of the key image
 * @returns i64 [B, P]
 */
export function denseCorrespondence(fq: Tensor, fk: Tensor): Tensor {
  checkGrids('denseCorrespondence', { fq, fk });
  return noGrad(() =>
    tidy(() =>
      inFullPrecision([fq, fk], (query, key) => {
        const cosines = ops.bmm(ops.transpose(l2Normalize(query!, 1), 1, 2), l2Normalize(key!, 1)); // [B, P, P]
        return ops.argmax(cosines, 2, false);
      }),
    ),
  );
}

/**
 * Computes the loss of queueContrast at every position, averaged over positions and images. Keys and queue are
 * constants.
 * @param q dense embeddings of the query image [B, d, P], raw
 * @param k those of the key image
 * @param match i64 [B, P], from {@link denseCorrespondence}
 * @param queue pooled keys [Q, d], unit rows; Q may be 0, then the loss is 0
 * @returns a scalar; chance level ln(1 + Q)
 */
export function denseContrast(
  q: Tensor,
  k: Tensor,
  match: Tensor,
  queue: Tensor,
  { tau = 0.2, exclude }: QueueContrastOptions = {},
): Tensor {
  checkGrids('denseContrast', { q, k });
  checkTau('denseContrast', tau);
  const [batch, dimension, positions] = q.shape as [number, number, number];
  if (match.dtype !== 'i64' || match.shape.join() !== `${batch},${positions}`) {
    throw new TensorError(
      `denseContrast: match is ${match.dtype} [${match.shape}], expected i64 [${batch},${positions}]`,
    );
  }
  checkQueue('denseContrast', queue, dimension);
  checkExclude('denseContrast', exclude, [batch, queue.size(0)]);
  return inFullPrecision([q, k, queue], (rawQueries, rawKeys, negatives) => {
    const query = l2Normalize(rawQueries!, 1);
    const keys = l2Normalize(rawKeys!.detach(), 1);
    const matched = ops.gather(keys, 2, ops.expand(ops.unsqueeze(match, 1), [batch, dimension, positions]));
    const positive = ops.unsqueeze(query.mul(matched).sum([1]).div(tau), 2); // [B, P, 1]
    const others = toQueue(ops.transpose(query, 1, 2), negatives!).div(tau); // [B, P, Q]
    const kept = excludeFrom(others, exclude && ops.unsqueeze(exclude, 1));
    return ops
      .logSumExp(ops.cat([positive, kept], 2), [2], true)
      .sub(positive)
      .mean();
  });
}

function checkGrids(loss: string, grids: Record<string, Tensor>): void {
  const [[, first]] = Object.entries(grids) as [[string, Tensor]];
  for (const [name, { shape }] of Object.entries(grids)) {
    if (shape.length !== 3 || shape.includes(0) || shape.join() !== first.shape.join()) {
      throw new TensorError(
        `${loss}: ${name} is [${shape}], expected [B, channels, P] as the other grid, [${first.shape}]`,
      );
    }
  }
}
