/** Masks for the contrastive losses: two slices of one patient are no negatives of each other. */
import { z } from 'zod';
import { pairsEqual } from '../losses/index.js';
import { type Device, type Tensor, tensor } from '../tensor/index.js';

/** The setting of methods whose candidates are all in the batch, where no sample stands twice. */
export const subjectMask = z
  .enum(['none', 'subject'])
  .describe('Which other entries are no negatives: none, or those of the same subject (false negatives).');

/** The setting of methods whose memory also holds other images of the same pair. */
export const memoryMask = z
  .enum(['none', 'sample', 'subject'])
  .describe('Which other entries are no negatives: none, those of the same pair, or of the same subject.');

/** Makes the mask of a batch against itself, bool [B, B]; undefined where nothing is masked. */
export function batchMask(
  mask: z.infer<typeof subjectMask>,
  rows: readonly number[],
  subjects: readonly number[],
  device: Device,
): Tensor | undefined {
  if (mask === 'none') return undefined;
  const own = tensor(
    rows.map((row) => subjects[row]!),
    [rows.length],
    { dtype: 'i64', device },
  );
  return pairsEqual(own, own);
}
