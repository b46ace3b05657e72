/**
 * SimCLR (Chen et al. 2020) on pairs, as the paper's baseline does it. The augmented images of A and B are the two
 * views, with NT-Xent over all 2N. The encoder and the head are ours, so only the loss and the augmentation differ.
 * With more modalities all images of a sample are positives of each other; a sample's only view is a negative alone.
 */
import { z } from 'zod';
import { ntXent, ntXentChance, ntXentOfRows } from '../losses/index.js';
import { ops, type Tensor } from '../tensor/index.js';
import { defineMethod, hasPair, type MethodContext, requirePairs } from './definition.js';
import { batchMask, subjectMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, ViewSpec, Views } from './method.js';
import { imagesOf, ofPresent } from './presence.js';
import { SharedEncoder } from './sharedEncoder.js';
import { makeViews, viewPart } from './views.js';

const schema = z.strictObject({
  name: z.literal('simclr'),
  views: z
    .literal([2, 4])
    .describe('2: one augmented image of each modality; 4: two of each, all four positives of each other.'),
  tau: z.number().positive().describe('Temperature τ.'),
  mask: subjectMask,
});

type SimClrOptions = z.infer<typeof schema>;

export const simclr = defineMethod({
  name: 'simclr',
  summary: 'NT-Xent between augmented A and B (SimCLR, Chen et al. 2020)',
  schema,
  // A τ of ½ is the default of lightly and MONAI. Chen et al. find 0.1 to 0.5, depending on batch and epochs.
  defaults: { name: 'simclr', views: 2, tau: 0.5, mask: 'none' },
  elsewhere: { augment: 'simclr' },
  learnsFrom: ({ views }, has) => views !== 2 || hasPair(has),
  create: (options, context) => new SimClr(options, context),
});

class SimClr extends SharedEncoder implements Method {
  readonly name = 'simclr';
  readonly comparesBatch = true;
  readonly #options: SimClrOptions;
  readonly #specs: readonly ViewSpec[];

  constructor(options: SimClrOptions, context: MethodContext) {
    if (options.views === 2) requirePairs('simclr with two views', context);
    super(context);
    this.#options = options;
    const looks = options.views === 2 ? [0] : [0, 1];
    this.#specs = looks.flatMap((look) => context.modalities.map((modality) => ({ modality, look })));
  }

  views(batch: Batch): Views {
    return makeViews(batch, this.#specs, this.context);
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { maps, embedding } = this.encoder.forward(views.images, { training: true, record });
    const embeddings = this.#specs.map(({ modality, look }, index) => {
      return [`${modality}.${look}`, viewPart(embedding, views, index)] as const;
    });
    return {
      embeddings: Object.fromEntries(embeddings),
      perPair: {},
      maps: { map4: maps[4]! },
      memory: {},
    };
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>> {
    const { tau, mask } = this.#options;
    const { subjects, device } = this.context;
    const { rows, present } = pairs;
    const views = Object.values(embeddings);
    if (present === undefined && views.length > 1) {
      const exclude = batchMask(mask, rows, subjects, device);
      return { contrast: { value: ntXent(views, { tau, exclude }), weight: 1 } };
    }
    const samples = this.#specs.flatMap(({ modality }) => ofPresent(rows, pairs, modality));
    const groups = mask === 'subject' ? samples.map((row) => subjects[row]!) : undefined;
    const all = ops.cat(views, 0);
    const value = ntXentOfRows(all, samples, { tau, groups }) ?? all.sum().mul(0);
    return { contrast: { value, weight: 1 } };
  }

  /** The chance level, at which all 2N − 1 (or 4N − 1, or as many as there are) others are equally likely. */
  chance(_forward: Forward, part: Pairs, whole: Pairs = part): Readonly<Record<string, number>> {
    const rows = this.#specs.reduce((sum, { modality }) => sum + imagesOf(whole, modality), 0);
    return { contrast: ntXentChance(1, rows) };
  }
}
