/**
 * The paper's method, L = L_C + α·L_Glo (Eq. 12), on four views of each pair, A, B, Â, B̂, through one shared encoder.
 * Its ablations are settings.
 */
import { z } from 'zod';
import { UsageError } from '../errors.js';
import {
  type ConsistencyOptions,
  CROSS_MODAL,
  checkPatchCount,
  checkRelation,
  consistencyLoss,
  globalContrastiveLoss,
  type PairEmbeddings,
  type RelationOptions,
  stackedConsistencyLoss,
} from '../losses/index.js';
import { noGrad, ops, type Tensor, TensorError, tidy } from '../tensor/index.js';
import { defineMethod, type MethodContext, type RunFacts } from './definition.js';
import { batchMask, subjectMask } from './falseNegatives.js';
import type { Batch, Forward, Method, Pairs, RecordOptions, Term, ViewSpec, Views } from './method.js';
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

  /** @throws TensorError when both weights are 0 */
  constructor(options: AnatomyOptions, context: MethodContext) {
    if (options.alpha === 0 && options.consistencyWeight === 0) {
      throw new TensorError('anatomy: alpha and consistencyWeight are both 0, so nothing would be trained');
    }
    super(context);
    this.#options = options;
    this.#consistency = consistencyOptions(options);
  }

  /**
   * Makes the views in the order A, B, Â, B̂. One forward pass over all four decides what batch norm sees, which is
   * part of the recipe.
   */
  views(batch: Batch): Views {
    const { modalities } = this.context;
    const look = (as: ViewSpec['look']): ViewSpec[] => modalities.map((modality) => ({ modality, look: as }));
    return makeViews(batch, [...look(this.#options.alignedViews), ...look(0)], this.context);
  }

  forward({ images, pairs }: Views, { record }: RecordOptions = {}): Forward {
    const { maps: hierarchies, consistencyWeight, consistencyViews } = this.#options;
    const count = pairs.ids.length;
    const { maps, embedding } = this.encoder.forward(images, { training: true, record });
    const chosen = hierarchies.map((index) => maps[index]!);
    const between = (first: number): Tensor =>
      stackedConsistencyLoss(
        chosen.map((map) => map.narrow(0, first * count, 2 * count)),
        this.#consistency,
      );
    const consistency = weighted(consistencyWeight, () =>
      consistencyViews === 'aligned' ? between(0) : between(0).add(between(2)).div(2),
    );
    const part = (index: number): Tensor => viewPart(embedding, index, count);
    return {
      embeddings: { a: part(0), b: part(1), aHat: part(2), bHat: part(3) },
      perPair: { consistency },
      maps: Object.fromEntries(hierarchies.map((index, i) => [`map${index}`, chosen[i]!])),
      memory: {},
    };
  }

  loss(embeddings: Readonly<Record<string, Tensor>>, { rows }: Pairs): Readonly<Record<string, Term>> {
    const { alpha, tau, positive, crossModal, mask } = this.#options;
    const { subjects, device } = this.context;
    const views = embeddings as unknown as PairEmbeddings;
    const exclude = batchMask(mask, rows, subjects, device);
    return {
      global: weighted(alpha, () => globalContrastiveLoss(views, { tau, positive, crossModal, exclude })),
    };
  }

  /**
   * Computes the chance levels. That of L_Glo is 4·ln N, or 2·ln N without L_M, with N + 1 in place of N where the
   * positive is counted twice. That of L_C is its value with B rolled on by one pair; it is left out where there is
   * only one pair.
   */
  chance({ maps, embeddings }: Forward, pairs: number): Readonly<Record<string, number>> {
    const count = embeddings.a!.size(0);
    const rows = this.#options.positive === 'twice' ? pairs + 1 : pairs;
    const global = (this.#options.crossModal === 'none' ? 2 : 4) * Math.log(rows);
    if (count === 1) return { global };
    const shuffled = noGrad(() =>
      tidy(() => {
        const chosen = Object.values(maps);
        const a = chosen.map((map) => map.narrow(0, 0, count));
        const b = chosen.map((map) => ops.roll(map.narrow(0, count, count), [1], [0]));
        return consistencyLoss(a, b, this.#consistency).item();
      }),
    );
    return { consistency: shuffled, global };
  }
}

/** Computes a term. One that is not trained on needs no graph. */
function weighted(weight: number, compute: () => Tensor): Term {
  return { value: weight === 0 ? noGrad(compute) : compute(), weight };
}
