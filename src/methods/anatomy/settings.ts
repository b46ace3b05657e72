/** The settings of the paper’s method, and what they must fit. */
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import {
  type ConsistencyOptions,
  CROSS_MODAL,
  checkRelation,
  checkRelationGrid,
  RELATIONS,
} from '../../losses/index.js';
import { mapSides } from '../../nn/index.js';
import type { RunFacts } from '../definition.js';
import { subjectMask } from '../falseNegatives.js';
import { pairsPerSample } from '../presence.js';
import { common } from './commonPart.js';
import { prediction } from './prediction.js';
import { reconstruction } from './reconstruction.js';

const grid = z.tuple([z.int().min(1), z.int().min(1)]);

export const anatomySchema = z
  .strictObject({
    name: z.literal('anatomy'),
    alpha: z.number().min(0).describe('α of Eq. 12: factor on L_Glo; 0 is L_C alone (Table 2).'),
    consistencyWeight: z.number().min(0).describe('Factor on L_C; 1 in Eq. 12, 0 is L_Glo alone (Table 2).'),
    consistencyShare: z
      .number()
      .positive()
      .optional()
      .describe(
        'The weight of L_C follows so that its gradient has this share of that of all else; consistencyWeight is the first.',
      ),
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
      .enum(RELATIONS)
      .describe(
        'What is compared between the patches of A and B: Eq. 5, an alternative of Table 3, cka, or for pairs that are not aligned transport or alignment-free.',
      ),
    relationTau: z
      .number()
      .positive()
      .nullable()
      .describe('Temperature of normed, kl and local-contrast; null: each one’s own.'),
    transportEpsilon: z
      .number()
      .positive()
      .optional()
      .describe('ε of transport, temperature of the patches’ similarity; absent: 0.1.'),
    transportSigma: z
      .number()
      .positive()
      .optional()
      .describe('σ of transport, how far a patch may have moved, in patches; absent: 1.'),
    consistencyShift: z
      .int()
      .min(0)
      .optional()
      .describe(
        'Patches that B may be shifted against A in each direction; L_SD is the least over these shifts; absent: 0.',
      ),
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
    crossModal: z
      .enum(CROSS_MODAL)
      .describe('L_M of Eq. 10, the authors’, none (L_Glo is then L_AUG), or predict the mate’s embedding.'),
    crossModalWeight: z
      .number()
      .min(0)
      .optional()
      .describe('β, factor on L_M beside L_AUG; absent: 1, as in Eq. 11.'),
    crossModalFrom: z
      .number()
      .min(0)
      .max(1)
      .refine((share) => share < 1, 'expected a share below 1')
      .optional()
      .describe(
        'L_M enters as L_AUG falls: its weight grows from 0, with L_AUG at chance, to β, with L_AUG at this share of it.',
      ),
    common: common
      .partial()
      .optional()
      .describe(
        'L_M compares a part of the embedding alone, its last components, or the second branch; absent: all of it.',
      ),
    prediction: prediction
      .partial()
      .optional()
      .describe(
        'How crossModal: predict predicts; absent: linear, from the embedding, to targets without gradient.',
      ),
    reconstruction: reconstruction
      .partial()
      .optional()
      .describe(
        'A decoder paints the mate, at a quarter of its size, from the last map of each un-augmented image; absent: none.',
      ),
    pairsPerSample,
    mask: subjectMask,
  })
  .refine(trainsSomething, {
    path: ['alpha'],
    message: 'expected alpha or consistencyWeight above 0, or a reconstruction, else nothing is trained',
  })
  .refine(
    ({ consistencyShare, alpha, consistencyWeight }) =>
      consistencyShare === undefined || (alpha > 0 && consistencyWeight > 0),
    {
      path: ['consistencyShare'],
      message:
        'expected with alpha and consistencyWeight above 0: a share is of something else that is trained',
    },
  )
  .refine(({ crossModal, common: asked }) => crossModal !== 'predict' || asked === undefined, {
    path: ['common'],
    message: 'expected without crossModal: predict, which leaves the embeddings apart by itself',
  })
  .refine(({ crossModal, prediction: asked }) => crossModal === 'predict' || asked === undefined, {
    path: ['prediction'],
    message: 'expected with crossModal: predict alone',
  })
  .refine(
    ({ crossModal, crossModalWeight, crossModalFrom }) =>
      crossModal !== 'none' || (crossModalWeight === undefined && crossModalFrom === undefined),
    { path: ['crossModal'], message: 'expected another than none, as L_M is given a weight' },
  );

export type AnatomyOptions = z.infer<typeof anatomySchema>;

/** Tells whether any term of the objective has a weight. */
export function trainsSomething(options: {
  readonly alpha: number;
  readonly consistencyWeight: number;
  readonly reconstruction?: unknown;
}): boolean {
  return options.alpha > 0 || options.consistencyWeight > 0 || options.reconstruction !== undefined;
}

/**
 * Checks the grids against the maps.
 *
 * @throws UsageError when a grid is finer than its map, with the smallest size that works
 */
export function checkGrids({ maps, patches }: AnatomyOptions, { size, strides }: RunFacts): void {
  const sides = mapSides(strides, size);
  const grids = gridsOf(patches, maps.length);
  if (grids.length !== maps.length) {
    throw new UsageError(
      `method.patches has ${grids.length} grids for ${maps.length} maps; give one, or one for each`,
    );
  }
  maps.forEach((map, i) => {
    const side = sides[map]!;
    const finest = Math.max(...grids[i]!);
    if (finest > side) {
      // The smallest multiple of 16 whose map has as many pixels.
      const smallest = Math.max(32, Math.ceil(((finest - 1) * strides[map]! + 1) / 16) * 16);
      throw new UsageError(
        `method.patches is ${grids[i]!.join('×')} on map ${map}, which is ${side}×${side} at data.size ${size}; use data.size ${smallest} or more, or a coarser grid`,
      );
    }
  });
}

/**
 * Checks the settings of L_C.
 *
 * @throws UsageError when they do not go together or do not fit the grid, or would take too much memory
 */
export function checkRelationSettings(options: AnatomyOptions): void {
  const consistency = consistencyOptions(options);
  const grids = gridsOf(options.patches, options.maps.length);
  try {
    checkRelation(consistency);
    grids.forEach((grid, i) => {
      checkRelationGrid(grid, options.maps[i]!, consistency);
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
  const { maps, patches, relationTau } = options;
  const { relation, transportEpsilon, transportSigma, consistencyShift } = options;
  const { windows, normalize, distance, reduction } = options;
  return {
    patches: gridsOf(patches, maps.length),
    relation,
    relationTau: relationTau ?? undefined,
    transportEpsilon,
    transportSigma,
    consistencyShift,
    windows,
    normalize,
    distance,
    reduction,
  };
}
