import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/index.js';
import { type Fold, SET_ASIDE } from '../../src/data/fold.js';
import { resizeValues } from '../../src/data/images/resize.js';
import { openDataset } from '../../src/data/openDataset.js';
import { makeSplits, type Splits, saveSplits } from '../../src/data/splits/splits.js';
import { subjectKFold } from '../../src/data/splits/subjectKFold.js';
import { DataError, UsageError } from '../../src/errors.js';
import { type JudgedDataSpec, openJudgedData } from '../../src/evaluation/encoders/judgedData.js';
import { openRun } from '../../src/evaluation/encoders/runEncoders.js';
import { evaluate } from '../../src/evaluation/evaluate.js';
import { rowFeatures, rowNames } from '../../src/evaluation/features/rowFeatures.js';
import { untraced } from '../../src/evaluation/folds/imageTrace.js';
import { planFolds } from '../../src/evaluation/folds/outerFolds.js';
import { labelledTask } from '../../src/evaluation/folds/task.js';
import type { EvaluateOptions } from '../../src/evaluation/planEvaluation.js';
import { withoutConstantColumns } from '../../src/evaluation/probes/probe.js';
import { ridgeBaseline } from '../../src/evaluation/probes/ridge.js';
import type {
  Evaluation,
  EvaluationResult,
  MetricSummary,
} from '../../src/evaluation/results/evaluationResult.js';
import { formatEvaluation } from '../../src/evaluation/results/evaluationTable.js';
import { evaluationJson, evaluationName, saveEvaluation } from '../../src/evaluation/saveEvaluation.js';
import { MessageConsole } from '../../src/log/console.js';
import { rocAuc } from '../../src/metrics/areas/rocAuc.js';
import { featureRows, takeRows } from '../../src/metrics/features/features.js';
import { setThreads, threads } from '../../src/tensor/index.js';
import { openImages } from '../../src/training/imageCache.js';
import { pretrain } from '../../src/training/pretrain.js';
import { listener } from '../training/tiny.js';
import { SIDE, type TinyPairs, tinyPairs, writeManifest } from './tinyPairs.js';

const FOLDS = 2;
let folder: string;
let pairs: TinyPairs;
/** One run pretrained on everything, and one for each fold. */
let whole: string;
let inFolds: string;
let splits: string;
let threadsBefore: number;

const quiet = () => new MessageConsole({ quiet: true });

function judge(options: Partial<EvaluateOptions> & Pick<EvaluateOptions, 'run'>): Promise<Evaluation> {
  return evaluate({
    ...((options.protocol ?? 'knn') === 'knn' && { k: 5 }),
    protocol: 'knn',
    folds: FOLDS,
    features: 'pooled',
    replicates: 50,
    precision: 'fp32',
    cacheFolder: join(folder, 'cache'),
    ...options,
  });
}

async function train(out: string, flags: Record<string, unknown>): Promise<string> {
  const grids = 'method.name' in flags ? [] : ['method.patches=[2,2]', 'method.maps=[1,2,3]'];
  const config = resolveConfig({
    set: ['data.size=32', 'model.width=0.25', ...grids, 'training.precision=fp32'],
    flags: {
      'data.path': pairs.manifest,
      'data.cacheFolder': join(folder, 'cache'),
      'training.batchSize': 12,
      'training.steps': 2,
      ...flags,
    },
  });
  await pretrain(config, { out, console: quiet() });
  return out;
}

beforeAll(async () => {
  threadsBefore = threads();
  setThreads(1); // images this small gain nothing from more
  folder = mkdtempSync(join(tmpdir(), 'evaluate-'));
  pairs = await tinyPairs(join(folder, 'images'));
  splits = join(folder, 'splits.json');
  await saveSplits(
    makeSplits(await openDataset({ path: pairs.manifest }), { folds: FOLDS, seed: 4 }),
    splits,
  );
  whole = await train(join(folder, 'whole'), {});
  inFolds = await train(join(folder, 'in-folds'), { 'data.splits': splits, 'data.fold': 'all' });
});

afterAll(() => {
  setThreads(threadsBefore);
  rmSync(folder, { recursive: true, force: true });
});

function auc(result: EvaluationResult, key: string): number {
  return result.rows.find((row) => row.key === key)!.metrics.auc!.pooled!;
}

