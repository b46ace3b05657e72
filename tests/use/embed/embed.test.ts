import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { ImageLoader } from '../../../src/data/loading/loader.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { loadWeights, openRun, untrainedEncoder } from '../../../src/evaluation/encoders/runEncoders.js';
import { FeatureStore } from '../../../src/evaluation/features/featureStore.js';
import { represent } from '../../../src/evaluation/features/representations.js';
import { readSafetensors } from '../../../src/export/safetensors.js';
import { MessageConsole } from '../../../src/log/console.js';
import { disposeModule } from '../../../src/nn/index.js';
import { openImages } from '../../../src/training/imageCache.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { type EmbedDataOptions, embedData } from '../../../src/use/embed/embed.js';
import { shortest } from '../../../src/use/embed/textFiles.js';
import { tinyPairs } from '../../evaluation/tinyPairs.js';

/** More than one batch of 64, so that chunks and batches fall apart where images are missing. */
const SUBJECTS = 36;
const SAMPLES = 2 * SUBJECTS;
const lacksB = (index: number) => index % 5 === 3;

let folder: string;
let run: string;
let complete: string;
let gapped: string;
const quiet = () => new MessageConsole({ quiet: true });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'embed-'));
  ({ manifest: complete } = await tinyPairs(join(folder, 'images'), SUBJECTS));
  const [header, ...lines] = readFileSync(complete, 'utf8').trim().split('\n');
  const without = (line: string) => line.replace(/[^,]+-b\.png/, '');
  gapped = join(folder, 'images', 'gapped.csv');
  writeFileSync(
    gapped,
    [header, ...lines.map((line, i) => (lacksB(i) ? without(line) : line)), ''].join('\n'),
  );
  run = join(folder, 'run');
  const config = resolveConfig({
    set: [
      ...['data.size=32', 'model.width=0.25', 'method.patches=[2,2]', 'method.maps=[1,2,3]'],
      ...['training.batchSize=12', 'training.steps=2', 'training.precision=fp32'],
    ],
    flags: { 'data.path': complete, 'data.cacheFolder': join(folder, 'cache') },
  });
  await pretrain(config, { out: run, console: quiet() });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, options: Partial<EmbedDataOptions> = {}) {
  const out = join(folder, name);
  const cacheFolder = join(folder, 'cache');
  return embedData({ run, data: { path: gapped }, out, cacheFolder, overwrite: true, ...options });
}

/** Reads an array as numpy.lib.format says: the magic, two bytes of version, the length of the header, the header. */
function readNpy(path: string): { shape: number[]; values: Float32Array } {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const shape = /'shape': \(([\d, ]+)\)/.exec(bytes.toString('latin1', 10, start))![1]!;
  return {
    shape: shape.split(',').map(Number),
    values: new Float32Array(new Uint8Array(bytes.subarray(start)).buffer),
  };
}

/** What `evaluate` computes of the same samples. */
async function judged(path: string, sets: readonly (readonly string[])[]) {
  const { encoders } = openRun(run, () => {});
  const { config } = encoders[0]!;
  const dataset = await openDataset({ path }, {});
  const cache = await openImages(dataset, config, join(folder, 'cache'), quiet());
  const loader = new ImageLoader(cache);
  const network = untrainedEncoder(config, 'cpu');
  loadWeights(encoders[0]!, network, 'a');
  const found = await represent({
    ...{ encoderFor: () => ({ name: 'run', ready: async () => network }) },
    ...{ loader, cache, modalities: ['a', 'b'], sets, store: new FeatureStore(path, join(folder, 'cache')) },
    ...{ kinds: ['pooled', 'head', 'maps'], indices: dataset.samples.map((_, index) => index) },
    ...{ size: 32, normalization: 'none', precision: 'fp32', device: 'cpu' },
  });
  disposeModule(network);
  loader.dispose();
  return found;
}

test('the features are those that evaluate reads, to the bit, also where images are missing', async () => {
  for (const [name, path] of Object.entries({ complete, gapped })) {
    const expected = await judged(path, [['a'], ['a', 'b'], ['any']]);
    for (const features of ['pooled', 'head', 'maps']) {
      for (const images of ['a', 'a+b', 'any']) {
        const { columns } = await written('f.npy', { data: { path }, features, images });
        const { shape, values } = readNpy(join(folder, 'f.npy'));
        const { data } = expected.get(`${features}/${images}`)!;
        expect(shape).toEqual([SAMPLES, columns]);
        expect(
          Buffer.from(values.buffer).equals(Buffer.from(data.buffer)),
          `${name} ${features} ${images}`,
        ).toBe(true);
      }
    }
  }
});

