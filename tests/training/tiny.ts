import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type Config, resolveConfig } from '../../src/config/index.js';
import { presentAmong } from '../../src/data/presence.js';
import { MessageConsole } from '../../src/log/console.js';
import type { AnatomyOptions, Batch, Method } from '../../src/methods/index.js';
import {
  type Device,
  ops,
  Random,
  setThreads,
  type Tensor,
  tensor,
  threads,
} from '../../src/tensor/index.js';
import { buildMethod } from '../../src/training/build.js';
import { Capture } from '../log/capture.js';

/** The smallest network that does everything: VGG16-BN ¼ at 32², three of its maps. */
export const TINY = [
  'data.size=32',
  'model.width=0.25',
  'method.maps=[1,2,3]',
  'method.patches=[2,2]',
  'training.batchSize=8',
  'training.precision=fp32',
];

export function tinyConfig(...set: string[]): Config {
  return resolveConfig({ set: [...TINY, ...set] });
}

/** The same for any method: the first setting names it. */
export function methodConfig(...set: string[]): Config {
  return resolveConfig({ set: [...TINY.filter((setting) => !setting.startsWith('method.')), ...set] });
}

/** Several settings of every method that trains, named by them; the paper's at its three maps. */
export const METHODS: readonly (readonly [string, ...string[]])[] = [
  ['method=anatomy', 'method.maps=[1,2,3]', 'method.patches=[2,2]'],
  [
    'method=anatomy',
    'method.maps=[2]',
    'method.patches=[2,2]',
    'method.alpha=0',
    'method.distance=frobenius',
  ],
  [
    'method=anatomy',
    'method.maps=[2,3]',
    'method.patches=[2,2]',
    'method.consistencyWeight=0',
    'method.mask=subject',
    'method.crossModal=clean-and-augmented',
    'method.positive=twice',
  ],
  ['method=instdis'],
  ['method=instdis', 'method.images=b', 'method.loss=nce', 'method.mask=subject'],
  ['method=simclr'],
  ['method=simclr', 'method.views=4', 'method.mask=subject'],
  ['method=cmc'],
  ['method=cmc', 'method.loss=nce', 'method.negatives=5', 'method.mask=subject'],
  ['method=cmc', 'method.encoders=shared', 'method.candidates=batch', 'method.mask=subject'],
  ['method=densecl'],
  ['method=densecl', 'method.correspondence=grid', 'method.mask=none', 'method.queueSize=9'],
  ['method=supervised'],
  [
    'method=anatomy',
    'method.maps=[2]',
    'method.patches=[2,2]',
    'method.crossModal=predict',
    'method.prediction={hidden: 7, from: pooled}',
    'method.crossModalWeight=0.3',
    'method.crossModalFrom=0.9',
  ],
  ['method=instdis', 'method.mate=0.3', 'method.mask=subject'],
  [
    'method=anatomy',
    'method.maps=[2]',
    'method.patches=[2,2]',
    'model.branches=2',
    'model.embeddingSize=60',
    'method.common={decorrelation: 0.5}',
    'method.consistencyShare=0.1',
  ],
  [
    'method=anatomy',
    'method.maps=[2]',
    'method.patches=[2,2]',
    'method.consistencyWeight=0',
    'method.common={rest: bank}',
    'method.mask=subject',
  ],
  ['method=decur', 'method.projector=[24]'],
  [
    'method=decur',
    'method.projector=[24,16]',
    'method.common=0.5',
    'method.lambda=0.05',
    'method.pairsPerSample=1',
  ],
  [
    'method=anatomy',
    'method.maps=[2]',
    'method.patches=[2,2]',
    'method.crossModal=none',
    'method.consistencyWeight=0',
    'method.reconstruction={weight: 3, channels: 6}',
  ],
  [
    'method=anatomy',
    'method.maps=[2]',
    'method.patches=[2,2]',
    'method.alpha=0',
    'method.consistencyWeight=0',
    'method.reconstruction={}',
  ],
  [
    'method=anatomy',
    'method.maps=[2]',
    'method.patches=[3,2]',
    'method.alpha=0',
    'method.relation=transport',
    'method.transportSigma=2',
  ],
];