describe('folds', () => {
  it('keep every subject on one side, also inside the training samples', async () => {
    const dataset = await openDataset({ path: pairs.manifest });
    const task = labelledTask(dataset);
    const run = openRun(whole, () => {});
    const trace = {
      known: true,
      inRun: task.ids.map(() => true),
      namesake: [],
      keptOut: task.ids.map(() => undefined),
    };
    const { rounds } = await planFolds(task, dataset, run, trace, {
      folds: 4,
      seed: 1,
      labelFraction: 1,
      setAside: false,
    });
    expect(rounds.flatMap(({ test }) => test).sort((a, b) => a - b)).toEqual([...task.ids.keys()]);
    for (const { train: own, test, inner } of rounds) {
      const trained = new Set(own.map((i) => task.subjects[i]));
      expect(test.filter((i) => trained.has(task.subjects[i]))).toEqual([]);
      const innerOf = new Map<string, Set<number>>();
      for (const [row, i] of own.entries()) {
        const subject = task.subjects[i]!;
        innerOf.set(subject, (innerOf.get(subject) ?? new Set()).add(inner[row]!));
      }
      expect([...innerOf.values()].every((folds) => folds.size === 1)).toBe(true);
      expect(new Set(inner).size).toBe(5);
    }
  });

  it('of the run pair each encoder with the fold that it did not see', async () => {
    const result = await judge({ run: inFolds });
    expect(result.folds).toMatchObject({ source: 'run', k: FOLDS, judged: [0, 1] });
    expect(result.exposure).toMatchObject({ kind: 'in-fold', seenTestSamples: 0 });
    const { folds } = JSON.parse(readFileSync(splits, 'utf8')) as { folds: Record<string, number> };
    expect(result.predictions.folds).toEqual(pairs.ids.map((id) => folds[id]));

    const swapped = join(folder, 'swapped');
    cpSync(inFolds, swapped, { recursive: true });
    const weights = (fold: number) => join(swapped, `fold-${fold}`, 'encoder.safetensors');
    renameSync(weights(0), join(swapped, 'aside'));
    renameSync(weights(1), weights(0));
    renameSync(join(swapped, 'aside'), weights(1));
    const wrong = await judge({ run: swapped });
    const foldsOf = (from: Evaluation, key: string) =>
      from.predictions.ids.map((_, i) => from.predictions.probabilities[key]![2 * i + 1]!.toFixed(9));
    expect(foldsOf(wrong, 'run/pooled/a+b')).not.toEqual(foldsOf(result, 'run/pooled/a+b'));
    expect(foldsOf(wrong, 'untrained/pooled/a+b')).toEqual(foldsOf(result, 'untrained/pooled/a+b'));
  });

  it('without an encoder are left out with a note', async () => {
    const result = await judge({ run: join(inFolds, 'fold-1') });
    expect(result.folds.judged).toEqual([1]);
    expect(result.exposure.kind).toBe('in-fold');
    expect(result.notes.join()).toContain('Only fold 1 of 2 is judged');
    expect(formatEvaluation(result)).not.toContain('transductive');
  });

  it('of another number than the run’s are refused', async () => {
    await expect(judge({ run: inFolds, folds: 4 })).rejects.toThrow(UsageError);
  });
});

