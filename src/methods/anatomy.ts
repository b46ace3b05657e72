/**
 * The paper's method, L = L_C + α·L_Glo (Eq. 12), on four views of each pair, A, B, Â, B̂, through one shared encoder.
 * Its ablations are settings. With more modalities L_AUG runs over all images, and L_C and L_M over all pairs of images
 * that a sample has.
 */
import { z } from 'zod';
import { UsageError } from '../errors.js';
import {
  type ConsistencyOptions,
  CROSS_MODAL,
  checkPatchCount,
  checkRelation,
  consistencyLoss,
  meanOverParts,
  modalityContrastiveLoss,
  type RelationOptions,
  stackedConsistencyLoss,
} from '../losses/index.js';
import { noGrad, ops, type Tensor, TensorError, tidy } from '../tensor/index.js';
import { defineMethod, hasPair, type MethodContext, type RunFacts, requirePairs } from './definition.js';
import { batchMask, subjectMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, ViewSpec, Views } from './method.js';
import {
  imagesOf,
  indexOf,
  type MatedPair,
  matedPairs,
  ofPresent,
  pairsPerSample,
  takeRows,
} from './presence.js';
import { SharedEncoder } from './sharedEncoder.js';
import { makeViews, viewPart } from './views.js';

const grid = z.tuple([z.int().min(1), z.int().min(1)]);

const schema = z
  .strictObject({
    name: z.literal('anatomy'),
    alpha: z.number().min(0).describe('α of Eq. 12: factor on L_Glo; 0 is L_C alone (Table 2).'),
    consistencyWeight: z.number().min(0).describe('Factor on L_C; 1 in Eq. 12, 0 is L_Glo alone (Table 2).'),
    tau: z.number().positive().describe('Temperature τ of Eqs. 7 and 9.'),
    maps: z
      .array(z.int().min(0).max(4))
      .min(1)
      .refine((maps) => new Set(maps).size === maps.length, 'expected each map once')
      .describe('Hierarchies Q, counted from 0; the paper’s are [1, 2, 3, 4].'),
    patches: z
      .union([grid, z.array(grid).min(1)], {
        error: 'expected [rows, columns] or one such pair for each map',
      })
      .describe('Grid [N^h, N^w], or one for each map.'),
    relation: z
      .enum(['correlation', 'normed', 'kl', 'local-contrast', 'cka'])
      .describe('What is compared between the patches of A and B: Eq. 5, or an alternative of Table 3.'),
    relationTau: z
      .number()
      .positive()
      .nullable()
      .describe('Temperature of normed, kl and local-contrast; null: each one’s own.'),
    windows: z.enum(['floor', 'adaptive']),
    normalize: z.enum(['patch', 'pixel']),
    distance: z.enum(['mse', 'frobenius']),
    reduction: z.enum(['mean', 'sum']),
    consistencyViews: z
      .enum(['aligned', 'aligned-and-augmented'])
      .describe('What L_C compares: A with B, or also Â with B̂ (Table 3, With Aug), the mean of both.'),
    alignedViews: z
      .enum(['whole', 'shared-crop'])
      .describe(
        'A and B: whole images, or one random crop and flip for both, so that L_C sees new pixels every epoch.',
      ),
    positive: z.enum(['once', 'twice']).describe('How often the positive stands in the denominator.'),
    crossModal: z.enum(CROSS_MODAL).describe('L_M of Eq. 10, the authors’ or none: L_Glo is then L_AUG.'),
    pairsPerSample,
    mask: subjectMask,
  })
  .refine(({ alpha, consistencyWeight }) => alpha > 0 || consistencyWeight > 0, {
    path: ['alpha'],
    message: 'expected alpha or consistencyWeight above 0, else nothing is trained',
  });

export type AnatomyOptions = z.infer<typeof schema>;

export const anatomy = defineMethod({
  name: 'anatomy',
  summary: 'the paper’s method: consistent patch similarities and a global contrastive loss',
  schema,
  defaults: {
    name: 'anatomy',
    alpha: 3,
    consistencyWeight: 1,
    tau: 0.07,
    maps: [1, 2, 3, 4],
    patches: [4, 4],
    relation: 'correlation',
    relationTau: null,
    windows: 'floor',
    normalize: 'patch',
    distance: 'mse',
    reduction: 'mean',
    consistencyViews: 'aligned',
    alignedViews: 'whole',
    positive: 'once',
    crossModal: 'both-directions',
    mask: 'none',
  },
  check: (options, run) => {
    checkRelationSettings(options);
    checkGrids(options, run);
  },
  learnsFrom: ({ alpha }, has) => alpha !== 0 || hasPair(has),
  create: (options, context) => new Anatomy(options, context),
});

