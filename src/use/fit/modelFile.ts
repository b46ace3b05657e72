/** The file of a fitted model: encoders, probe, calibration and all that it takes to ask it about new images. */
import { z } from 'zod';
import { DataError } from '../../errors.js';
import { ENCODER_FEATURES } from '../../evaluation/results/featureKinds.js';
import { readSafetensors, type SafetensorsEntry, writeSafetensors } from '../../export/safetensors.js';
import { readState, stateEntries } from '../../export/stateFile.js';
import { featureRows } from '../../metrics/features/features.js';
import { disposeModule, type Encoder, loadState, stateDict } from '../../nn/index.js';
import type { Device, Tensor } from '../../tensor/index.js';
import { buildEncoder } from '../../training/build.js';
import { descriptionSchema } from '../../training/encoderFile.js';
import type { FittedProbe } from './fitProbe.js';

const rule = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('half') }),
  z.object({ kind: z.literal('youden') }),
  z.object({ kind: z.literal('sensitivity'), least: z.number() }),
  z.object({ kind: z.literal('specificity'), least: z.number() }),
]);

const measured = z.object({
  value: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
});

export const modelSchema = z.object({
  format: z.literal(1),
  encoder: descriptionSchema,
  /** The modalities whose encoder each is; the first one serves all others too. */
  encoders: z.array(z.array(z.string())).min(1),
  /** The class names; of two, the second is the positive one. */
  classes: z.array(z.string()).min(2),
  features: z.enum(ENCODER_FEATURES),
  /** The set of modalities in a row; `any` is the mean of those that a sample has. */
  images: z.array(z.string()).min(1),
  precision: z.enum(['fp32', 'bf16', 'fp16']),
  /** The C of the probe; absent of a finetuned model. */
  C: z.number().optional(),
  /** The preset by which encoder and classifier were trained; absent of a probe on the frozen encoder. */
  finetuned: z.string().optional(),
  /** Divides the logarithms of the probabilities; fitted on out-of-fold probabilities. */
  temperature: z.number().positive(),
  /** Absent with more than two classes, where the most probable one is called. */
  threshold: z
    .object({ rule, value: z.number(), sensitivity: z.number(), specificity: z.number() })
    .optional(),
  /** What the samples were that it learned from. */
  data: z.object({
    name: z.string(),
    samples: z.number(),
    subjects: z.number(),
    subjectsPerClass: z.array(z.number()),
    perClass: z.array(z.number()),
    incomplete: z.number(),
  }),
  /** By out-of-fold predictions of all samples together, with intervals over subjects. */
  outOfFold: z.object({
    folds: z.number(),
    seed: z.number(),
    /** Whether the encoder saw these images, without labels, in its pretraining. */
    transductive: z.enum(['yes', 'no', 'unknown']),
    auc: measured,
    logLoss: z.object({ before: z.number(), after: z.number() }),
  }),
  use: z.string(),
});

/** What is known of a fitted model. */
export type ModelDescription = z.infer<typeof modelSchema>;

/** A model that can be asked. `disposeModel` frees it. */
export interface PredictionModel {
  readonly description: ModelDescription;
  readonly probe: FittedProbe;
  /** The distances of held-out samples to those of other subjects, ascending. */
  readonly heldOut: Float64Array;
  /** The encoders in the order of `description.encoders`. */
  readonly encoders: readonly Encoder[];
}

const KEY = 'anatomy-ssl-model';

/** Writes a model so that the file is complete or absent. */
export function saveModel(path: string, model: PredictionModel): void {
  const { probe, heldOut, encoders, description } = model;
  const { standardizer, weights, bias, reference } = probe;
  const entries = new Map<string, SafetensorsEntry>();
  const doubles = (name: string, data: Float64Array, shape: readonly number[]) =>
    entries.set(name, { dtype: 'F64', shape: [...shape], data: bytesOf(data) });
  doubles('probe.mean', standardizer.mean, [reference.columns]);
  doubles('probe.scale', standardizer.scale, [reference.columns]);
  doubles('probe.weights', weights, [bias.length, reference.columns]);
  doubles('probe.bias', bias, [bias.length]);
  doubles('heldOut.distances', heldOut, [heldOut.length]);
  entries.set('reference', {
    dtype: 'F32',
    shape: [reference.rows, reference.columns],
    data: bytesOf(reference.data as Float32Array),
  });
  for (const [number, encoder] of encoders.entries()) {
    for (const [name, entry] of stateEntries(stateDict(encoder)))
      entries.set(`encoders.${number}.${name}`, entry);
  }
  writeSafetensors(path, entries, { [KEY]: JSON.stringify(description) }, { vouch: true });
}

/**
 * Reads a model.
 *
 * @throws DataError where the file is no model, or damaged
 */
export function loadModel(path: string, device: Device = 'cpu'): PredictionModel {
  const { tensors, metadata } = readSafetensors(path);
  const text = metadata[KEY];
  if (text === undefined) {
    throw new DataError(
      `${path}: is no model of anatomy fit (its metadata has no "${KEY}"); make one with anatomy fit`,
    );
  }
  const description = parsedDescription(path, text);
  const entry = (name: string): SafetensorsEntry => {
    const found = tensors.get(name);
    if (found === undefined) throw new DataError(`${path}: lacks ${name}; make it again with anatomy fit`);
    return found;
  };
  const doubles = (name: string) => new Float64Array(entry(name).data.buffer);
  const { shape, data } = entry('reference');
  const probe: FittedProbe = {
    standardizer: { mean: doubles('probe.mean'), scale: doubles('probe.scale') },
    weights: doubles('probe.weights'),
    bias: doubles('probe.bias'),
    ...(description.C !== undefined && { C: description.C }),
    reference: featureRows(new Float32Array(data.buffer), shape[0]!, shape[1]!),
  };
  const encoders: Encoder[] = [];
  const { state } = readState(path);
  try {
    const { model, input } = description.encoder;
    for (const number of description.encoders.keys()) {
      const settings = { model, data: input, seed: null };
      const encoder = buildEncoder(settings, device);
      encoders.push(encoder);
      const prefix = `encoders.${number}.`;
      const own = [...state].flatMap(([name, value]): [string, Tensor][] =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      );
      loadState(encoder, new Map(own));
    }
  } catch (error) {
    for (const encoder of encoders) disposeModule(encoder);
    throw new DataError(`${path}: ${(error as Error).message}`);
  } finally {
    for (const value of state.values()) value.dispose();
  }
  return { description, probe, heldOut: doubles('heldOut.distances'), encoders };
}

export function disposeModel({ encoders }: Pick<PredictionModel, 'encoders'>): void {
  for (const encoder of encoders) disposeModule(encoder);
}

/** The encoder of a model that sees a modality. */
export function encoderOf({ description, encoders }: PredictionModel, modality: string): Encoder {
  const own = description.encoders.findIndex((modalities) => modalities.includes(modality));
  return encoders[Math.max(0, own)]!;
}

function parsedDescription(path: string, text: string): ModelDescription {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    content = undefined;
  }
  const { data, error } = modelSchema.safeParse(content);
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw new DataError(
    `${path}: what it says of itself cannot be read: ${issue!.path.join('.') || KEY}: ${issue!.message}; make it again with anatomy fit`,
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
