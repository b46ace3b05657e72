import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../src/tensor/random.js';

export const SIDE = 32;

export interface TinyPairs {
  readonly manifest: string;
  readonly ids: readonly string[];
  readonly subjects: readonly string[];
  readonly labels: readonly string[];
  /** Gray pixels of modality A, by sample. */
  readonly a: readonly Uint8Array[];
  /** RGB pixels, interleaved, of modality B. */
  readonly b: readonly Uint8Array[];
}

/**
 * 18 subjects with two 32² samples each, A gray and B in colour; malignant ones are brighter in the middle, with noise;
 * another seed draws other images.
 */
export async function tinyPairs(folder: string, subjectCount = 18, seed = 7): Promise<TinyPairs> {
  mkdirSync(folder, { recursive: true });
  const samples = Array.from({ length: 2 * subjectCount }, (_, i) => {
    const subject = `patient ${Math.floor(i / 2)}`;
    const malignant = Math.floor(i / 2) % 2 === 1;
    const random = new Random(seed, 'tiny', i);
    const shift = random.normal(malignant ? 25 : 0, 25);
    const draw = (channels: number) =>
      Uint8Array.from({ length: SIDE * SIDE * channels }, (_, at) => {
        const pixel = Math.floor(at / channels);
        const middle = Math.hypot((pixel % SIDE) - 16, Math.floor(pixel / SIDE) - 16) < 8;
        return Math.round(Math.min(255, Math.max(0, 90 + (middle ? shift : 0) + random.normal(0, 20))));
      });
    return { id: `x${i}`, subject, label: malignant ? 'malignant' : 'benign', a: draw(1), b: draw(3) };
  });
  for (const { id, a, b } of samples) {
    for (const [name, data, channels] of [
      ['a', a, 1],
      ['b', b, 3],
    ] as const) {
      const raw = { width: SIDE, height: SIDE, channels };
      await sharp(data, { raw })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .png()
        .toFile(join(folder, `${id}-${name}.png`));
    }
  }
  const pairs = {
    manifest: join(folder, 'pairs.csv'),
    ids: samples.map(({ id }) => id),
    subjects: samples.map(({ subject }) => subject),
    labels: samples.map(({ label }) => label),
    a: samples.map(({ a }) => a),
    b: samples.map(({ b }) => b),
  };
  writeManifest(pairs.manifest, pairs, pairs.labels);
  return pairs;
}

/** A manifest beside the images with other labels. */
export function writeManifest(
  file: string,
  { ids, subjects }: Pick<TinyPairs, 'ids' | 'subjects'>,
  labels: readonly string[],
): string {
  const lines = ids.map((id, i) => `${id},${subjects[i]},${id}-a.png,${id}-b.png,${labels[i]}`);
  writeFileSync(file, `${['id,subject,a,b,label', ...lines].join('\n')}\n`);
  return file;
}