/**
 * Checks the grids against the maps.
 *
 * @throws UsageError when a grid is finer than its map, with the smallest size that works
 */
function checkGrids({ maps, patches }: AnatomyOptions, { size }: RunFacts): void {
  const grids = gridsOf(patches, maps.length);
  if (grids.length !== maps.length) {
    throw new UsageError(
      `method.patches has ${grids.length} grids for ${maps.length} maps; give one, or one for each`,
    );
  }
  maps.forEach((map, i) => {
    const side = size / 2 ** map;
    const finest = Math.max(...grids[i]!);
    if (finest > side) {
      const smallest = Math.max(32, Math.ceil((finest * 2 ** map) / 16) * 16);
      throw new UsageError(
        `method.patches is ${grids[i]!.join('×')} on map ${map}, which is ${side}×${side} at data.size ${size}; use data.size ${smallest} or more, or a coarser grid`,
      );
    }
  });
}

/** Checks the settings of L_C. @throws UsageError when they do not go together, or would take too much memory */
function checkRelationSettings(options: AnatomyOptions): void {
  const grids = gridsOf(options.patches, options.maps.length);
  try {
    checkRelation(consistencyOptions(options));
    options.maps.forEach((map, i) => {
      const [rows, columns] = grids[i] ?? [0, 0];
      checkPatchCount(rows * columns, map, options as RelationOptions);
    });
  } catch (error) {
    throw new UsageError((error as Error).message.replace('consistencyLoss: ', 'settings under method: '));
  }
}

type Grid = readonly [number, number];

function gridsOf(patches: AnatomyOptions['patches'], maps: number): readonly Grid[] {
  return typeof patches[0] === 'number'
    ? Array.from({ length: maps }, () => patches as Grid)
    : (patches as readonly Grid[]);
}

/** Converts the settings of L_C to the options of the loss, with one grid for each of `maps`. */
export function consistencyOptions(options: AnatomyOptions): ConsistencyOptions {
  const { maps, patches, relation, relationTau, windows, normalize, distance, reduction } = options;
  return {
    patches: gridsOf(patches, maps.length),
    relation,
    relationTau: relationTau ?? undefined,
    windows,
    normalize,
    distance,
    reduction,
  };
}

export class Anatomy extends SharedEncoder implements Method {
  readonly name = 'anatomy';
  readonly comparesBatch = true;
  readonly #options: AnatomyOptions;
  readonly #consistency: ConsistencyOptions;
  readonly #specs: readonly ViewSpec[];

  /** @throws TensorError when both weights are 0 */
  constructor(options: AnatomyOptions, context: MethodContext) {
    if (options.alpha === 0 && options.consistencyWeight === 0) {
      throw new TensorError('anatomy: alpha and consistencyWeight are both 0, so nothing would be trained');
    }
    if (options.alpha === 0) requirePairs('anatomy with alpha 0', context);
    super(context);
    this.#options = options;
    this.#consistency = consistencyOptions(options);
    const look = (as: ViewSpec['look']) => context.modalities.map((modality) => ({ modality, look: as }));
    this.#specs = [...look(options.alignedViews), ...look(0)];
  }

