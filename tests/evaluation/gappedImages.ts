import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolveConfig } from '../../src/config/index.js';
import { writePack } from '../../src/data/pack/packWrite.js';
import type { Dataset, GeneratedSource, Sample } from '../../src/data/sample.js';
import { MessageConsole } from '../../src/log/console.js';
import { Random } from '../../src/tensor/random.js';
import { pretrain } from '../../src/training/pretrain.js';

const SIDE = 32;

/** A gray 32² image, brighter in the middle by `shift`, with noise. The key decides the pixels. */
export function picture(key: string, shift: number): GeneratedSource {
  const render = () => {
    const random = new Random(3, 'gaps', key);
    const own = shift + random.normal(0, 25);
    const data = Uint8Array.from({ length: SIDE * SIDE }, (_, at) => {
      const middle = Math.hypot((at % SIDE) - 16, Math.floor(at / SIDE) - 16) < 8;
      return Math.round(Math.min(255, Math.max(0, 90 + (middle ? own : 0) + random.normal(0, 20))));
    });
    return { width: SIDE, height: SIDE, channels: 1 as const, data };
  };
  return { kind: 'generated', key: `gaps/${key}`, render };
}

/**
 * Two samples of each subject, every second subject malignant.
 * @param has tells which images sample i has
 */
export function gapped(
  modalities: readonly string[],
  subjects: number,
  has: (modality: string, i: number) => boolean,
): Dataset {
  const samples = Array.from({ length: 2 * subjects }, (_, i): Sample => {
    const subject = Math.floor(i / 2);
    const malignant = subject % 2 === 1;
    const own = modalities.filter((modality) => has(modality, i));
    return {
      id: `x${i}`,
      subject: `patient ${subject}`,
      label: malignant ? 'malignant' : 'benign',
      images: Object.fromEntries(
        own.map((modality) => [modality, picture(`${modality} ${i}`, malignant ? 30 : 0)]),
      ),
    };
  });
  return { name: 'gaps', modalities, samples, positive: 'malignant' };
}

/** Writes the data as a pack. @returns its path */
export async function packed(folder: string, name: string, dataset: Dataset): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.safetensors`);
  await writePack(dataset, file, { size: SIDE });
  return file;
}

/** A run with random weights: a VGG16-BN ¼ at 32². @param set further settings */
export async function randomRun(out: string, data: string, ...set: string[]): Promise<string> {
  const config = resolveConfig({
    set: ['data.size=32', 'model.width=0.25', 'training.precision=fp32', ...set],
    flags: { 'data.path': data, 'method.name': 'random', 'data.cacheFolder': `${out}-cache` },
  });
  await pretrain(config, { out, console: new MessageConsole({ quiet: true }) });
  return out;
}