describe('samples that are set aside', () => {
  let apart: string;
  let run: string;
  let aside: readonly string[];

  beforeAll(async () => {
    apart = join(folder, 'apart.json');
    const made = makeSplits(await openDataset({ path: pairs.manifest }), {
      folds: FOLDS,
      seed: 4,
      setAside: 4,
    });
    await saveSplits(made, apart);
    aside = pairs.ids.filter((id) => made.folds[id] === SET_ASIDE);
    run = await train(join(folder, 'apart'), { 'data.splits': apart });
  });

  it('are in no fold, in no training set, and not seen in pretraining', async () => {
    const { pairs: trained } = JSON.parse(readFileSync(join(run, 'provenance.json'), 'utf8'));
    expect(trained).toBe(36 - aside.length);
    const result = await judge({ run });
    expect(result.folds).toMatchObject({ source: 'run', k: FOLDS, judged: [0, 1] });
    expect(result.predictions.ids).toEqual(pairs.ids.filter((id) => !aside.includes(id)));
    expect(result.labels.samples.reduce((sum, n) => sum + n, 0)).toBe(36 - aside.length);
    expect(result.exposure.kind).toBe('transductive');
  });

  it('are judged when asked for, in-fold, by probes trained on all others', async () => {
    const result = await judge({ run, setAside: true, splits: apart });
    expect(result.predictions.ids).toEqual(aside);
    expect(result.setAside).toBe(true);
    expect(result.folds).toMatchObject({ source: 'set-aside', k: 1, judged: [0] });
    expect(result.labels.samples).toEqual([36 - aside.length]);
    expect(result.exposure).toEqual({ kind: 'in-fold', seenTestSamples: 0, testSamples: aside.length });
    expect(formatEvaluation(result)).toContain('set aside until now');
    expect(evaluationName(result)).toBe('knn-pooled-set-aside');
    // A run that saw them says so.
    const seen = await judge({ run: whole, setAside: true, splits: apart });
    expect(seen.exposure).toMatchObject({ kind: 'transductive', seenTestSamples: aside.length });
    expect(formatEvaluation(seen)).toContain('set aside, judged by what the probe learns from all others');
  });

  it('are no training images, so a tested sample may repeat one of them without a note', async () => {
    const path = join(folder, 'images', 'repeats-aside.csv');
    const [kept] = pairs.ids.filter((id) => !aside.includes(id));
    // The same images appear under a new id, as a patient of its own that is tested.
    const again = (id: string) =>
      `again,stranger,${id}-a.png,${id}-b.png,${pairs.labels[pairs.ids.indexOf(id)]}\n`;
    const notes = async (repeated: string) => {
      writeFileSync(path, readFileSync(pairs.manifest, 'utf8') + again(repeated));
      const made = JSON.parse(readFileSync(apart, 'utf8')) as Splits;
      const file = join(folder, 'repeats-aside.json');
      const other = (made.folds[kept!] as number) === 0 ? 1 : 0;
      await saveSplits({ ...made, folds: { ...made.folds, again: other } }, file);
      return (await judge({ run: whole, data: { path }, splits: file })).notes.join();
    };
    expect(await notes(aside[0]!)).not.toContain('repeat');
    expect(await notes(kept!)).toContain('1 sample repeats an image of another fold');
  });

  it('stay apart from drawn folds and from folds of a file that forgets them', async () => {
    await tinyPairs(join(folder, 'stranger'), 2, 9);
    const other = writeManifest(join(folder, 'images', 'more.csv'), pairs, pairs.labels);
    writeFileSync(
      other,
      `${readFileSync(other, 'utf8')}new,stranger,../stranger/x0-a.png,../stranger/x0-b.png,benign\n`,
    );
    const drawn = await judge({ run, data: { path: other } });
    expect(drawn.folds.source).toBe('generated');
    expect(drawn.predictions.ids.filter((id) => aside.includes(id))).toEqual([]);
    await expect(judge({ run, splits })).rejects.toThrow(/samples in folds that were set aside/);
  });

  it('must exist, and need a run with one encoder', async () => {
    await expect(judge({ run: whole, setAside: true, splits })).rejects.toThrow(
      /no sample to judge is set aside/,
    );
    const folds = await train(join(folder, 'apart-folds'), { 'data.splits': apart, 'data.fold': 'all' });
    await expect(judge({ run: folds, setAside: true })).rejects.toThrow(
      /2 encoders, one a fold, expected one/,
    );
  });
});

describe('few labels', () => {
  it('are a share of each class, and features do not depend on it', async () => {
    const all = await judge({ run: whole, protocol: 'logreg' });
    const few = await judge({ run: whole, protocol: 'logreg', labelFraction: 0.25 });
    expect(all.labels.samples).toEqual([18, 18]);
    expect(few.labels).toMatchObject({ fraction: 0.25, samples: [5, 5] });
    expect(evaluationName(few)).toBe('logreg-labels-0.25-pooled');
    expect(formatEvaluation(few)).toContain('25 % of the labels: 5 samples of');
    expect(few.predictions.ids).toEqual(all.predictions.ids);
  });

  it('leave the untrained encoder as it is, which all images calibrate, labelled or not', async () => {
    const dataset = await openDataset({ path: pairs.manifest });
    const task = labelledTask(dataset);
    const run = openRun(whole, () => {});
    const cache = await openImages(dataset, run.encoders[0]!.config, join(folder, 'cache'), quiet());
    const untrained = async (labelFraction: number) => {
      const options = { folds: FOLDS, seed: 1, labelFraction, setAside: false };
      const plan = await planFolds(task, dataset, run, untraced(dataset), options);
      const sets = [['a', 'b']];
      const names = rowNames(['pooled'], sets);
      const common = { modalities: ['a', 'b'], sets, device: 'cpu', precision: 'fp32' } as const;
      const features = await rowFeatures(names, { task, cache, plan, kinds: ['pooled'], ...common }, quiet());
      const row = names.find(({ source }) => source === 'untrained')!;
      return features(plan.rounds[0]!, row).data;
    };
    expect(await untrained(0.25)).toEqual(await untrained(1));
  });

  it('are refused when the share makes no sense', async () => {
    for (const labelFraction of [0, 1.5, Number.NaN]) {
      await expect(judge({ run: whole, labelFraction })).rejects.toThrow(/--label-fraction is .*at most 1/);
    }
  });
});

