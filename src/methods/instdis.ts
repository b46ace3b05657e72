/**
 * Instance discrimination (Wu et al. 2018): each image is a class of its own, kept as one row of a memory bank. The
 * paper's baselines InstDis-A, InstDis-B and InstDis-All are settings of it.
 */
import { z } from 'zod';
import { UsageError } from '../errors.js';
import type { Tensor } from '../tensor/index.js';
import { bankDefaults, bankSettings } from './bankContrast.js';
import { defineMethod, type MethodContext } from './definition.js';
import { memoryMask } from './falseNegatives.js';
import { InstanceBank } from './instanceBank.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, ViewSpec, Views } from './method.js';
import { imagesOf, matedPairs, pairsPerSample, takeRows } from './presence.js';
import { SharedEncoder } from './sharedEncoder.js';
import { makeViews, viewPart } from './views.js';

const schema = z.strictObject({
  name: z.literal('instdis'),
  images: z
    .string()
    .min(1)
    .describe(
      'Which images are instances: all, those of the first (a) or second (b) modality, or of one by name.',
    ),
  ...bankSettings,
  mate: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe(
      'Weight of the rows of the sample’s other images as further positives, beside the image’s own; absent: 0.',
    ),
  pairsPerSample,
  mask: memoryMask,
});

export const instdis = defineMethod({
  name: 'instdis',
  summary: 'instance discrimination with a memory bank (Wu et al. 2018)',
  schema,
  defaults: { name: 'instdis', images: 'all', ...bankDefaults, mask: 'none' },
  learnsFrom: ({ images }, has, modalities) =>
    instances(images, modalities).some((modality) => has.includes(modality)),
  create: (options, context) => new InstDis(options, context),
});

/** The modalities whose images are instances. @throws UsageError when there is no such modality */
function instances(images: string, modalities: readonly string[]): readonly string[] {
  if (images === 'all') return modalities;
  const place = ['a', 'b'].indexOf(images);
  const named = modalities.includes(images) ? images : modalities[place];
  if ((place < 0 && !modalities.includes(images)) || named === undefined) {
    throw new UsageError(
      `method.images is ${JSON.stringify(images)}, expected all or one of the modalities ${modalities.join(', ')}`,
    );
  }
  return [named];
}

class InstDis extends SharedEncoder implements Method {
  readonly name = 'instdis';
  readonly comparesBatch = false;
  readonly #modalities: readonly string[];
  readonly #bank: InstanceBank;
  /** The weight of the mates of an image. */
  readonly #mate: number;
  readonly #pairsPerSample: number | undefined;

  constructor(
    { images, mask, mate = 0, pairsPerSample: most, ...settings }: z.infer<typeof schema>,
    context: MethodContext,
  ) {
    super(context);
    this.#modalities = instances(images, context.modalities);
    this.#mate = mate;
    this.#pairsPerSample = most;
    const [modalities, dimension] = [this.#modalities, this.encoder.embeddingSize];
    this.#bank = new InstanceBank({ ...settings, modalities, dimension, mask }, context);
    if (mate > 0 && !this.#bank.contrast.isWhole) {
      this.dispose();
      throw new UsageError(
        `method.mate is ${mate}, expected with method.loss=softmax alone: drawn rows seldom hold a mate (the bank has ${this.#bank.rows} rows)`,
      );
    }
  }

  override state(): ReadonlyMap<string, Tensor> {
    return new Map([...super.state(), ...this.#bank.state()]);
  }

  views(batch: Batch): Views {
    const specs = this.#modalities.map((modality): ViewSpec => ({ modality, look: 0 }));
    return makeViews(batch, specs, this.context);
  }

  /** Counts the images. */
  perPairCount(pairs: Pairs): number {
    return this.#bank.rowsOf(pairs).length;
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { pairs } = views;
    const { maps, embedding } = this.encoder.forward(views.images, { training: true, record });
    const { loss, estimate } =
      this.#mate === 0
        ? this.#bank.contrast.compare(embedding, this.#bank.rowsOf(pairs), pairs.epoch)
        : { loss: this.#compareWithMates(embedding, pairs), estimate: undefined };
    const count = Math.min(pairs.ids.length, embedding.size(0));
    const estimates = estimate && { estimate: estimate.narrow(0, 0, count) };
    return {
      embeddings: {},
      perPair: { instance: { value: loss, weight: 1 } },
      maps: { map4: maps[4]! },
      memory: { ...this.#bank.memory((_, m) => viewPart(embedding, views, m)), ...estimates },
    };
  }

  /**
   * The mean over the images of (1 − β)·ℓ(own row) + β·(the mean of ℓ over the rows of its mates), β the weight of
   * mates. An image without a mate has ℓ(own row). The rows of one sample are no negatives of each other in the second
   * part.
   */
  #compareWithMates(embedding: Tensor, pairs: Pairs): Tensor {
    const rows = this.#bank.rowsOf(pairs);
    const mated = matedPairs(pairs, {
      modalities: this.#modalities,
      seed: this.context.seed,
      pairsPerSample: this.#pairsPerSample,
    });
    let images = 0;
    const start = new Map(
      this.#modalities.map((modality) => {
        const first = images;
        images += imagesOf(pairs, modality);
        return [modality, first] as const;
      }),
    );
    const mates = rows.map((): number[] => []);
    for (const {
      first,
      second,
      count,
      rows: [there, back],
    } of mated) {
      for (let i = 0; i < count; i += 1) {
        const [a, b] = [start.get(first)! + (there?.[i] ?? i), start.get(second)! + (back?.[i] ?? i)];
        mates[a]!.push(b);
        mates[b]!.push(a);
      }
    }
    const weights = mates.map(({ length }) => (length === 0 ? 1 : 1 - this.#mate));
    const { loss } = this.#bank.contrast.compare(embedding, rows, pairs.epoch, weights);
    const directed = mates.flatMap((own, image) =>
      own.map((mate) => ({ image, mate, share: 1 / own.length })),
    );
    if (directed.length === 0) return loss;
    const found = this.#bank.contrast.compareWith(
      takeRows(
        embedding,
        directed.map(({ image }) => image),
      ),
      directed.map(({ mate }) => rows[mate]!),
      directed.map(({ image }) => [image, ...mates[image]!].map((one) => rows[one]!)),
      // The mean over the images, not over the pairs.
      directed.map(({ share }) => (this.#mate * share * directed.length) / rows.length),
    );
    return loss.add(found);
  }

  chance(): Readonly<Record<string, number>> {
    return { instance: this.#bank.contrast.chance };
  }

  afterStep({ estimate, ...memory }: Readonly<Record<string, Tensor>>, pairs: Pairs): void {
    this.#bank.remember(memory, pairs, estimate);
  }

  override dispose(): void {
    super.dispose();
    this.#bank.dispose();
  }
}
