/** The stored form of an alignment: what `anatomy data align` found of each image, and where that is read again. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DataError } from '../../errors.js';
import type { Sample } from '../sample.js';

/** The name of the file, which stands beside the manifest and is named in its card. */
export const ALIGNMENT_FILE = 'alignment.json';

const extent = z.strictObject({ width: z.int().positive(), height: z.int().positive() });
const number = z.number();

const alignedImage = z.strictObject({
  id: z.string(),
  modality: z.string(),
  /** `moved`, `kept` as it lies well, or `refused`; see `alignPair`. */
  decision: z.enum(['moved', 'kept', 'refused']),
  /** The reason in words. */
  reason: z.string(),
  /** The reference image, in whose pixels the transformation begins. Absent where the sample has none. */
  frame: extent.optional(),
  /** This image, in whose pixels the transformation ends. */
  of: extent.optional(),
  /** What was found, believed or not: the point (x, y) of the frame shows (a x + b y + c, d x + e y + f). */
  transformation: z.tuple([number, number, number, number, number, number]).optional(),
  /** The mean distance by which the way there and the way back miss the start, in pixels of a picture of 224. */
  inconsistency: number.optional(),
  /** The mutual information as the images lie and under the transformation, in nats. */
  before: number.optional(),
  after: number.optional(),
});
export type AlignedImage = Readonly<z.infer<typeof alignedImage>>;

export const alignmentSchema = z.strictObject({
  format: z.literal('anatomy-ssl alignment'),
  version: z.literal(1),
  /** The program that registered, with its version, its metric and its further settings. */
  tool: z.string(),
  metric: z.string(),
  parameters: z.record(z.string(), z.array(z.string())),
  kind: z.enum(['rigid', 'similarity', 'affine']),
  /** The largest inverse inconsistency that was believed. */
  gate: number,
  reference: z.string(),
  images: z.array(alignedImage),
});
export type Alignment = Readonly<z.infer<typeof alignmentSchema>>;

/** @throws DataError if the file is not there or is no alignment */
export async function readAlignment(file: string): Promise<Alignment> {
  const advice = 'Run anatomy data align again.';
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new DataError(`${file}: cannot be read: ${error.message}. ${advice}`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${file}: is not JSON (${(error as Error).message}). ${advice}`);
  }
  const result = alignmentSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DataError(`${file}: ${issue!.path.join('.') || 'the whole'}: ${issue!.message}. ${advice}`);
}

/**
 * Gives the images that were moved their place in the frame of the reference.
 *
 * @param columnOf the column of the manifest that a modality is read from, by which the alignment names it
 * @throws DataError if modalities are read of which the alignment knows none, or the reference from another column
 */
export function inFrames(
  samples: readonly Sample[],
  { images, reference }: Alignment,
  modalities: readonly string[],
  columnOf: (modality: string) => string,
): readonly Sample[] {
  const known = new Set([reference, ...images.map(({ modality }) => modality)]);
  const unknown = modalities.find((modality) => !known.has(columnOf(modality)));
  if (unknown !== undefined) {
    throw new DataError(
      `${ALIGNMENT_FILE}: says nothing of the modality "${unknown}", but of ${[...known].map((name) => `"${name}"`).join(', ')}. Align it too, or leave it out with --modalities.`,
    );
  }
  const moved = new Map<string, Map<string, AlignedImage>>();
  for (const image of images) {
    if (image.decision !== 'moved') continue;
    const ofSample = moved.get(image.id) ?? new Map<string, AlignedImage>();
    moved.set(image.id, ofSample.set(image.modality, image));
  }
  return samples.map((sample) => {
    const ofSample = moved.get(sample.id);
    if (ofSample === undefined) return sample;
    const entries = Object.entries(sample.images).map(([modality, source]) => {
      const { frame, of, transformation } = ofSample.get(columnOf(modality)) ?? {};
      if (source.kind !== 'file' || !frame || !of || !transformation) return [modality, source];
      return [modality, { ...source, frame: { ...frame, of, transformation } }];
    });
    return { ...sample, images: Object.fromEntries(entries) };
  });
}
