import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { evaluate } from '../../../src/evaluation/evaluate.js';
import { predictProbabilities } from '../../../src/evaluation/probes/linearClassifier.js';
import { fitStandardizer, standardize } from '../../../src/evaluation/probes/standardize.js';
import { readSafetensors } from '../../../src/export/safetensors.js';
import { readState } from '../../../src/export/stateFile.js';
import { MessageConsole } from '../../../src/log/console.js';
import { featureRows } from '../../../src/metrics/features/features.js';
import { disposeModule, Linear, stateDict } from '../../../src/nn/index.js';
import { predictionPage } from '../../../src/report/cases/predictionPage.js';
import { Random, type Tensor } from '../../../src/tensor/index.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { embedData } from '../../../src/use/embed/embed.js';
import { type FitOptions, fitModel } from '../../../src/use/fit/fit.js';
import { onStandardised } from '../../../src/use/fit/fitFinetuned.js';
import { askProbe } from '../../../src/use/fit/fitProbe.js';
import { disposeModel, loadModel } from '../../../src/use/fit/modelFile.js';
import { distances, shareNearer } from '../../../src/use/fit/unusual.js';
import { type PredictOptions, predict } from '../../../src/use/predict/predict.js';
import { tinyPairs, writeManifest } from '../../evaluation/tinyPairs.js';
import { undisposedTensors } from '../../tensor/undisposed.js';

let folder: string;
let run: string;
/** The images that models are fitted on, and others of the same kind. */
let known: string;
let unseen: string;
const quiet = () => new MessageConsole({ quiet: true });
const file = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fit-'));
  ({ manifest: known } = await tinyPairs(file('known'), 20));
  ({ manifest: unseen } = await tinyPairs(file('unseen'), 15, 11));
  run = file('run');
  const config = resolveConfig({
    set: [
      ...['data.size=32', 'model.width=0.25', 'method.patches=[2,2]', 'method.maps=[1,2,3]'],
      ...['training.batchSize=20', 'training.steps=2', 'training.precision=fp32'],
    ],
    flags: { 'data.path': known, 'data.cacheFolder': file('cache') },
  });
  await pretrain(config, { out: run, console: quiet() });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fitted = (name: string, options: Partial<FitOptions> = {}) =>
  fitModel({ run, out: file(name), folds: 2, cacheFolder: file('cache'), overwrite: true, ...options });

const predicted = (model: string, options: Partial<PredictOptions> = {}) =>
  predict({
    ...{ model: file(model), data: { path: unseen }, out: file('predictions.csv') },
    ...{ cacheFolder: file('cache'), overwrite: true, ...options },
  });

const read = (name: string) =>
  parse(readFileSync(file(name), 'utf8'), { columns: true }) as Record<string, string>[];

test('its out-of-fold AUC is the one that evaluate logreg finds, as the probes are the same', async () => {
  const { outOfFold, data } = await fitted('m', { features: 'head', images: 'a+b' });
  const result = await evaluate({
    ...{ run, protocol: 'logreg', folds: 2, features: 'head', images: ['a+b'], replicates: 100 },
    ...{ untrained: false, cacheFolder: file('cache') },
  });
  const row = result.rows.find(({ key }) => key === 'run/head/a+b')!;
  expect(outOfFold.auc.value).toBe(row.metrics.auc!.pooled);
  expect(outOfFold.transductive).toBe('yes');
  expect(data).toEqual({
    name: 'pairs',
    samples: 40,
    subjects: 20,
    subjectsPerClass: [10, 10],
    perClass: [20, 20],
    incomplete: 0,
  });
});

test('a temperature lowers the out-of-fold log-loss, and the threshold is the rule’s', async () => {
  const model = await fitted('m', { threshold: 'sensitivity=0.9' });
  expect(model.outOfFold.logLoss.after).toBeLessThanOrEqual(model.outOfFold.logLoss.before);
  expect(model.threshold!.rule).toEqual({ kind: 'sensitivity', least: 0.9 });
  expect(model.threshold!.sensitivity).toBeGreaterThanOrEqual(0.9);
  expect((await fitted('m', { threshold: 'half' })).threshold!.value).toBe(0.5);
});