  /**
   * Makes the views in the order A, B, Â, B̂, or as many as there are modalities. One forward pass over all of them
   * decides what batch norm sees, which is part of the recipe.
   */
  views(batch: Batch): Views {
    return makeViews(batch, this.#specs, this.context);
  }

  /** Counts the pairs of images that L_C compares. */
  perPairCount(pairs: Pairs): number {
    return this.#mated(pairs).reduce((sum, { count }) => sum + count, 0);
  }

  #mated(pairs: Pairs): MatedPair[] {
    const { modalities, seed } = this.context;
    return matedPairs(pairs, { modalities, seed, pairsPerSample: this.#options.pairsPerSample });
  }

  forward(views: Views, { record }: RecordOptions = {}): Forward {
    const { maps: hierarchies, consistencyWeight, consistencyViews } = this.#options;
    const { modalities } = this.context;
    const { maps, embedding } = this.encoder.forward(views.images, { training: true, record });
    const chosen = hierarchies.map((index) => maps[index]!);
    const mated = this.#mated(views.pairs);
    /** L_C over the un-augmented views, or from `first` on over the augmented ones. */
    const between = (first: number): Tensor =>
      this.#consistencyOf(views.pairs, chosen, mated, first) ?? embedding.sum().mul(0);
    const consistency = weighted(consistencyWeight, () =>
      consistencyViews === 'aligned' ? between(0) : between(0).add(between(modalities.length)).div(2),
    );
    const embeddings = views.specs.map(({ modality, look }, index) => {
      return [look === 0 ? augmented(modality) : modality, viewPart(embedding, views, index)] as const;
    });
    return {
      embeddings: Object.fromEntries(embeddings),
      perPair: { consistency },
      maps: Object.fromEntries(hierarchies.map((index, i) => [`map${index}`, chosen[i]!])),
      memory: {},
    };
  }

  /** L_C of the views from number `first` on, one for each modality; undefined where no sample has two images. */
  #consistencyOf(
    pairs: Pairs,
    maps: readonly Tensor[],
    mated: readonly MatedPair[],
    first: number,
  ): Tensor | undefined {
    if (this.context.modalities.length !== 2 || pairs.present !== undefined) {
      return this.#consistencyOfPairs(pairs, maps, mated, first);
    }
    // The maps hold A's images and then B's, as they are.
    const count = pairs.ids.length;
    return stackedConsistencyLoss(
      maps.map((map) => map.narrow(0, first * count, 2 * count)),
      this.#consistency,
    );
  }

  /** The same, with the second image of each pair of modalities rolled on by `roll` samples. */
  #consistencyOfPairs(
    pairs: Pairs,
    maps: readonly Tensor[],
    mated: readonly MatedPair[],
    first: number,
    roll = 0,
  ): Tensor | undefined {
    const { modalities } = this.context;
    const part = (modality: string, rows: readonly number[] | undefined, by: number): Tensor[] =>
      maps.map((map) => {
        const view = first + modalities.indexOf(modality);
        const images = takeRows(viewPart(map, { specs: this.#specs, pairs }, view), rows);
        return by === 0 ? images : ops.roll(images, [by], [0]);
      });
    return meanOverParts(
      mated.map(({ first: a, second: b, rows, count }) => {
        return {
          value: consistencyLoss(part(a, rows[0], 0), part(b, rows[1], roll), this.#consistency),
          count,
        };
      }),
    );
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, pairs: Pairs): Readonly<Record<string, Term>> {
    const { alpha, tau, positive, crossModal, mask } = this.#options;
    const { modalities, subjects, device } = this.context;
    const there = modalities.filter((modality) => imagesOf(pairs, modality) > 0);
    const whole = batchMask(mask, pairs.rows, subjects, device);
    const maskOf = (rows: readonly number[]) =>
      rows === pairs.rows ? whole : batchMask(mask, rows, subjects, device);
    const global = () =>
      modalityContrastiveLoss(
        there.map((modality) => ({
          clean: embeddings[modality]!,
          augmented: embeddings[augmented(modality)]!,
          exclude: maskOf(ofPresent(pairs.rows, pairs, modality)),
        })),
        this.#mated(pairs).map(({ first, second, rows, positions }) => ({
          first: there.indexOf(first),
          second: there.indexOf(second),
          rows: [rows[0] && indexOf(rows[0], device), rows[1] && indexOf(rows[1], device)],
          exclude: maskOf(positions?.map((position) => pairs.rows[position]!) ?? pairs.rows),
        })),
        { tau, positive, crossModal },
      );
    return { global: weighted(alpha, global) };
  }

  /**
   * Computes the chance levels. That of L_Glo is 4·ln N, or 2·ln N without L_M, with N + 1 in place of N where the
   * positive is counted twice; with more modalities or gaps it is the same mean as the loss. That of L_C is its value
   * with the second image of each pair rolled on by one sample; it is left out where no pair has two samples.
   */
  chance({ maps }: Forward, pairs: Pairs, whole: Pairs = pairs): Readonly<Record<string, number>> {
    const { positive, crossModal } = this.#options;
    const level = (n: number): number => Math.log(positive === 'twice' ? n + 1 : n);
    const images = this.context.modalities.map((modality) => imagesOf(whole, modality));
    const mated = crossModal === 'none' ? [] : this.#mated(whole).map(({ count }) => count);
    const global = 2 * (weightedMean(images, level) + weightedMean(mated, level));
    const shuffled = noGrad(() =>
      tidy(() => {
        const several = this.#mated(pairs).filter(({ count }) => count > 1);
        return this.#consistencyOfPairs(pairs, Object.values(maps), several, 0, 1)?.item();
      }),
    );
    return shuffled === undefined ? { global } : { consistency: shuffled, global };
  }
}

/** The mean of level(n) over things that come in groups of n; 0 where there is none. */
function weightedMean(groups: readonly number[], level: (n: number) => number): number {
  const total = groups.reduce((sum, n) => sum + n, 0);
  return groups.reduce((sum, n) => (n === 0 ? sum : sum + (n / total) * level(n)), 0);
}

/** The name of the embeddings of a modality's augmented images. */
function augmented(modality: string): string {
  return `augmented ${modality}`;
}

/** Computes a term. One that is not trained on needs no graph. */
function weighted(weight: number, compute: () => Tensor): Term {
  return { value: weight === 0 ? noGrad(compute) : compute(), weight };
}