it('runs no encoder for a second protocol on the same folds, whichever features it judges', async () => {
  const cacheFolder = join(folder, 'kept');
  const first = await judge({ run: whole, protocol: 'logreg', cacheFolder });
  const kept = readdirSync(join(cacheFolder, 'features')).sort();
  // The run on a and on b, and the untrained encoder on both in each fold.
  expect(kept).toHaveLength(2 + 2 * FOLDS);
  await judge({ run: whole, protocol: 'knn', features: 'head', cacheFolder });
  expect(readdirSync(join(cacheFolder, 'features')).sort()).toEqual(kept);
  expect((await judge({ run: whole, protocol: 'logreg', cacheFolder })).rows).toEqual(first.rows);
});

it.each(['logreg', 'knn'] as const)(
  '%s finds the same for the other rows without the untrained encoder',
  async (protocol) => {
    const all = await judge({ run: whole, protocol });
    const alone = await judge({ run: whole, protocol, untrained: false });
    expect(alone.rows).toEqual(all.rows.filter(({ source }) => source !== 'untrained'));
    expect(all.rows.length).toBeGreaterThan(alone.rows.length);
    expect(alone.differences.map(({ against }) => against)).toEqual(
      ['a', 'b', 'a+b'].map((images) => `thumbnail/pixels/${images}`),
    );
    expect(evaluationName(alone)).toBe(`${protocol}-pooled-alone`);
  },
);

it.each(['logreg', 'linear', 'knn'] as const)(
  '%s judges pooled, head and maps in one evaluation as it does apart',
  async (protocol) => {
    const common = { run: whole, protocol, images: ['a+b'], ...(protocol === 'linear' && { epochs: 3 }) };
    const all = await judge({ ...common, features: 'all' });
    expect(all.rows.map(({ key }) => key)).toEqual([
      ...['run/pooled/a+b', 'run/head/a+b', 'run/maps/a+b'],
      ...['untrained/pooled/a+b', 'untrained/head/a+b', 'untrained/maps/a+b'],
      'thumbnail/pixels/a+b',
    ]);
    // A quarter of 256 + 512 + 512 channels, of two modalities.
    const maps = all.rows.filter(({ features }) => features === 'maps');
    expect(maps.map(({ columns }) => columns)).toEqual([640, 640]);
    const both = await judge({ ...common, features: 'both' });
    expect(both.rows).toEqual(all.rows.filter(({ features }) => features !== 'maps'));
    const alone = await judge({ ...common, features: 'maps' });
    expect(alone.rows).toEqual(
      all.rows.filter(({ features }) => features === 'maps' || features === 'pixels'),
    );
    const [of, ofPooled] = ['maps', 'pooled'].map(
      (kind) => all.predictions.probabilities[`run/${kind}/a+b`]!,
    );
    expect(of).not.toEqual(ofPooled);
    expect(all.differences.filter(({ row }) => row === 'run/maps/a+b').map(({ against }) => against)).toEqual(
      ['untrained/maps/a+b', 'thumbnail/pixels/a+b'],
    );
    expect([all, both, alone].map(evaluationName)).toEqual([
      `${protocol}-a+b-pooled-head-maps`,
      `${protocol}-a+b`,
      `${protocol}-a+b-maps`,
    ]);
    expect(formatEvaluation(all)).toMatch(/^\| run, transductive +\| last three maps +\| A\+B/m);
  },
);

it('a run with one encoder a fold reports what the inner folds say of each kind of features', async () => {
  const common = { run: inFolds, images: ['a'], features: 'all', untrained: false } as const;
  const { rows } = await judge({ ...common, protocol: 'logreg' });
  expect(rows.map(({ key, validation }) => [key, validation?.length])).toEqual([
    ['run/pooled/a', FOLDS],
    ['run/head/a', FOLDS],
    ['run/maps/a', FOLDS],
    ['thumbnail/pixels/a', undefined],
  ]);
});

it('refuses a kind of features that it does not know, naming the nearest', async () => {
  await expect(judge({ run: whole, features: 'map' as 'maps' })).rejects.toThrow(
    '--features is map, expected one of pooled, head, maps, both, all; did you mean maps?',
  );
  await expect(judge({ run: whole, features: 'pixels' as 'maps' })).rejects.toThrow(UsageError);
});

