import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from '../../src/export/safetensors.js';
import { MessageConsole } from '../../src/log/console.js';
import { disposeModule, type Encoder } from '../../src/nn/index.js';
import { noGrad, tensor, tidy } from '../../src/tensor/index.js';
import { readEncoderDescription } from '../../src/training/encoderFile.js';
import { pretrain } from '../../src/training/pretrain.js';
import { encoderPath } from '../../src/training/runFolder.js';
import { exportSafetensors, exportTorchvision } from '../../src/use/exportWeights.js';
import { loadEncoder } from '../../src/use/loadEncoder.js';
import { tinyPairs } from '../evaluation/tinyPairs.js';

let folder: string;
/** Runs with one encoder for both modalities, two branches, and an encoder for each modality. */
let shared: string;
let branched: string;
let separate: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'export-'));
  const { manifest } = await tinyPairs(join(folder, 'images'), 6);
  const train = async (name: string, ...set: string[]) => {
    const out = join(folder, name);
    const common = ['data.size=32', 'model.width=0.25', 'training.batchSize=12', 'training.steps=1'];
    const config = resolveConfig({
      set: [...common, 'training.precision=fp32', ...set],
      flags: { 'data.path': manifest, 'data.cacheFolder': join(folder, 'cache') },
    });
    await pretrain(config, { out, console: new MessageConsole({ quiet: true }) });
    return out;
  };
  shared = await train('shared', 'method=instdis');
  separate = await train('separate', 'method=cmc');
  branched = await train('branched', 'recipe=recommended', 'model.width=0.125', 'method.patches=[2,2]');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string) => join(folder, name);

function outputs(encoder: Encoder): number[] {
  return tidy(() => {
    const pixels = Float32Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => ((i * 37) % 101) / 100);
    const { features, embedding } = noGrad(() => encoder.forward(tensor(pixels, [2, 3, 32, 32])));
    return [...features.toArray(), ...embedding.toArray()].map(Number);
  });
}

function outputsOf(path: string): number[] {
  const { encoder } = loadEncoder(path);
  try {
    return outputs(encoder);
  } finally {
    disposeModule(encoder);
  }
}

describe('the file of a run', () => {
  test('says all that it takes to build and to feed the encoder', () => {
    const description = readEncoderDescription(join(branched, 'encoder.safetensors'));
    expect(description).toMatchObject({
      model: { backbone: 'vgg16_bn', width: 0.125, branches: 2, headInput: 'pool', embeddingSize: 500 },
      input: { size: 32, cacheSize: null, normalize: 'none', preprocess: {} },
      modalities: ['a', 'b'],
      method: 'anatomy',
      recipe: 'recommended',
    });
    const provenance = JSON.parse(readFileSync(join(branched, 'provenance.json'), 'utf8'));
    expect(description.dataHash).toBe(provenance.dataHash);
    expect(provenance.modalities).toEqual(['a', 'b']);
    expect(description.modality).toBeUndefined();
  });

  test('names the modality where each has an encoder of its own', () => {
    expect(readEncoderDescription(join(separate, 'encoder.safetensors')).modality).toBe('a');
    expect(readEncoderDescription(encoderPath(separate, 'b')).modality).toBe('b');
    expect(outputsOf(encoderPath(separate, 'b'))).not.toEqual(
      outputsOf(join(separate, 'encoder.safetensors')),
    );
  });
});