/** Whether a method has batch norm of its own, beside the encoder's. Micro-batches are then another step. */
export function hasOwnNorm(set: readonly string[]): boolean {
  return set.includes('method=decur') && set.some((setting) => /^method.projector=\[.+,/.test(setting));
}

/** Frees what a test has made when it ends. */
export function freed<T extends { dispose(): void }>(made: T): T {
  onTestFinished(() => made.dispose());
  return made;
}

/** A folder that is gone after the test. */
export function temporaryFolder(name = 'anatomy-training-'): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface PairsOptions {
  pairs?: number;
  /** Pairs of one subject. */
  perSubject?: number;
  /** Changes the pixels of chosen pairs. */
  salt?: (pair: number) => number;
}

/** PNG pairs of blobs, A gray and B in colour, with a manifest. @returns the manifest's path */
export async function writePairs(
  folder: string,
  { pairs = 24, perSubject = 2, salt = () => 0 }: PairsOptions = {},
): Promise<string> {
  const side = 40;
  mkdirSync(join(folder, 'images'), { recursive: true });
  const lines = ['id,subject,a,b,label'];
  const written = Array.from({ length: pairs }, async (_, pair) => {
    const random = new Random('tiny', pair, salt(pair));
    const [x, y, radius, tone] = [
      random.below(side),
      random.below(side),
      4 + random.below(12),
      random.below(200),
    ];
    const inside = (i: number) => ((i % side) - x) ** 2 + (Math.floor(i / side) - y) ** 2 < radius ** 2;
    const noise = () => random.below(40);
    const a = Uint8Array.from({ length: side * side }, (_, i) => (inside(i) ? 55 + tone : 0) + noise() * 0.9);
    const b = new Uint8Array(side * side * 3);
    for (let i = 0; i < side * side; i += 1)
      b.set(inside(i) ? [noise(), 200, tone] : [tone, noise(), 90], 3 * i);
    const raw = { width: side, height: side };
    await sharp(a, { raw: { ...raw, channels: 1 } })
      .png()
      .toFile(join(folder, 'images', `a${pair}.png`));
    await sharp(b, { raw: { ...raw, channels: 3 } })
      .png()
      .toFile(join(folder, 'images', `b${pair}.png`));
  });
  await Promise.all(written);
  for (let pair = 0; pair < pairs; pair += 1) {
    const subject = `patient-${Math.floor(pair / perSubject)}`;
    lines.push(`pair-${pair},${subject},images/a${pair}.png,images/b${pair}.png,${pair % 3 === 0 ? 1 : 0}`);
  }
  const manifest = join(folder, 'manifest.csv');
  writeFileSync(manifest, `${lines.join('\n')}\n`);
  return manifest;
}

/** Twelve pairs, two of each subject; every third is positive. */
const tinySamples = Array.from({ length: 12 }, (_, pair) => ({
  subject: `patient-${Math.floor(pair / 2)}`,
  label: pair % 3 === 0 ? '1' : '0',
  images: { a: 0, b: 0 },
}));

/** The settings of the paper's method in a config that has it. */
export function anatomySettings({ method }: Config): AnatomyOptions {
  if (method.name !== 'anatomy') throw new Error(`method is ${method.name}`);
  return method;
}

/** Three modalities of the twelve samples, with gaps: every second one lacks `c`, every fourth `b`, and one `a`. */
export const GAPPED = tinySamples.map((sample, i) => ({
  ...sample,
  images: { ...(i !== 6 && { a: 1 }), ...(i % 4 !== 3 && { b: 1 }), ...(i % 2 === 0 && { c: 1 }) } as Record<
    string,
    number
  >,
}));

/** The method of a config with its initial weights for the modalities that the samples have; freed after the test. */
export function methodOf(
  config: Config,
  modalities: readonly string[],
  samples = GAPPED,
  onWarning?: (message: string) => void,
): Method {
  const method = buildMethod(config, { modalities, samples }, 'cpu', onWarning);
  onTestFinished(() => method.dispose());
  return method;
}

/** Chosen samples with the images that they have, of the given modalities; freed after the test. */
export function gappedBatch(
  rows: readonly number[],
  modalities: readonly string[],
  { epoch = 0, samples = GAPPED } = {},
): Batch {
  const images = modalities.map((modality) => {
    const all = pictures(12, modality === 'b' ? 3 : 1, modality);
    const own = rows.filter((row) => samples[row]!.images[modality] !== undefined);
    const index = tensor(own, [own.length], { dtype: 'i64' });
    const some = freed(ops.indexSelect(all, 0, index));
    for (const one of [all, index]) one.dispose();
    return [modality, some] as const;
  });
  const present = presentAmong(
    rows.map((row) => samples[row]!),
    modalities,
  );
  return {
    images: Object.fromEntries(images),
    ids: rows.map((row) => `pair-${row}`),
    rows,
    epoch,
    ...(present && { present }),
  };
}

/** The method of a config with its initial weights; freed after the test. */
export function tinyMethod(
  config: Config = tinyConfig(),
  colourCoded: string[] = [],
  device: Device = 'cpu',
): Method {
  const method = buildMethod(config, { modalities: ['a', 'b'], colourCoded, samples: tinySamples }, device);
  onTestFinished(() => method.dispose());
  return method;
}

/** Pictures with some structure: [count, channels, 40, 40], the same for the same salt. */
export function pictures(count: number, channels: number, salt: string): Tensor {
  const side = 40;
  const data = new Uint8Array(count * channels * side * side);
  for (let image = 0; image < count; image += 1) {
    for (let channel = 0; channel < channels; channel += 1) {
      const random = new Random(salt, image, channel);
      const [across, down, phase] = [
        random.uniform(0.05, 0.6),
        random.uniform(0.05, 0.6),
        random.uniform(0, 6),
      ];
      for (let i = 0; i < side * side; i += 1) {
        const wave = Math.sin(across * (i % side) + down * Math.floor(i / side) + phase);
        data[((image * channels + channel) * side * side + i) | 0] = 127.5 + 120 * wave;
      }
    }
  }
  return tensor(data, [count, channels, side, side]);
}

/** A batch as the loader gives it. */
export function tinyBatch(count = 4, channels: [a: number, b: number] = [1, 1], epoch = 0): Batch {
  const ids = Array.from({ length: count }, (_, i) => `pair-${i}`);
  return {
    images: { a: pictures(count, channels[0], 'a'), b: pictures(count, channels[1], 'b') },
    ids,
    rows: ids.map((_, i) => i),
    epoch,
  };
}

/** Chosen pairs of the twelve, the same whatever else is in the batch; freed after the test. */
export function batchOf(
  rows: readonly number[],
  { epoch = 0, channels = [1, 1] as [number, number] } = {},
): Batch {
  const { images } = tinyBatch(12, channels);
  const chosen = Object.entries(images).map(([modality, all]) => {
    const index = tensor([...rows], [rows.length], { dtype: 'i64' });
    const some = freed(ops.indexSelect(all, 0, index));
    for (const tensor of [all, index]) tensor.dispose();
    return [modality, some] as const;
  });
  return { images: Object.fromEntries(chosen), ids: rows.map((row) => `pair-${row}`), rows, epoch };
}

/** A console that keeps what it is told. */
export function listener(): { console: MessageConsole; text: () => string } {
  const stream = new Capture(false);
  return { console: new MessageConsole({ stream, verbose: true, environment: {} }), text: () => stream.text };
}

export function numbers(x: Tensor): number[] {
  const values = x.toArray();
  // By index: spreading the weights of a network takes longer than training it for a step.
  const found = new Array<number>(values.length);
  for (let i = 0; i < values.length; i += 1) found[i] = Number(values[i]!);
  return found;
}

/** One thread for the tests of a file: small networks gain nothing by more, and beside other work they lose much. */
export function withOneThread(): void {
  let before = 1;
  beforeAll(() => {
    before = threads();
    setThreads(1);
  });
  afterAll(() => setThreads(before));
}