it('an evaluation is named by what is judged: other data and some images by name, all of one’s own without', () => {
  const rows = (['a', 'b', 'a+b'] as const).flatMap((images) =>
    (['run', 'untrained'] as const).flatMap((source) =>
      (['pooled', 'head'] as const).map((features) => ({ source, features, modalities: images.split('+') })),
    ),
  );
  const own = {
    protocol: 'logreg',
    labels: { fraction: 1 },
    setAside: false,
    data: { name: 'BUSI (all)', modalities: ['a', 'b'] },
    exposure: { kind: 'transductive' },
    rows,
  } as const;
  expect(evaluationName(own)).toBe('logreg');
  expect(evaluationName({ ...own, exposure: { kind: 'in-fold' } })).toBe('logreg');
  expect(evaluationName({ ...own, exposure: { kind: 'transfer' } })).toBe('logreg-on-busi-all');
  const some = rows.filter(({ modalities, features }) => modalities.length === 1 && features === 'head');
  expect(evaluationName({ ...own, rows: some })).toBe('logreg-a-b-head');
  const tuned = { ...own, protocol: 'finetune', preset: 'hu' } as const;
  const widest = rows.filter(({ modalities }) => modalities.length === 2);
  expect(evaluationName({ ...tuned, rows: widest.filter(({ features }) => features === 'head') })).toBe(
    'finetune-hu',
  );
  expect(evaluationName({ ...tuned, rows: widest })).toBe('finetune-hu-pooled-head');
});

it('judges the sets of modalities that are asked for as it does by default', async () => {
  const all = await judge({ run: whole });
  const asked = await judge({ run: whole, images: ['a+b'] });
  expect(asked.rows.map(({ key }) => key)).toEqual([
    'run/pooled/a+b',
    'untrained/pooled/a+b',
    'thumbnail/pixels/a+b',
  ]);
  for (const { key } of asked.rows) {
    expect(asked.predictions.probabilities[key]).toEqual(all.predictions.probabilities[key]);
  }
  await expect(judge({ run: whole, images: ['b+a'] })).rejects.toThrow(
    /--images has b\+a, expected .* a, b, a\+b/,
  );
});

it('reports what the inner folds say of a probe, without the test labels', async () => {
  const { rows } = await judge({ run: whole, protocol: 'logreg' });
  const own = rows.find(({ key }) => key === 'run/pooled/a+b')!;
  expect(own.validation).toHaveLength(FOLDS);
  for (const value of own.validation!) expect(value).toBeGreaterThanOrEqual(0);
  expect(rows.find(({ source }) => source === 'thumbnail')!.validation).toBeUndefined();
});

it('prints numbers truly: no p is 0, no 0 has a minus, and an interval off its value has its reason', async () => {
  const result = await judge({ run: whole });
  const [difference] = result.differences;
  const row = result.rows.find(({ key }) => key === 'run/pooled/a+b')!;
  const changed = (auc: Partial<MetricSummary>): EvaluationResult => ({
    ...result,
    differences: [{ ...difference!, value: -0.0001, low: -0.1, high: 0.1, pValue: 0.0002, holm: 0.04 }],
    rows: [{ ...row, metrics: { ...row.metrics, auc: { ...row.metrics.auc!, ...auc } } }, ...result.rows],
  });
  const text = formatEvaluation(changed({ pooled: 0.8, low: 0.7996, high: 0.9 }));
  expect(text).toMatch(/\| 0\.000 \[−0\.100, \+0\.100\] +\| < 0\.001 \| 0\.040/);
  expect(text).not.toContain('does not hold its own value');
  expect(formatEvaluation(changed({ pooled: 0.8, low: 0.81, high: 0.9 }))).toMatch(
    /^- An interval of AUC does not hold its own value: subjects drawn anew/m,
  );
});