test('finetuned: its out-of-fold AUC is the one of evaluate finetune, and the file predicts as its networks did', async () => {
  const training = { preset: 'simclr', epochs: 2 };
  const model = await fitted('tuned', { finetune: true, training });
  const result = await evaluate({
    ...{ run, protocol: 'finetune', ...training, folds: 2, replicates: 100 },
    ...{ untrained: false, cacheFolder: file('cache') },
  });
  const row = result.rows.find(({ key }) => key === 'run/pooled/a+b')!;
  expect(model.outOfFold.auc.value).toBe(row.metrics.auc!.pooled);
  expect(model).toMatchObject({ finetuned: 'simclr', features: 'pooled' });
  expect(model.C).toBeUndefined();
  const { encoders, probe } = loadModel(file('tuned'));
  // The encoder was trained: its weights are not those of the run.
  const { state } = readState(join(run, 'encoder.safetensors'));
  const own = stateDict(encoders[0]!).get('features.0.weight')!;
  expect([...own.toArray()]).not.toEqual([...state.get('features.0.weight')!.toArray()]);
  for (const tensor of state.values()) tensor.dispose();
  disposeModel({ encoders });
  expect(probe.bias).toHaveLength(2);
  // On the images that it learned from it is better than chance after two epochs, by its own file alone.
  const found = await predicted('tuned', { data: { path: known } });
  expect(found.auc!.value).toBeGreaterThan(0.5);
});

