/** The definition of a method, which its file exports and the registry lists: name, settings and maker. */
import type { z } from 'zod';
import type { Encoder } from '../nn/index.js';
import type { Device } from '../tensor/index.js';
import type { Method } from './method.js';
import type { ViewOptions } from './views.js';

/** The data and the tools that a method is made with. */
export interface MethodContext extends ViewOptions {
  /** The two modalities, A and B. */
  readonly modalities: readonly [string, string];
  readonly device: Device;
  /** A new encoder as the config describes it; those of different names start from different random weights. */
  readonly makeEncoder: (name?: string) => Encoder;
  /** Number of the subject of each pair trained on, by row. */
  readonly subjects: readonly number[];
  /** Number of the class of each pair trained on, by row; absent without labels. */
  readonly labels?: readonly number[];
}

/** The facts about a run that a method's settings must fit. */
export interface RunFacts {
  /** The side of the images in pixels. */
  readonly size: number;
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