describe('exposure', () => {
  it('is transductive in every table when the encoder saw the test images', async () => {
    const result = await judge({ run: whole });
    expect(result.exposure).toEqual({ kind: 'transductive', seenTestSamples: 36, testSamples: 36 });
    const text = formatEvaluation(result);
    const titles = text.split('\n').filter((line) => line.startsWith('#'));
    expect(titles.length).toBeGreaterThanOrEqual(5);
    expect(titles.filter((title) => !title.includes('transductive'))).toEqual([]);
  });

  it('is found for other data with the same images, and for a copy of the data', async () => {
    const some = { ids: pairs.ids.slice(0, 30), subjects: pairs.subjects };
    const part = writeManifest(join(folder, 'images', 'part.csv'), some, pairs.labels);
    expect((await judge({ run: whole, data: { path: part } })).exposure.kind).toBe('transductive');
    // The folds of a run are found again in a part of its data.
    expect((await judge({ run: inFolds, data: { path: part } })).exposure.kind).toBe('in-fold');
    cpSync(join(folder, 'images'), join(folder, 'copy'), { recursive: true });
    const copied = await judge({ run: inFolds, data: { path: join(folder, 'copy', 'pairs.csv') } });
    expect(copied.exposure.kind).toBe('in-fold');
  });

  it('is transfer for other images', async () => {
    const other = await tinyPairs(join(folder, 'other'), 12, 8);
    const result = await judge({ run: inFolds, data: { path: other.manifest }, folds: 3 });
    // The ids and subjects are those of the run's own data, so nobody can tell the images from the run's images saved
    // anew.
    const namesakes = { namesakes: 24 };
    expect(result.exposure).toEqual({ kind: 'transfer', seenTestSamples: 0, testSamples: 24, ...namesakes });
    expect(result.folds.judged).toEqual([0, 1, 2]);
    expect(result.notes).toContain(
      'The run has an encoder a fold, and they take turns here: fold 0 by that of fold 0, fold 1 by that of fold 1, fold 2 by that of fold 0.',
    );
  });

  it('is untrained for weights that are random or given, since nothing was pretrained on the test images', async () => {
    const random = await train(join(folder, 'random'), { 'method.name': 'random' });
    const calibrated = await judge({ run: random });
    expect(calibrated.exposure).toEqual({ kind: 'untrained', seenTestSamples: 36, testSamples: 36 });
    expect(calibrated.notes).toEqual([
      'Not pretrained: random weights, batch norm calibrated on 36 of the 36 test samples, without labels.',
    ]);
    const given = { 'method.name': 'imagenet', 'model.initFrom': join(random, 'encoder.safetensors') };
    const imagenet = await judge({ run: await train(join(folder, 'imagenet'), given) });
    expect(imagenet.exposure).toEqual({ kind: 'untrained', seenTestSamples: 0, testSamples: 36 });
    expect(imagenet.notes).toEqual(['Weights from elsewhere: what images they have seen is not known.']);
    for (const result of [calibrated, imagenet]) {
      expect(formatEvaluation(result)).not.toMatch(/transductive|was pretrained/);
    }
  });
});

it('notes an image that is repeated in another fold', async () => {
  const path = join(folder, 'images', 'repeated.csv');
  writeFileSync(path, `${readFileSync(pairs.manifest, 'utf8')}again,stranger,x0-a.png,x0-b.png,benign\n`);
  const notesIn = async (fold: (ofFirst: Fold) => number) => {
    const made = makeSplits(await openDataset({ path }), { folds: FOLDS });
    const file = join(folder, 'repeated.json');
    await saveSplits({ ...made, folds: { ...made.folds, again: fold(made.folds.x0!) } }, file);
    return (await judge({ run: whole, data: { path }, splits: file })).notes.join();
  };
  expect(await notesIn((first) => (first === 0 ? 1 : 0))).toContain(
    '1 sample repeats an image of another fold',
  );
  expect(await notesIn((first) => (first === 0 ? 0 : 1))).not.toContain('repeat');
});

it('names the method, and notes that it learned from labels', async () => {
  const own = await judge({ run: inFolds });
  expect(formatEvaluation(own)).toContain('; encoder anatomy (recipe paper-us-swe), 32², seed 0; in-fold.');
  expect(own.notes).toEqual([]);
  const flags = { 'method.name': 'supervised', 'data.splits': splits, 'data.fold': 'all' };
  const result = await judge({ run: await train(join(folder, 'supervised'), flags) });
  expect(result.run).toMatchObject({ method: 'supervised', recipe: 'paper-us-swe' });
  expect(formatEvaluation(result)).toContain('encoder supervised (recipe paper-us-swe)');
  expect(result.notes).toEqual(['The encoder was pretrained on the labels of the training folds.']);
  const other = await tinyPairs(join(folder, 'of another place'), 8, 9);
  const { notes } = await judge({ run: join(folder, 'supervised'), data: { path: other.manifest } });
  expect(notes).toContain('The encoder was pretrained on the labels of its own data.');
});