describe('predict', () => {
  test('writes a line for each sample and each subject, from the file alone', async () => {
    const { threshold } = await fitted('m');
    const before = undisposedTensors();
    const found = await predicted('m');
    expect(undisposedTensors()).toBe(before);
    expect(found.files).toEqual([file('predictions.csv'), file('predictions.subjects.csv')]);
    const rows = read('predictions.csv');
    expect(rows).toHaveLength(30);
    for (const [i, row] of rows.entries()) {
      const p = Number(row['p(malignant)']);
      expect(p + Number(row['p(benign)'])).toBeCloseTo(1, 5);
      expect(row.called).toBe(p > threshold!.value ? 'malignant' : 'benign');
      expect(row).toMatchObject({ id: `x${i}`, images: 'a+b', note: '' });
      expect(row.use).toContain('research only');
    }
    const subjects = read('predictions.subjects.csv');
    expect(subjects).toHaveLength(15);
    const mean = (Number(rows[0]!['p(malignant)']) + Number(rows[1]!['p(malignant)'])) / 2;
    // The lines hold six places.
    expect(Number(subjects[0]!['p(malignant)'])).toBeCloseTo(mean, 5);
    expect(found.auc!.value).toBeGreaterThan(found.auc!.low);
  });

  test('the probabilities are those of the probe on the features that embed writes, with the temperature', async () => {
    const { temperature } = await fitted('m');
    expect(Math.abs(temperature - 1)).toBeGreaterThan(0.05);
    const { samples } = await predicted('m');
    const out = file('f.safetensors');
    await embedData({ run, data: { path: unseen }, out, overwrite: true, cacheFolder: file('cache') });
    const { shape, data } = readSafetensors(out).tensors.get('features')!;
    const model = loadModel(file('m'));
    const rows = featureRows(new Float32Array(data.buffer), shape[0]!, shape[1]!);
    const { probabilities } = askProbe(model.probe, rows, 2);
    disposeModel(model);
    for (const [i, sample] of samples.entries()) {
      const logit = Math.log(probabilities[2 * i + 1]! / probabilities[2 * i]!);
      expect(sample.probabilities![1]).toBeCloseTo(1 / (1 + Math.exp(-logit / temperature)), 12);
    }
  });

  test('the same data gives the same probabilities, whatever else is in it', async () => {
    await fitted('m');
    await predicted('m');
    const all = read('predictions.csv').map((row) => row['p(malignant)']);
    const some = file('unseen/some.csv');
    const lines = readFileSync(unseen, 'utf8').trim().split('\n');
    writeFileSync(some, `${[lines[0], ...lines.slice(11)].join('\n')}\n`);
    await predicted('m', { data: { path: some }, out: file('some.csv') });
    // Sums over a batch of another size may be rounded otherwise, which six places do not show.
    expect(read('some.csv').map((row) => row['p(malignant)'])).toEqual(all.slice(10));
  });

  test('samples that lack an image have no probability, unless the model takes any', async () => {
    const gapped = file('unseen/gapped.csv');
    const lines = readFileSync(unseen, 'utf8').trim().split('\n');
    lines[3] = lines[3]!.replace(/[^,]+-b\.png/, '');
    writeFileSync(gapped, `${lines.join('\n')}\n`);
    await fitted('m');
    await predicted('m', { data: { path: gapped } });
    expect(read('predictions.csv')[2]).toMatchObject({ 'p(malignant)': '', called: '', note: 'lacks b' });
    await fitted('any', { images: 'any' });
    await predicted('any', { data: { path: gapped } });
    const [, , row] = read('predictions.csv');
    expect(row).toMatchObject({ images: 'a', note: '' });
    expect(Number(row!['p(malignant)'])).toBeGreaterThan(0);
  });

  test('images of another kind are unusual, those of the same kind are not', async () => {
    await fitted('m');
    const { samples } = await predicted('m');
    expect(samples.filter(({ unusual }) => unusual).length).toBeLessThan(8);
    const raw = { width: 32, height: 32, channels: 3 as const };
    const stripes = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (Math.floor(i / 12) % 2) * 255);
    await sharp(stripes, { raw }).png().toFile(file('unseen/stripes.png'));
    const strange = file('unseen/strange.csv');
    writeFileSync(strange, 'id,a,b\ns,stripes.png,stripes.png\n');
    const found = await predicted('m', { data: { path: strange } });
    expect(found.samples[0]).toMatchObject({ unusual: true, distance: 1 });
    expect(found.subjects).toEqual([]);
    expect(found.auc).toBeUndefined();
  });

  test('the page shows the least and the most certain, and images of patients only when asked', async () => {
    await fitted('m');
    const found = await predicted('m');
    const content = {
      ...{ dataset: found.dataset, samples: found.samples, classes: found.description.classes },
      ...{ threshold: found.description.threshold!.value, use: found.description.use },
    };
    const hidden = await predictionPage({ ...content, withImages: false });
    expect(hidden).not.toContain('<img');
    expect(hidden).toContain('Images are not shown');
    const shown = await predictionPage({ ...content, withImages: true });
    expect(shown).toContain('<img alt="a of x');
    const logit = (p: number) => Math.log(p / (1 - p));
    const from = ({ probabilities }: (typeof found.samples)[number]) =>
      Math.abs(logit(probabilities![1]!) - logit(content.threshold));
    const order = [...found.samples].sort((one, other) => from(one) - from(other));
    const ids = [...shown.matchAll(/<li><b>(x\d+)<\/b>/g)].map(([, id]) => id);
    expect(ids[0]).toBe(order[0]!.sample.id);
    expect(ids[12]).toBe(order.at(-1)!.sample.id);
    expect(shown).toContain('For research only');
  });
});

test('three classes: the most probable one is called, and there is no threshold', async () => {
  const pairs = await tinyPairs(file('three'), 18);
  const labels = pairs.labels.map((_, i) => ['mass', 'cyst', 'scar'][Math.floor(i / 2) % 3]!);
  const path = writeManifest(file('three/three.csv'), pairs, labels);
  await expect(fitted('t', { data: { path }, threshold: 'half' })).rejects.toThrow(
    /--threshold is half, but there are 3 classes/,
  );
  const model = await fitted('t', { data: { path } });
  expect(model.threshold).toBeUndefined();
  const { samples } = await predicted('t', { data: { path } });
  for (const { probabilities, called } of samples) {
    expect(called).toBe(model.classes[probabilities!.indexOf(Math.max(...probabilities!))]);
  }
});

