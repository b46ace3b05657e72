import { z } from 'zod';
import { portableDataset } from '../pack/portable.js';

/**
 * The name of the description beside the shards. It is written last; without it, shards are unfinished or another
 * program's.
 */
export const SHARDS_FILE = 'shards.json';

/**
 * The description of shards after WebDataset's convention: tar archives in which the files of a sample stand together
 * and share a name up to the first dot, `000017.a.png`, `000017.b.png`, `000017.json`.
 */
export const shardsDescription = portableDataset.extend({
  format: z.literal('anatomy-shards'),
  version: z.literal(1),
  count: z.int().min(1),
  /** The end of file names, after the first dot, for each modality. */
  extensions: z.record(z.string(), z.string()),
  shards: z.array(
    z.object({
      file: z.string(),
      samples: z.int().min(1),
      bytes: z.int().min(1),
      /** The SHA-256 of the shard's `.json` members, one after the other. */
      samplesSha256: z.string(),
    }),
  ),
});
export type ShardsDescription = z.infer<typeof shardsDescription>;