describe('numbers', () => {
  it('of the thumbnail row equal a ridge on 12×12 pixels computed here', async () => {
    const result = await judge({ run: whole, splits });
    const luma = pairs.b.map((rgb) =>
      Array.from(
        { length: SIDE * SIDE },
        (_, i) => 0.299 * rgb[3 * i]! + 0.587 * rgb[3 * i + 1]! + 0.114 * rgb[3 * i + 2]!,
      ),
    );
    const small = pairs.a.map((gray, i) =>
      [gray, luma[i]!].flatMap((image) => [
        ...resizeValues(image, { width: SIDE, height: SIDE, channels: 1 }, 12, 12).map(
          (value) => value / 255,
        ),
      ]),
    );
    const pixels = featureRows(Float64Array.from(small.flat()), small.length, 288);
    const labels = pairs.labels.map((label) => Number(label === 'malignant'));
    const { folds } = JSON.parse(readFileSync(splits, 'utf8')) as { folds: Record<string, number> };
    const expected = new Float64Array(labels.length);
    for (let fold = 0; fold < FOLDS; fold += 1) {
      const members = (wanted: boolean) =>
        pairs.ids.flatMap((id, i) => ((folds[id] === fold) === wanted ? [i] : []));
      const [train, test] = [members(false), members(true)];
      const own = train.map((i) => ({ subject: pairs.subjects[i]!, label: String(labels[i]) }));
      const { scores } = ridgeBaseline(
        takeRows(pixels, train),
        train.map((i) => labels[i]!),
        takeRows(pixels, test),
        subjectKFold(own, { folds: 5, seed: 0 }),
      );
      test.forEach((i, row) => {
        expected[i] = (1 + scores[row]!) / 2;
      });
    }
    const found = result.predictions.probabilities['thumbnail/pixels/a+b']!;
    // Pixels are kept in single precision.
    for (const [i, value] of expected.entries()) expect(found[2 * i + 1]).toBeCloseTo(value, 5);
    expect(auc(result, 'thumbnail/pixels/a+b')).toBeCloseTo(rocAuc(expected, labels), 6);
  });

  it('in the JSON follow from the predictions file, which names nobody', async () => {
    const result = await judge({ run: whole, protocol: 'logreg', features: 'both' });
    const out = join(folder, 'saved');
    const files = saveEvaluation(out, result);
    const json = JSON.parse(readFileSync(files.json, 'utf8')) as EvaluationResult;
    const text = readFileSync(files.predictions, 'utf8');
    const lines = parse(text, { columns: true }) as Record<string, string>[];
    expect(lines).toHaveLength(36);
    expect(text + readFileSync(files.json, 'utf8')).not.toContain('patient 1');
    expect(new Set(lines.map(({ subject }) => subject)).size).toBe(18);
    expect(json.rows.map(({ key }) => key)).toHaveLength(15);
    for (const { key, metrics } of json.rows) {
      const scores = lines.map((line) => Number(line[key]));
      const labels = lines.map(({ label }) => Number(label === 'malignant'));
      expect(rocAuc(scores, labels)).toBeCloseTo(metrics.auc!.pooled!, 12);
      const right = scores.filter((score, i) => Number(score > 0.5) === labels[i]).length;
      expect(right / 36).toBeCloseTo(metrics.accuracy!.pooled!, 12);
      for (const { low, pooled, high } of Object.values(metrics))
        expect(low! <= pooled! && pooled! <= high!).toBe(true);
    }
    expect(
      json.rows
        .filter(({ source }) => source !== 'thumbnail')
        .every(({ chosen }) => chosen?.length === FOLDS),
    ).toBe(true);
    expect(json.patients!.map(({ aggregation, positives }) => [aggregation, positives])).toEqual([
      ['mean', 9],
      ['max', 9],
    ]);
    expect(json.differences).toHaveLength(12);

    saveEvaluation(out, result, { keepIds: true });
    const named = parse(readFileSync(files.predictions, 'utf8'), { columns: true }) as Record<
      string,
      string
    >[];
    expect(named.map(({ id }) => id)).toEqual(pairs.ids);
  });

  it('are the same in a second evaluation, by the linear probe too', async () => {
    const options = { run: whole, protocol: 'linear', features: 'head' } as const;
    expect(evaluationJson(await judge(options))).toBe(evaluationJson(await judge(options)));
  });

  it('exist for three classes and for one modality', async () => {
    const labels = pairs.subjects.map((_, i) => ['x', 'y', 'z'][Math.floor(i / 2) % 3]!);
    const path = writeManifest(join(folder, 'images', 'three.csv'), pairs, labels);
    const three = await judge({ run: whole, protocol: 'logreg', data: { path } });
    expect(three.metrics[0]).toBe('macroAuc');
    expect(three.rows.every(({ metrics }) => metrics.macroAuc!.pooled! > 0)).toBe(true);
    const oneAgainst = await judge({ run: whole, data: { path, positive: 'y', columns: { b: null } } });
    expect(oneAgainst.data.classes).toEqual(['not y', 'y']);
    expect(oneAgainst.rows.map(({ key }) => key)).toEqual([
      'run/pooled/a',
      'untrained/pooled/a',
      'thumbnail/pixels/a',
    ]);
  });
});

it('judges an unfinished run by its last checkpoint, with a note', async () => {
  const run = join(folder, 'unfinished');
  cpSync(whole, run, { recursive: true });
  rmSync(join(run, 'encoder.safetensors'));
  const result = await judge({ run });
  expect(result.notes.join()).toContain('unfinished: judged as it was after step 2');
  expect(auc(result, 'run/pooled/a')).toBe(auc(await judge({ run: whole }), 'run/pooled/a'));
  rmSync(join(run, 'checkpoints'), { recursive: true });
  await expect(judge({ run })).rejects.toThrow(UsageError);
});

