import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { ImageLoader } from '../../../src/data/loading/loader.js';
import { openJudgedData } from '../../../src/evaluation/encoders/judgedData.js';
import { openRun } from '../../../src/evaluation/encoders/runEncoders.js';
import { rowNames } from '../../../src/evaluation/features/rowFeatures.js';
import { planFolds } from '../../../src/evaluation/folds/outerFolds.js';
import { labelledTask } from '../../../src/evaluation/folds/task.js';
import {
  batchFeatures,
  disposeGroups,
  openGroups,
  type Viewing,
} from '../../../src/evaluation/trained/encoderGroups.js';
import { LINEAR_PRESETS, type TrainingPreset } from '../../../src/evaluation/trained/presets.js';
import { trainedProbe } from '../../../src/evaluation/trained/trainedProbe.js';
import { type TrainedRowsOptions, trainRows } from '../../../src/evaluation/trained/trainedRows.js';
import { MessageConsole } from '../../../src/log/console.js';
import { noGrad, tidy } from '../../../src/tensor/index.js';
import { openImages } from '../../../src/training/imageCache.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { undisposedTensors } from '../../tensor/undisposed.js';
import { pictures, withOneThread } from '../../training/tiny.js';
import { tinyPairs } from '../tinyPairs.js';

let folder: string;
let sources: Omit<TrainedRowsOptions, 'probe'>;
const console = new MessageConsole({ quiet: true });

withOneThread();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trained-rows-'));
  const { manifest } = await tinyPairs(join(folder, 'images'), 8);
  const run = join(folder, 'run');
  const cacheFolder = join(folder, 'cache');
  const config = resolveConfig({
    set: ['data.size=32', 'model.width=0.25', 'training.precision=fp32', 'method.name=random'],
    flags: { 'data.path': manifest, 'data.cacheFolder': cacheFolder },
  });
  await pretrain(config, { out: run, console });
  const dataset = await openJudgedData({}, config, console);
  const task = labelledTask(dataset);
  const cache = await openImages(dataset, config, cacheFolder, console);
  const trace = {
    known: true,
    inRun: task.ids.map(() => true),
    namesake: [],
    keptOut: task.ids.map(() => undefined),
  };
  const plan = await planFolds(
    task,
    dataset,
    openRun(run, () => {}),
    trace,
    { folds: 2, seed: 0, labelFraction: 1, setAside: false },
  );
  const { modalities } = dataset;
  const roundsOn = () => plan.rounds;
  sources = { task, cache, plan, roundsOn, modalities, device: 'cpu', precision: 'fp32', seed: 0 };
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The probabilities after the last epoch of the first round. */
async function trained(change: Partial<TrainingPreset>): Promise<number[]> {
  const { preset, ...probe } = trainedProbe('linear', LINEAR_PRESETS, { preset: 'cmc', epochs: 1 });
  const names = rowNames(['pooled'], [['a', 'b']]);
  const options = { ...sources, probe: { ...probe, preset: { ...preset, ...change } } };
  return [...(await trainRows(names, options, console)).get('run/pooled/a+b')!.probabilities[0]!];
}

describe('a linear layer on a frozen encoder', () => {
  it('sees other images with a crop than without, and learns', async () => {
    const before = undisposedTensors();
    const cropped = await trained({});
    expect(undisposedTensors()).toBe(before);
    expect(await trained({})).toEqual(cropped);
    const whole = await trained({ crop: null });
    expect(whole).not.toEqual(cropped);
    expect(await trained({ crop: null, learningRate: 1e-12 })).not.toEqual(whole);
    expect(await trained({ crop: null, initialDeviation: null })).not.toEqual(whole);
  });
});

describe('the features of a batch', () => {
  it('come from one crop and flip for all modalities, which change every epoch', async () => {
    const loader = new ImageLoader(sources.cache);
    onTestFinished(() => loader.dispose());
    const crop = { scale: [0.2, 0.5], ratio: [1, 1] } as const;
    const augmentation = {
      crop,
      flip: 0.5,
      jitter: null,
      grayscale: 0,
      blur: null,
      geometry: 'shared',
    } as const;
    const viewing: Viewing = {
      loader,
      cache: sources.cache,
      device: 'cpu',
      precision: 'fp32',
      views: { size: 32, seed: 1, augmentation },
    };
    const used = ['a', 'b'];
    const groups = await openGroups({
      source: 'run',
      run: sources.plan.rounds[0]!.encoder,
      modalities: used,
      used,
      kinds: ['pooled'],
      calibrateOn: [],
      viewing,
    });
    onTestFinished(() => disposeGroups(groups));
    tidy(() => {
      // The picture is the same as A and as B, so any difference comes from what was done to it.
      const same = pictures(3, 1, 'same');
      const of = (epoch: number, augmented: boolean, modality: string) => {
        const batch = { images: { a: same, b: same }, ids: ['x', 'y', 'z'], rows: [0, 1, 2], epoch };
        const options = { used, kinds: ['pooled'] as const, augmented, training: false };
        return noGrad(() => [
          ...batchFeatures(groups, batch, viewing, options).get(`pooled/${modality}`)!.toArray(),
        ]);
      };
      expect(of(0, true, 'a')).toEqual(of(0, true, 'b'));
      expect(of(0, true, 'a')).not.toEqual(of(1, true, 'a'));
      expect(of(0, true, 'a')).not.toEqual(of(0, false, 'a'));
      expect(of(0, false, 'a')).toEqual(of(1, false, 'b'));
    });
  });
});