test('the ids of an array stand in a CSV file beside it, as they are', async () => {
  const { files, incomplete } = await written('f.npy');
  expect(files).toEqual([join(folder, 'f.npy'), join(folder, 'f.rows.csv')]);
  const rows = parse(readFileSync(files[1]!, 'utf8'), { columns: true }) as Record<string, string>[];
  expect(rows).toHaveLength(SAMPLES);
  expect(rows[3]).toEqual({ id: 'x3', subject: 'patient 1', label: 'malignant' });
  expect(incomplete).toBe(Array.from({ length: SAMPLES }, (_, i) => i).filter(lacksB).length);
});

test('folders that are not there are made', async () => {
  const { files } = await written('new/folder/f.csv', { images: 'a' });
  expect(existsSync(files[0]!)).toBe(true);
});

test('the header of an array is the one that NumPy writes', async () => {
  await written('f.npy', { features: 'map4', patches: '1x2', images: 'a' });
  // numpy.save of zeros((72, 128, 1, 2), '<f4'), up to its numbers; NumPy 1.24.
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (72, 128, 1, 2), }`;
  const expected = Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'),
    Buffer.from(`${header.padEnd(117)}\n`, 'latin1'),
  ]);
  expect(readFileSync(join(folder, 'f.npy')).subarray(0, 128)).toEqual(expected);
});

describe('every form holds the same numbers', () => {
  let values: Float32Array;
  let columns: number;

  beforeAll(async () => {
    ({ columns } = await written('f.npy'));
    ({ values } = readNpy(join(folder, 'f.npy')));
  });

  const row = (index: number) => [...values.subarray(index * columns, (index + 1) * columns)];
  const filled = (numbers: readonly (number | null)[]) => numbers.map((value) => value ?? Number.NaN);

  test('CSV, with empty cells where an image is missing', async () => {
    await written('f.csv');
    const rows = parse(readFileSync(join(folder, 'f.csv'), 'utf8'), { columns: true }) as Record<
      string,
      string
    >[];
    expect(Object.keys(rows[0]!).slice(0, 4)).toEqual(['id', 'subject', 'label', 'a.0']);
    for (const [index, cells] of rows.entries()) {
      const numbers = Object.values(cells).slice(3);
      expect(numbers.map((cell) => (cell === '' ? Number.NaN : Math.fround(Number(cell))))).toEqual(
        row(index),
      );
      expect(cells.id).toBe(`x${index}`);
    }
  });

  test('Parquet, with nulls where an image is missing', async () => {
    await written('f.parquet');
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, 'f.parquet')) });
    expect(rows).toHaveLength(SAMPLES);
    for (const [index, cells] of rows.entries()) {
      expect(filled(Object.values(cells).slice(3))).toEqual(row(index));
      expect(cells.subject).toBe(`patient ${Math.floor(index / 2)}`);
    }
    expect(rows[3]!['b.0']).toBeNull();
  });

  test('safetensors, with ids and the run’s facts in the metadata', async () => {
    await written('f.safetensors');
    const { tensors, metadata } = readSafetensors(join(folder, 'f.safetensors'));
    const { shape, data } = tensors.get('features')!;
    expect(shape).toEqual([SAMPLES, columns]);
    expect(Buffer.from(data).equals(Buffer.from(values.buffer))).toBe(true);
    expect(JSON.parse(metadata.ids!)[71]).toBe('x71');
    expect(JSON.parse(metadata.parts!)).toEqual(['a', 'b']);
    expect(metadata).toMatchObject({ features: 'pooled', images: 'a+b', size: '32', precision: 'fp32' });
  });

  test('the projector’s tables, without the samples that lack an image', async () => {
    await written('projector', { format: 'projector' });
    const lines = (name: string) =>
      readFileSync(join(folder, 'projector', name), 'utf8')
        .trim()
        .split('\n');
    const kept = Array.from({ length: SAMPLES }, (_, index) => index).filter((index) => !lacksB(index));
    expect(lines('metadata.tsv')).toHaveLength(kept.length + 1);
    const tensors = lines('tensors.tsv').map((line) =>
      line.split('\t').map((cell) => Math.fround(Number(cell))),
    );
    expect(tensors).toEqual(kept.map(row));
    expect(readFileSync(join(folder, 'projector', 'projector_config.pbtxt'), 'utf8')).toContain(
      'metadata.tsv',
    );
  });
});

test('the cells of a map are the averages of its pixels', async () => {
  const whole = await written('whole.npy', { features: 'map2', images: 'a' });
  const cells = await written('cells.npy', { features: 'map2', images: 'a', patches: '2x4' });
  const [channels, height, width] = whole.shape as [number, number, number];
  expect(whole.shape).toEqual([64, 8, 8]);
  expect(cells.shape).toEqual([64, 2, 4]);
  const pixels = readNpy(join(folder, 'whole.npy')).values;
  const averages = readNpy(join(folder, 'cells.npy')).values;
  for (const [sample, channel, row, column] of [
    [0, 0, 0, 0],
    [70, 63, 1, 3],
    [5, 17, 1, 0],
  ] as const) {
    let sum = 0;
    for (let y = 0; y < 4; y += 1)
      for (let x = 0; x < 2; x += 1)
        sum += pixels[((sample * channels + channel) * height + 4 * row + y) * width + 2 * column + x]!;
    const average = averages[((sample * channels + channel) * 2 + row) * 4 + column]!;
    // Eight single-precision terms are summed: one rounding each.
    expect(Math.abs(average - sum / 8)).toBeLessThanOrEqual(8 * 2 ** -24 * Math.abs(sum / 8) + 1e-12);
  }
});

test('a decimal number reads as the same single-precision value and is short', () => {
  for (const value of [0, 1, -0.5, 0.1, 16777216, 1e-45, 3.4028234663852886e38, 1 / 3, 123456.789]) {
    const single = Math.fround(value);
    expect(Math.fround(Number(shortest(single)))).toBe(single);
  }
  expect(shortest(Math.fround(0.1))).toBe('0.1');
  expect(shortest(Math.fround(1 / 3))).toBe('0.33333334');
});

describe('what does not fit is refused, and nothing is written', () => {
  const refused = async (name: string, options: Partial<EmbedDataOptions>, message: RegExp) => {
    const before = readdirSync(folder);
    await expect(written(name, { overwrite: false, ...options })).rejects.toThrow(message);
    expect(readdirSync(folder)).toEqual(before);
  };

  test('unknown words are answered with the nearest', async () => {
    await refused(
      'x.npy',
      { features: 'poled' },
      /--features is poled, expected one of .*; did you mean pooled\?/,
    );
    await refused('x.npy', { features: 'map7' }, /expected one of pooled, head, maps, map0, .*map4/);
    await refused('x.bin', { format: 'parket' }, /--format is parket, .*did you mean parquet\?/);
    await refused(
      'x.txt',
      {},
      /ends with \.txt, expected \.npy, \.csv, \.parquet, \.safetensors, or a folder/,
    );
    await refused('x.npy', { images: 'b+a' }, /--images has b\+a, expected one or more of a, b, a\+b, any/);
  });

  test('a grid needs a map', async () => {
    await refused('x.npy', { patches: '7x7' }, /--patches is 7x7, but --features pooled is one vector/);
    await refused(
      'x.npy',
      { features: 'map3', patches: '7' },
      /--patches is 7, expected rows x columns, such as 7x7/,
    );
  });

  test('a table of too many columns is refused', async () => {
    await refused(
      'x.csv',
      { features: 'map0' },
      /--format csv takes at most 16384 columns, the features have 32768; write \.npy/,
    );
  });

  test('a file that is there stays, unless it is to be replaced', async () => {
    const there = join(folder, 'there.csv');
    writeFileSync(there, 'mine');
    await expect(written('there.csv', { overwrite: false })).rejects.toThrow(
      /is there already; .*--overwrite/,
    );
    expect(readFileSync(there, 'utf8')).toBe('mine');
    await written('there.csv');
    expect(readFileSync(there, 'utf8')).toMatch(/^id,subject/);
  });

  test('images that cannot be read leave the old file', async () => {
    const broken = join(folder, 'images', 'broken.csv');
    writeFileSync(broken, 'id,subject,a,b\nx0,p,x0-a.png,missing.png\n');
    const old = join(folder, 'old.npy');
    await written('old.npy');
    const before = readFileSync(old);
    await expect(written('old.npy', { data: { path: broken } })).rejects.toThrow(/missing\.png/);
    expect(readFileSync(old)).toEqual(before);
  });

  test('a folder with a run for each fold names the runs', async () => {
    const folds = join(folder, 'folds');
    const config = resolveConfig({
      set: [
        'data.size=32',
        'model.width=0.25',
        'method=instdis',
        'training.batchSize=12',
        'training.steps=1',
      ],
      flags: { 'data.path': complete, 'data.cacheFolder': join(folder, 'cache') },
    });
    for (const fold of [0, 1]) await pretrain(config, { out: join(folds, `fold-${fold}`), console: quiet() });
    await expect(written('x.npy', { run: folds })).rejects.toThrow(
      /holds an encoder for each fold; name the run of one, such as --run .*fold-0/,
    );
    expect(existsSync(join(folder, 'x.npy'))).toBe(false);
  });
});