it('refuses data that nothing can be learned from, and names what is missing', async () => {
  const manifest = (name: string, labels: string[]) =>
    writeManifest(join(folder, 'images', name), pairs, labels);
  const refused = async (path: string, message: string) => {
    const outcome = judge({ run: whole, data: { path } });
    await expect(outcome).rejects.toThrow(DataError);
    await expect(outcome).rejects.toThrow(message);
  };
  await refused(
    manifest(
      'none.csv',
      pairs.ids.map(() => ''),
    ),
    '--column label=',
  );
  await refused(
    manifest(
      'one.csv',
      pairs.ids.map(() => '1'),
    ),
    'at least two classes',
  );
  await refused(
    manifest(
      'few.csv',
      pairs.ids.map((_, i) => (i < 2 ? '1' : '0')),
    ),
    'class "1" has 1 subject',
  );
});

it('takes the columns of the run when it judges the run’s data, and adds those that are asked for', async () => {
  const path = join(folder, 'images', 'renamed.csv');
  const text = readFileSync(pairs.manifest, 'utf8');
  writeFileSync(path, text.replace('id,subject,a,b,label', 'scan,subject,flair,t1,diagnosis'));
  const names = { id: 'scan', a: 'flair', b: 't1' };
  const config = resolveConfig({ flags: { 'data.path': path, 'data.columns': names } });
  const { samples, positive } = await openJudgedData({ columns: { label: 'diagnosis' } }, config, quiet());
  expect(samples.map(({ label }) => label)).toEqual(pairs.labels);
  expect(positive).toBe('malignant');
  // Other data have their own columns.
  const other = await openJudgedData({ path: pairs.manifest }, config, quiet());
  expect(other.samples.map(({ id }) => id)).toEqual(pairs.ids);
});

it('preprocesses other data as the run did, where modalities have the same names, and says so', async () => {
  const preprocess = { a: { intensity: { kind: 'minmax' } }, flair: { intensity: { kind: 'minmax' } } };
  const config = resolveConfig({ layers: [{ data: { path: 'elsewhere.csv', preprocess } }] });
  const { console, text } = listener();
  const judged = (spec: JudgedDataSpec) => openJudgedData({ path: pairs.manifest, ...spec }, config, console);
  expect((await judged({})).preprocess).toEqual({ a: preprocess.a });
  expect(text()).toContain('pairs: preprocessed as in the run: a\n');
  expect((await judged({ preprocess: { a: {} } })).preprocess).toEqual({ a: {} });
  expect((await judged({ complete: true })).preprocess).toBeUndefined();
});

it('reports a mistake that the samples show before it decodes an image', async () => {
  const cacheFolder = join(folder, 'untouched');
  const refused = async (message: string, options: Partial<EvaluateOptions>) => {
    await expect(judge({ run: whole, cacheFolder, ...options })).rejects.toThrow(message);
    expect(existsSync(cacheFolder)).toBe(false);
  };
  const path = writeManifest(
    join(folder, 'images', 'unlabelled.csv'),
    pairs,
    pairs.ids.map(() => ''),
  );
  await refused('no sample has a label', { data: { path } });
  await refused('--k is 19, expected 1 to 18:', { k: 19 });
  await refused('--temperature is 0', { temperature: 0 });
  await refused('18 subjects cannot fill 19 folds', { folds: 19 });
  for (const run of [whole, inFolds]) {
    await refused('--k is 36', { run, k: 36 });
    await refused('no such file', { run, splits: join(folder, 'nowhere.json') });
    await refused(`--folds asks for 3 folds, but ${splits} has 2`, { run, splits, folds: 3 });
  }
});

it('refuses a run whose images were stored smaller than the network sees them', async () => {
  const run = join(folder, 'enlarged');
  cpSync(whole, run, { recursive: true });
  const config = join(run, 'config.yaml');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace('\n  size: 32\n  cacheSize: null\n', '\n  size: 64\n  cacheSize: 32\n'));
  await expect(judge({ run })).rejects.toThrow('data.cacheSize is 32, less than data.size 64');
});

it('leaves constant columns out of a probe', () => {
  const train = featureRows(Float32Array.of(1, 5, 2, 1, 6, 3), 2, 3);
  const [kept, test] = withoutConstantColumns(train, featureRows(Float32Array.of(7, 8, 9), 1, 3));
  expect([...kept.data, ...test.data]).toEqual([5, 2, 6, 3, 8, 9]);
});
