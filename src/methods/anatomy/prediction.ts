/**
 * Predicts the embedding of one modality from another, in the place of L_M: the mate has to be found from the
 * prediction, so the images need not be embedded alike.
 */
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import { Linear, type Module } from '../../nn/index.js';
import { ops, Random, type Tensor } from '../../tensor/index.js';
import type { MatedPair } from '../presence.js';

export const prediction = z.strictObject({
  hidden: z
    .int()
    .min(1)
    .nullable()
    .describe('Units of the predictor’s hidden layer, with a ReLU; null: the predictor is linear.'),
  from: z
    .enum(['embedding', 'pooled'])
    .describe('What predicts: the embedding of the image, or its last map averaged over the pixels.'),
  stopGradient: z
    .string()
    .min(1)
    .describe(
      'Whose embeddings take no gradient as targets: all, none, or one modality by name, which is then only predicted.',
    ),
});

export type PredictionOptions = z.infer<typeof prediction>;

/** The settings where they are left out: a linear predictor from the embedding to a target without gradient. */
export const predictionDefaults: PredictionOptions = { hidden: null, from: 'embedding', stopGradient: 'all' };

/** @throws UsageError when the setting names a modality that is not there */
export function checkStopGradient(
  { stopGradient }: Pick<PredictionOptions, 'stopGradient'>,
  modalities: readonly string[],
): void {
  if (['all', 'none', ...modalities].includes(stopGradient)) return;
  throw new UsageError(
    `method.prediction.stopGradient is ${JSON.stringify(stopGradient)}, expected all, none or one of the modalities ${modalities.join(', ')}`,
  );
}

interface PredictorShape {
  readonly modalities: readonly string[];
  /** The number of components of what predicts. */
  readonly input: number;
  /** The number of components of an embedding. */
  readonly output: number;
  readonly hidden: number | null;
  readonly seed: number;
}

/** A predictor for each ordered pair of modalities, h_AB for A → B. */
export class Predictors implements Module {
  readonly children: Readonly<Record<string, Module>>;
  readonly #layers: ReadonlyMap<string, readonly Linear[]>;

  constructor({ modalities, input, output, hidden, seed }: PredictorShape) {
    const sizes = hidden === null ? [input, output] : [input, hidden, output];
    const ordered = modalities.flatMap((from) =>
      modalities.filter((to) => to !== from).map((to) => [from, to]),
    );
    this.#layers = new Map(
      ordered.map(([from, to]) => {
        const name = predictionName(from!, to!);
        const layers = sizes.slice(1).map((size, i) => {
          return new Linear(sizes[i]!, size, new Random(seed, 'init', 'predictor', from!, to!, i));
        });
        return [name, layers];
      }),
    );
    this.children = Object.fromEntries(
      [...this.#layers].flatMap(([name, layers]) => layers.map((layer, i) => [`${name}.${2 * i}`, layer])),
    );
  }

  /** Predicts the embeddings of the modality `to`. @param x [n, input] of the modality `from` @returns [n, output] */
  forward(from: string, to: string, x: Tensor): Tensor {
    const [first, second] = this.#layers.get(predictionName(from, to))!;
    const made = first!.forward(x);
    return second === undefined ? made : second.forward(ops.relu(made));
  }
}

/** The name of the predictor of `to` from `from`, and of what it predicts. */
export function predictionName(from: string, to: string): string {
  return `${from}-to-${to}`;
}

/** Tells for both modalities of a pair whether their embeddings take no gradient as targets. */
export function fixedTargets(
  { stopGradient }: Pick<PredictionOptions, 'stopGradient'>,
  { first, second }: Pick<MatedPair, 'first' | 'second'>,
): readonly [boolean, boolean] {
  const isFixed = (modality: string) => stopGradient === 'all' || stopGradient === modality;
  return [isFixed(first), isFixed(second)];
}