test('the distance is that to the fifth nearest, per column', () => {
  const reference = featureRows(Float64Array.from([0, 0, 3, 4, 0, 1, 1, 0, 6, 8, 0, 2]), 6, 2);
  // From (0, 0) the others are 0, 5, 1, 1, 10 and 2 away.
  const [far] = distances(featureRows(Float64Array.of(0, 0), 1, 2), reference);
  expect(far).toBeCloseTo(5 / Math.SQRT2, 14);
  expect(shareNearer(0.5, Float64Array.of(0.1, 0.2, 0.5, 0.9))).toBe(0.5);
});

test('a layer on features is the same layer on standardised ones, also where a column is constant', () => {
  const random = new Random('standardised');
  const values = Float32Array.from({ length: 6 * 3 }, (_, i) => (i % 3 === 1 ? 4 : random.normal(2, 3)));
  const features = featureRows(values, 6, 3);
  const layer = new Linear(3, 2, random);
  const doubles = (x: Tensor) => Float64Array.from(x.toArray() as Float32Array);
  const { weight, bias } = layer.parameters;
  const plain = { classes: 2, weights: doubles(weight), bias: doubles(bias) };
  const standardizer = fitStandardizer(features);
  const moved = { classes: 2, ...onStandardised(layer, standardizer) };
  disposeModule(layer);
  const found = predictProbabilities(moved, standardize(features, standardizer));
  for (const [i, p] of predictProbabilities(plain, features).entries()) expect(found[i]).toBeCloseTo(p, 12);
});

describe('what does not fit is refused, and nothing is written', () => {
  test('words that are not known', async () => {
    await expect(fitted('x', { threshold: 'best' })).rejects.toThrow(
      /--threshold is best, expected youden, half/,
    );
    await expect(fitted('x', { threshold: 'sensitivity=90' })).rejects.toThrow(/a share from 0 to 1/);
    await expect(fitted('x', { features: 'map' })).rejects.toThrow(
      /--features is map, .*did you mean maps\?/,
    );
    await expect(fitted('x', { finetune: true, training: { preset: 'hue' } })).rejects.toThrow(
      /--preset is hue, .*did you mean hu\?/,
    );
    await expect(fitted('x', { images: 'c' })).rejects.toThrow(/--images has c/);
    expect(existsSync(file('x'))).toBe(false);
  });

  test('a model that is there stays', async () => {
    writeFileSync(file('there'), 'mine');
    await expect(fitted('there', { overwrite: false })).rejects.toThrow(/is there already/);
    expect(readFileSync(file('there'), 'utf8')).toBe('mine');
  });

  test('data without labels, and data without a modality of the model', async () => {
    const bare = file('unseen/bare.csv');
    writeFileSync(bare, 'id,a\nx0,x0-a.png\n');
    const data = { path: bare, columns: { b: null } };
    await expect(fitted('x', { data })).rejects.toThrow(/no sample has a label/);
    await fitted('m');
    await expect(predicted('m', { data, out: file('x.csv') })).rejects.toThrow(
      /has the modalities a, but .* was fitted on a, b; name them as there/,
    );
    await expect(predicted('m', { data: {} })).rejects.toThrow(/name them with --data/);
    expect(existsSync(file('x.csv'))).toBe(false);
  });

  test('a file that is no model, and one that was damaged', async () => {
    expect(() => loadModel(join(run, 'encoder.safetensors'))).toThrow(/is no model of anatomy fit/);
    await fitted('m');
    const bytes = readFileSync(file('m'));
    bytes[bytes.length - 7]! ^= 1;
    writeFileSync(file('damaged'), bytes);
    expect(() => loadModel(file('damaged'))).toThrow(/is damaged/);
    disposeModel(loadModel(file('m')));
  });
});
