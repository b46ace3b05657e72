/** The definition of a method, which its file exports and the registry lists: name, settings and maker. */
import type { z } from 'zod';
import { UsageError } from '../errors.js';
import type { Encoder } from '../nn/index.js';
import type { Device } from '../tensor/index.js';
import type { Method } from './method.js';
import type { ViewOptions } from './views.js';

/** The data and the tools that a method is made with. */
export interface MethodContext extends ViewOptions {
  /** The names of the modalities, at least one, in the order of the data. */
  readonly modalities: readonly string[];
  /** For each modality that some samples trained on lack, the rows of those that have it, ascending. */
  readonly present?: Readonly<Record<string, readonly number[]>>;
  readonly device: Device;
  /** A new encoder as the config describes it; those of different names start from different random weights. */
  readonly makeEncoder: (name?: string) => Encoder;
  /** Number of the subject of each pair trained on, by row. */
  readonly subjects: readonly number[];
  /** Number of the class of each pair trained on, by row; absent without labels. */
  readonly labels?: readonly number[];
}

/** @throws UsageError when no sample has two modalities, and the method compares modalities */
export function requirePairs(method: string, { modalities, subjects, present }: MethodContext): void {
  const images = subjects.map(() => 0);
  for (const modality of modalities) {
    for (const row of present?.[modality] ?? images.keys()) images[row]! += 1;
  }
  if (images.some((count) => count > 1)) return;
  const found =
    modalities.length === 1
      ? `the data has one modality (${modalities.join()})`
      : 'no sample has two modalities';
  throw new UsageError(
    `${found}, and method ${method} compares modalities. Give a second one, or use a method that takes single images: --method instdis, --method simclr --set method.views=4, or --method anatomy, which then trains L_AUG alone`,
  );
}

/** Tells whether a sample with these modalities has two to compare. */
export function hasPair(modalities: readonly string[]): boolean {
  return modalities.length > 1;
}

/** The facts about a run that a method's settings must fit. */
export interface RunFacts {
  /** The side of the images in pixels. */
  readonly size: number;
  /** The side of a pixel of each map of the backbone, in pixels of the image. */
  readonly strides: readonly number[];
  /** Whether the encoder starts from weights of a file. */
  readonly givenWeights: boolean;
}

export interface MethodDefinition<Schema extends MethodSchema = MethodSchema> {
  readonly name: z.infer<Schema>['name'];
  /** One line for people that describes the method. */
  readonly summary: string;
  /** The settings under `method` in a config, `name` among them. */
  readonly schema: Schema;
  readonly defaults: z.infer<Schema>;
  /** Settings outside `method` that this method's source has otherwise; a recipe, a file and --set override them. */
  readonly elsewhere?: Readonly<Record<string, unknown>>;
  /** Whether the method learns from the labels. Test samples must then not be among those it was pretrained on. */
  readonly usesLabels?: boolean;
  /** False for a method that takes the weights as they are and learns from no image. */
  readonly trains?: false;
  /**
   * Checks the settings before anything is decoded.
   *
   * @throws UsageError when the settings do not fit the rest of the config
   */
  check?(options: z.infer<Schema>, run: RunFacts): void;
  /**
   * Tells whether the method learns anything from a sample with these modalities. It is made for those samples alone;
   * absent: for all.
   *
   * @param has the modalities that the sample has, at least one
   * @param modalities all modalities of the data
   */
  learnsFrom?(options: z.infer<Schema>, has: readonly string[], modalities: readonly string[]): boolean;
  /** Makes the method with its initial weights. @throws UsageError when the settings do not fit the data */
  create(options: z.infer<Schema>, context: MethodContext): Method;
}

export type MethodSchema = z.ZodObject<{ name: z.ZodLiteral<string> }, z.core.$strict>;

/** Keeps the types of a definition together. */
export function defineMethod<Schema extends MethodSchema>(
  definition: MethodDefinition<Schema>,
): MethodDefinition<Schema> {
  return definition;
}