describe('export', () => {
  test('safetensors: the exported file loads to the same outputs, to the bit', async () => {
    for (const run of [shared, branched]) {
      const out = file('encoder-out.safetensors');
      const { tensors, description } = await exportSafetensors({ run, out, overwrite: true });
      const own = join(run, 'encoder.safetensors');
      expect([...readSafetensorsHeader(out).tensors]).toEqual([...readSafetensorsHeader(own).tensors]);
      expect(tensors).toBe(readSafetensorsHeader(own).tensors.size);
      expect(readEncoderDescription(out)).toEqual(description);
      expect(description).toEqual(readEncoderDescription(own));
      expect(outputsOf(out)).toEqual(outputsOf(own));
    }
  });

  test('a modality is named where each has an encoder of its own', async () => {
    const out = file('b.safetensors');
    await expect(exportSafetensors({ run: separate, out })).rejects.toThrow(
      /has an encoder of its own for some modalities; name one with --modality: a, b/,
    );
    await expect(exportSafetensors({ run: separate, out, modality: 'c' })).rejects.toThrow(
      '--modality c: the run has no such modality; it has a, b',
    );
    expect(existsSync(out)).toBe(false);
    await exportSafetensors({ run: separate, out, modality: 'b' });
    expect(outputsOf(out)).toEqual(outputsOf(encoderPath(separate, 'b')));
  });

  test('torchvision: the backbone’s names alone, of one branch where there are two', async () => {
    const out = file('torchvision.safetensors');
    // torchvision’s vgg16_bn has 13 convolutions with weight and bias, and 13 batch norms with five tensors.
    expect((await exportTorchvision({ run: shared, out })).tensors).toBe(13 * 2 + 13 * 5);
    const names = [...readSafetensorsHeader(out).tensors.keys()];
    expect(names.every((name) => name.startsWith('features.'))).toBe(true);
    await expect(exportTorchvision({ run: branched, out: file('x') })).rejects.toThrow(
      /has 2 backbones side by side, .*--branch 0 … 1/,
    );
    await expect(exportTorchvision({ run: branched, out: file('x'), branch: 2 })).rejects.toThrow(
      '--branch is 2, expected 0 … 1',
    );
    await exportTorchvision({ run: branched, out: file('second'), branch: 1 });
    const own = readSafetensors(join(branched, 'encoder.safetensors')).tensors;
    expect(readSafetensors(file('second')).tensors.get('features.0.weight')!.data).toEqual(
      own.get('branches.1.features.0.weight')!.data,
    );
  });

  test('a file that is there stays', async () => {
    const out = file('mine');
    writeFileSync(out, 'mine');
    await expect(exportSafetensors({ run: shared, out })).rejects.toThrow(/is there already; .*--overwrite/);
    expect(readFileSync(out, 'utf8')).toBe('mine');
  });
});

describe('loadEncoder', () => {
  test('a file that does not say what it is of names the command that writes one that does', () => {
    const { tensors } = readSafetensors(join(shared, 'encoder.safetensors'));
    const bare = file('bare.safetensors');
    writeSafetensors(bare, tensors, { format: 'pt' });
    expect(() => loadEncoder(bare)).toThrow(/does not say what encoder it is of.*anatomy export safetensors/);
  });

  test('a description that does not fit is refused with the key', () => {
    const { tensors, metadata } = readSafetensors(join(shared, 'encoder.safetensors'));
    const said = JSON.parse(metadata['anatomy-ssl']!);
    const other = file('other.safetensors');
    const write = (change: object, kept = tensors) =>
      writeSafetensors(other, kept, { 'anatomy-ssl': JSON.stringify({ ...said, ...change }) });
    write({ model: { ...said.model, width: 3.3 } });
    expect(() => loadEncoder(other)).toThrow(/cannot be read: model\.width/);
    write({ model: { ...said.model, width: 0.5 } });
    expect(() => loadEncoder(other)).toThrow(
      /features\.0\.weight has shape \[16,3,3,3\], expected \[32,3,3,3\]/,
    );
    write({}, new Map([...tensors].filter(([name]) => !name.startsWith('head.'))));
    expect(() => loadEncoder(other)).toThrow(/lacks head\.weight \(2 weights in all\)/);
    writeSafetensors(other, tensors, { 'anatomy-ssl': '{' });
    expect(() => loadEncoder(other)).toThrow(/what it says of its encoder cannot be read/);
  });
});
