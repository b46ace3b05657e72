import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openImageCache } from '../../src/data/loading/imageCache.js';
import { ImageLoader } from '../../src/data/loading/loader.js';
import { openDataset } from '../../src/data/openDataset.js';
import { UsageError } from '../../src/errors.js';
import { loadWeights, openRun, untrainedEncoder } from '../../src/evaluation/encoders/runEncoders.js';
import { disposeModule } from '../../src/nn/index.js';
import { embed } from '../../src/training/embed.js';
import { pretrain } from '../../src/training/pretrain.js';
import { encoderPath, runPaths } from '../../src/training/runFolder.js';
import { exportRunOnnx, type OnnxExportOptions } from '../../src/use/exportRunOnnx.js';
import { packageVersion } from '../../src/version.js';
import { open, run } from '../export/onnx/differences.js';
import { undisposedTensors } from '../tensor/undisposed.js';
import { listener, methodConfig, TINY, withOneThread, writePairs } from '../training/tiny.js';

withOneThread();

let folder: string;
const at = (name: string) => join(folder, name);

async function train(name: string, ...set: string[]): Promise<void> {
  const config = methodConfig(
    ...set,
    `data.path=${at('data')}/manifest.csv`,
    `data.cacheFolder=${at('cache')}`,
    'training.batchSize=6',
    'training.steps=1',
    'monitor.pairs=4',
  );
  await pretrain(config, { out: at(name), console: listener().console });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'export-onnx-'));
  await writePairs(at('data'), { pairs: 12 });
  await train('paper', ...TINY.filter((one) => one.startsWith('method.')), 'data.normalize=imagenet');
  await train('branches', 'method=anatomy', 'method.maps=[2]', 'method.patches=[2,2]', 'model.branches=2');
  await train('cmc', 'method=cmc');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
async function exported(name: string, options: Partial<OnnxExportOptions> = {}) {
  const told = listener();
  count += 1;
  const out = at(`exported-${count}.onnx`);
  const before = undisposedTensors();
  const written = await exportRunOnnx({ run: at(name), out, console: told.console, ...options });
  expect(undisposedTensors()).toBe(before);
  return { ...written, told: told.text() };
}

/** The features that evaluation reads, of all images of a modality in f32. */
async function evaluated(name: string, modality: string) {
  const { config, ...encoder } = openRun(at(name), () => {}).encoders[0]!;
  const network = untrainedEncoder(config, 'cpu');
  loadWeights({ config, ...encoder }, network, modality);
  const dataset = await openDataset({ path: at('data/manifest.csv') });
  const cache = await openImageCache(dataset, { size: 2 * config.data.size, root: at('cache') });
  const loader = new ImageLoader(cache, 'cpu');
  const own = {
    encoder: network,
    loader,
    modality,
    indices: dataset.samples.map((_, i) => i),
    size: config.data.size,
    normalization: config.data.normalize,
    precision: 'fp32',
    device: 'cpu',
  } as const;
  const embeddings = await embed(own, ['features', 'embedding']);
  loader.dispose();
  disposeModule(network);
  return embeddings;
}

function largestShare(found: readonly number[], expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...found.map((value, i) => Math.abs(value - expected[i]!))) / largest;
}

describe('an exported run, on its own image files, gives what evaluation reads', () => {
  test.each([
    ['paper', 'a', {}],
    ['paper', 'b', {}],
    ['branches', 'b', {}],
    ['cmc', 'a', { modality: 'a' }],
    ['cmc', 'b', { modality: 'b' }],
  ] as const)('%s, modality %s', async (name, modality, options) => {
    const { file } = await exported(name, { ...options, preprocess: true });
    const session = await open(readFileSync(file));
    const found = { features: [] as number[], embedding: [] as number[] };
    for (let i = 0; i < 12; i += 1) {
      const { data, info } = await sharp(at(`data/images/${modality}${i}.png`))
        .raw()
        .toBuffer({ resolveWithObject: true });
      const shape = [info.height, info.width, info.channels];
      const outputs = await run(session, new Uint8Array(data), shape);
      found.features.push(...outputs.features!.data);
      found.embedding.push(...outputs.embedding!.data);
    }
    const expected = await evaluated(name, modality);
    // As without preprocessing: at 40 pixels nothing is resized before the rounding to 8 bits.
    expect(largestShare(found.features, expected.features)).toBeLessThan(2e-6);
    expect(largestShare(found.embedding, expected.embedding)).toBeLessThan(2e-6);
    await session.release();
  });

  test('the two encoders of CMC are not the same', async () => {
    const [a, b] = [await exported('cmc', { modality: 'a' }), await exported('cmc', { modality: 'b' })];
    expect(readFileSync(a.file).equals(readFileSync(b.file))).toBe(false);
    expect([a.metadata.modality, b.metadata.modality]).toEqual(['a', 'b']);
  });
});

