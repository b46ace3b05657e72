/**
 * The part of the network that is common to the modalities: some components of the embedding, or the second of two
 * branches. What draws the modalities together reads it alone, so that the rest may keep what only one of them shows.
 */
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import { branchOf, type Encoder } from '../../nn/index.js';
import type { Tensor } from '../../tensor/index.js';

export const common = z.strictObject({
  share: z
    .number()
    .gt(0)
    .lt(1)
    .describe('Share of the embedding that is common to the modalities; ½ with two branches.'),
  augmentation: z
    .boolean()
    .describe('Whether L_AUG trains the common part too, by a term of its own, or only the rest.'),
  rest: z
    .enum(['batch', 'bank'])
    .describe(
      'What trains the rest: L_AUG among the batch, or the same image found in a memory bank of all, as instdis does.',
    ),
  decorrelation: z
    .number()
    .min(0)
    .describe('Factor on the mean squared correlation of the rest of A’s embedding with that of B’s.'),
});

export type CommonOptions = z.infer<typeof common>;

/** The settings where they are left out. */
const defaults: CommonOptions = { share: 0.5, augmentation: true, rest: 'batch', decorrelation: 0 };

export class CommonPart {
  readonly options: CommonOptions;
  /** The number of components that belong to the image alone. */
  readonly restSize: number;
  /** The number of components that are common. */
  readonly #size: number;
  readonly #branches: number;

  /** @throws UsageError where the common part is no part of the embedding */
  constructor(options: Partial<CommonOptions>, { embeddingSize, branches }: Encoder) {
    this.options = { ...defaults, ...options };
    const { share } = this.options;
    this.#size = Math.round(share * embeddingSize);
    this.restSize = embeddingSize - this.#size;
    this.#branches = branches;
    let fault: string | undefined;
    if (branches === 2 && share !== 0.5) fault = '0.5, as the common part is one of two branches';
    else if (this.#size < 1 || this.#size >= embeddingSize)
      fault = `a part of the ${embeddingSize} components`;
    if (fault !== undefined) throw new UsageError(`method.common.share is ${share}, expected ${fault}`);
  }

  /** The components of embeddings that are common to the modalities, the last ones. @param x [n, d] */
  shared(x: Tensor): Tensor {
    return x.narrow(1, x.size(1) - this.#size, this.#size);
  }

  /** The components that belong to the image alone. @param x [n, d] */
  rest(x: Tensor): Tensor {
    return x.narrow(1, 0, x.size(1) - this.#size);
  }

  /** The share of a map's channels that is common: half of them with two branches. */
  get channels(): number {
    return 1 / this.#branches;
  }

  /** The maps of the common branch; without branches all of them. */
  maps(maps: readonly Tensor[]): readonly Tensor[] {
    return this.#branches === 1 ? maps : maps.map((map) => branchOf(map, 1, this.#branches));
  }
}
