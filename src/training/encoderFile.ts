/** What a file of weights says beside them: all that it takes to build the encoder again and to feed it. */
import { z } from 'zod';
import { type Config, configSchema } from '../config/index.js';
import { DataError } from '../errors.js';
import { readSafetensorsHeader } from '../export/safetensors.js';
import { packageVersion } from '../version.js';

const { model, data } = configSchema.shape;
const { size, cacheSize, normalize, preprocess } = data.shape;

/** The description of an encoder, as it is stored. */
export const descriptionSchema = z.object({
  program: z.string(),
  model,
  /** How images become what the network sees: values 0 … 1, resized, normalised. */
  input: z.object({ size, cacheSize, normalize, preprocess, resize: z.string() }),
  /** The modalities that were trained on, in their order; absent where a run of an older version does not tell. */
  modalities: z.array(z.string()).optional(),
  /** The modality that these weights are for, where others have weights of their own. */
  modality: z.string().optional(),
  method: z.string(),
  recipe: z.string(),
  /** The digest of the images, as in the run's provenance. */
  dataHash: z.string().optional(),
  /** The step of the checkpoint, where the run was not finished. */
  step: z.number().optional(),
  notice: z.string(),
});

/** The description of an encoder in its file. */
export type EncoderDescription = z.infer<typeof descriptionSchema>;

const RESIZE =
  'squash to a square of cacheSize (null: twice size; never above the image), round to 8 bits, then to size; both bilinear, antialiased, half-pixel centres';

/** The key of the description in the metadata of a safetensors file. */
const KEY = 'anatomy-ssl';

/**
 * Describes the encoder that a config makes.
 *
 * @param facts.modality the modality that the weights are for, where others have weights of their own
 * @param facts.dataHash the digest of the images as the provenance tells it
 * @param facts.step the step of the checkpoint, where the run is not finished
 */
export function describeEncoder(
  { model: network, data: input, method, recipe }: Config,
  facts: Pick<EncoderDescription, 'modality' | 'dataHash' | 'step'> & {
    readonly modalities?: readonly string[];
  },
): EncoderDescription {
  const { modalities, modality, dataHash, step } = facts;
  return {
    program: `anatomy-ssl ${packageVersion()}`,
    // Weights that it began from are no part of what it is.
    model: { ...network, initFrom: null },
    input: {
      size: input.size,
      cacheSize: input.cacheSize,
      normalize: input.normalize,
      preprocess: input.preprocess,
      resize: RESIZE,
    },
    ...(modalities !== undefined && { modalities: [...modalities] }),
    ...(modality !== undefined && { modality }),
    method: method.name,
    recipe,
    ...(dataHash !== undefined && { dataHash }),
    ...(step !== undefined && { step }),
    notice: 'Research software, not a medical device.',
  };
}

/** The description as metadata of a safetensors file: one key that holds JSON. */
export function encoderMetadata(description: EncoderDescription): Record<string, string> {
  return { [KEY]: JSON.stringify(description) };
}

/**
 * Reads the description of an encoder from its file.
 *
 * @throws DataError where the file has none, or none that can be read
 */
export function readEncoderDescription(path: string): EncoderDescription {
  const { [KEY]: text } = readSafetensorsHeader(path).metadata;
  const fix = 'anatomy export safetensors --run RUN --out FILE writes a file that has it';
  if (text === undefined) {
    throw new DataError(
      `${path}: does not say what encoder it is of: its metadata has no "${KEY}", as in files of other programs and of older versions; ${fix}`,
    );
  }
  const { data: description, error } = descriptionSchema.safeParse(parsed(text));
  if (error === undefined) return description;
  const [issue] = error.issues;
  throw new DataError(
    `${path}: what it says of its encoder cannot be read: ${issue!.path.join('.') || KEY}: ${issue!.message}; ${fix}`,
  );
}

/** Reads the description of an encoder from its file; undefined of files that have none, of whatever kind. */
export function findEncoderDescription(path: string): EncoderDescription | undefined {
  try {
    return readEncoderDescription(path);
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