test('the file is checked in onnxruntime on noise and on simulated images, with each of its outputs', async () => {
  for (const preprocess of [false, true]) {
    const { check } = await exported('paper', { preprocess });
    expect(check!.map(({ output }) => output)).toEqual([
      ...['features', 'embedding', 'map0', 'map1', 'map2', 'map3', 'map4'],
    ]);
    for (const { largest, scale } of check!) {
      expect(scale).toBeGreaterThan(0);
      // Halves that are rounded to the other side change a pixel by 1 of 255.
      expect(largest / scale).toBeLessThan(preprocess ? 2e-2 : 2e-6);
    }
  }
});

test('the metadata suffices to feed the model, is in the file, and names no place', async () => {
  const { file, bytes, metadata } = await exported('paper');
  const content = readFileSync(file);
  expect(bytes).toBe(content.length);
  const stored = onnx.ModelProto.decode(content).metadataProps;
  expect(Object.fromEntries(stored.map(({ key, value }) => [key, value]))).toEqual(metadata);
  expect(metadata).toMatchObject({
    program: `anatomy-ssl ${packageVersion()}`,
    recipe: 'paper-us-swe',
    method: 'anatomy',
    backbone: 'vgg16_bn',
    width: '0.25',
    branches: '1',
    size: '32',
    cacheSize: '64',
    normalize: 'imagenet',
    preprocess: '{}',
    input:
      'images: float32 [batch, 3, 32, 32] in 0..1, gray repeated three times. The normalisation is inside the model. ' +
      'The crop and the intensities under "preprocess" are not inside the model.',
  });
  expect(metadata.resize).toContain('side min(64, height, width)');
  expect(metadata.dataHash).toMatch(/^[0-9a-f]{16,}/);
  expect(metadata.step).toBeUndefined();
  expect(content.includes(folder)).toBe(false);
  expect(content.includes('patient-')).toBe(false);
  const whole = await exported('paper', { preprocess: true });
  expect(whole.metadata.input).toContain('image: uint8 [height, width, channels]');
});

describe('a run that is not finished', () => {
  test('gives its last checkpoint, with a warning', async () => {
    cpSync(at('paper'), at('unfinished'), { recursive: true });
    rmSync(runPaths(at('unfinished')).encoder);
    const { told, metadata, file } = await exported('unfinished');
    expect(told).toContain(`${at('unfinished')}: is not finished; its checkpoint of step 1 is exported`);
    expect(metadata.step).toBe('1');
    const whole = await exported('paper');
    const weights = (path: string) =>
      onnx.ModelProto.decode(readFileSync(path)).graph!.initializer!.map(({ rawData }) =>
        Buffer.from(rawData!).toString('base64'),
      );
    expect(weights(file)).toEqual(weights(whole.file));
  });

  test('and has no checkpoint yet is refused', async () => {
    mkdirSync(at('begun'));
    cpSync(runPaths(at('paper')).config, runPaths(at('begun')).config);
    await refused('begun', {}, /has neither encoder\.safetensors nor a checkpoint yet/);
  });
});

async function refused(name: string, options: Partial<OnnxExportOptions>, message: RegExp): Promise<void> {
  const out = options.out ?? at('refused.onnx');
  const was = existsSync(out) && readFileSync(out);
  const { console } = listener();
  const exporting = exportRunOnnx({ run: at(name), out, console, ...options });
  await expect(exporting).rejects.toThrow(UsageError);
  await expect(exporting).rejects.toThrow(message);
  expect(existsSync(out) && readFileSync(out)).toEqual(was);
}

describe('refused, and nothing is written', () => {
  test('no run', () => refused('nowhere', {}, /nowhere: no run here/));

  test('a file that is there, unless it may be replaced', async () => {
    const out = at('there.onnx');
    writeFileSync(out, 'mine');
    await refused(
      'paper',
      { out },
      /there\.onnx: it is there already; choose another, or replace it with --overwrite/,
    );
    await exported('paper', { out, overwrite: true });
    expect(readFileSync(out).length).toBeGreaterThan(1e6);
  });

  test('a place that cannot be written to', () =>
    refused('paper', { out: at('data/manifest.csv/x.onnx') }, /--out .*manifest\.csv is a file/));

  test('folds, with the name of one', async () => {
    mkdirSync(at('folds'));
    cpSync(at('paper'), at('folds/fold-0'), { recursive: true });
    await refused(
      'folds',
      {},
      /holds an encoder for each fold; name the run of one, such as --run .*folds\/fold-0$/,
    );
  });

  test('no modality where each has an encoder, and one that the run does not have', async () => {
    await refused('cmc', {}, /name one with --modality: a, b$/);
    await refused('cmc', { modality: 'c' }, /--modality c: the run has no such modality; it has a, b$/);
    await refused('paper', { modality: 'c' }, /--modality c: the run has no such modality; it has a, b$/);
  });

  test('also where the data of the run are away', async () => {
    cpSync(at('cmc'), at('moved/away/cmc'), { recursive: true });
    await refused('moved/away/cmc', {}, /name one with --modality: a, b$/);
    expect(existsSync(encoderPath(at('moved/away/cmc'), 'b'))).toBe(true);
  });
});
