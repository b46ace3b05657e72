import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type Config,
  configDifferences,
  formatConfig,
  readConfig,
  resolveConfig,
} from '../../src/config/index.js';
import { UsageError } from '../../src/errors.js';

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'anatomy-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'config.yaml');
  writeFileSync(path, text);
  return path;
}

/** What a resolution throws. */
function refusal(sources: Parameters<typeof resolveConfig>[0]): string {
  try {
    resolveConfig(sources);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}
const setting = (...set: string[]) => refusal({ set });

describe('recipes are the table of DESIGN §3', () => {
  const paper = {
    method: {
      name: 'anatomy',
      alpha: 3,
      consistencyWeight: 1,
      tau: 0.07,
      maps: [1, 2, 3, 4],
      patches: [4, 4],
      windows: 'floor',
      normalize: 'patch',
      distance: 'mse',
      reduction: 'mean',
      positive: 'once',
      crossModal: 'both-directions',
    },
    augment: {
      crop: { scale: [0.5, 1], ratio: [3 / 4, 4 / 3] },
      flip: 0.5,
      jitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05, probability: 1 },
      grayscale: 0,
      blur: null,
      geometry: 'independent',
    },
    model: { backbone: 'vgg16_bn', width: 1, embeddingSize: 500, initFrom: null },
    data: { size: 224, normalize: 'none' },
    training: {
      learningRate: 0.03,
      momentum: 0.9,
      weightDecay: 1e-4,
      nesterov: false,
      batchSize: 128,
      schedule: { kind: 'cosine', minimum: 0 },
      warmupSteps: 0,
      steps: null,
    },
  };

  test.each([
    ['paper-us-swe', 200],
    ['paper-fundus-ffa', 2000],
  ])('%s', (recipe, epochs) => {
    const config = resolveConfig({ recipe });
    expect(config).toMatchObject({ ...paper, recipe });
    expect(config.training.epochs).toBe(epochs);
  });

  test('authors has the settings of the authors’ code', () => {
    const config = resolveConfig({ recipe: 'authors' });
    expect(config).toMatchObject({
      recipe: 'authors',
      data: { normalize: 'none', colourCoded: [] },
      model: { backbone: 'vgg16_bn', width: 0.25, headInput: 'map', embeddingSize: 500 },
      method: {
        alpha: 3,
        tau: 0.07,
        windows: 'adaptive',
        normalize: 'pixel',
        distance: 'frobenius',
        reduction: 'sum',
        positive: 'twice',
        crossModal: 'clean-and-augmented',
      },
      augment: {
        crop: { scale: [0.2, 1], ratio: [3 / 4, 4 / 3] },
        flip: 0.5,
        jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.4, probability: 1 },
        grayscale: 0.2,
        blur: null,
        geometry: 'independent',
      },
      training: { learningRate: 0.03, momentum: 0, weightDecay: 0, epochs: 200 },
    });
    expect(config.training.schedule).toEqual({
      kind: 'multistep',
      milestones: [10, 30, 50, 70],
      gamma: 0.5,
      unit: 'step',
    });
  });

  test('recommended is what our study found best, all else as in the paper', () => {
    const plain = resolveConfig({});
    expect(resolveConfig({ recipe: 'recommended' })).toEqual({
      ...plain,
      recipe: 'recommended',
      model: { ...plain.model, branches: 2, width: 0.5 },
      method: { ...plain.method, consistencyWeight: 0, common: {}, mask: 'subject' },
      augment: { ...plain.augment, crop: { ...plain.augment.crop, scale: [0.2, 1] } },
    });
  });

  test('an unknown recipe names the known ones and the nearest', () => {
    const message = refusal({ recipe: 'author' });
    expect(message).toMatch(/recipe is "author", expected one of paper-us-swe, .*did you mean authors\?/);
    expect(refusal({ recipe: 'constructor' })).toContain('recipe is "constructor"');
  });
});

describe('precedence', () => {
  test('defaults < recipe < file < --set < flags', () => {
    const path = file('training:\n  momentum: 0.5\n  weightDecay: 0.5\n  batchSize: 5\nseed: 5\n');
    const { training, seed, model } = resolveConfig({
      recipe: 'authors',
      file: path,
      set: ['training.weightDecay=0.6', 'seed=6', 'training.batchSize=6'],
      flags: { seed: 7, 'training.steps': undefined },
    });
    expect(model.width).toBe(0.25); // recipe over default
    expect(training.momentum).toBe(0.5); // file over recipe
    expect([training.weightDecay, training.batchSize]).toEqual([0.6, 6]); // --set over file
    expect(seed).toBe(7); // flag over --set
    expect([training.learningRate, training.steps]).toEqual([0.03, null]); // untouched default; a flag not given
  });

  test('the last --set wins; a recipe may be named in a file, by --set, or by a flag', () => {
    expect(resolveConfig({ set: ['seed=1', 'seed=2'] }).seed).toBe(2);
    const path = file('recipe: paper-fundus-ffa\n');
    expect(resolveConfig({ file: path }).training.epochs).toBe(2000);
    expect(resolveConfig({ file: path, set: ['recipe=authors'] }).model.width).toBe(0.25);
    expect(resolveConfig({ file: path, set: ['recipe=authors'], recipe: 'paper-us-swe' })).toMatchObject({
      recipe: 'paper-us-swe',
      model: { width: 1 },
      training: { epochs: 200 },
    });
  });

  test('an intensity or a crop of another kind replaces the one before, of the same kind it is changed', () => {
    const path = file(
      'data:\n  preprocess: {a: {intensity: {kind: window, low: 0, high: 9}, crop: {kind: ultrasound-region}}}\n',
    );
    const preprocess = (sources: Parameters<typeof resolveConfig>[0]) =>
      resolveConfig({ file: path, ...sources }).data.preprocess.a;
    const crop = { kind: 'ultrasound-region' };
    const percentile = { kind: 'percentile', low: 1, high: 99 };
    expect(
      preprocess({ layers: [{ data: { preprocess: { a: { intensity: { kind: 'minmax' } } } } }] }),
    ).toEqual({ intensity: { kind: 'minmax' }, crop });
    expect(preprocess({ set: ['data.preprocess.a.intensity={kind: percentile, low: 1, high: 99}'] })).toEqual(
      {
        intensity: percentile,
        crop,
      },
    );
    expect(preprocess({ set: ['data.preprocess.a.intensity.kind=minmax'] })).toEqual({
      intensity: { kind: 'minmax' },
      crop,
    });
    expect(preprocess({ set: ['data.preprocess.a.intensity.high=5'] })).toMatchObject({
      intensity: { kind: 'window', low: 0, high: 5 },
    });
    expect(
      preprocess({ set: ['data.preprocess.a.crop={kind: box, left: 1, top: 2, width: 3, height: 4}'] })?.crop,
    ).toEqual({ kind: 'box', left: 1, top: 2, width: 3, height: 4 });
  });

  test('a schedule is replaced whole, by a file as by --set', () => {
    const path = file('training:\n  schedule: {kind: multistep, milestones: [3], gamma: 0.1, unit: epoch}\n');
    expect(resolveConfig({ file: path }).training.schedule).toEqual({
      kind: 'multistep',
      milestones: [3],
      gamma: 0.1,
      unit: 'epoch',
    });
    expect(
      resolveConfig({ recipe: 'authors', set: ['training.schedule.kind=constant'] }).training.schedule,
    ).toEqual({
      kind: 'constant',
    });
    const gentler = resolveConfig({ recipe: 'authors', set: ['training.schedule.gamma=0.9'] }).training
      .schedule;
    expect(gentler).toMatchObject({ kind: 'multistep', milestones: [10, 30, 50, 70], gamma: 0.9 });
  });

  test('augment=NAME stands for all of its settings, and single ones may follow', () => {
    const { augment } = resolveConfig({ recipe: 'authors', set: ['augment=simclr', 'augment.flip=0'] });
    expect(augment).toEqual({
      crop: { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
      flip: 0,
      jitter: { brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2, probability: 0.8 },
      grayscale: 0.2,
      grayscaleFirst: false,
      blur: { probability: 0.5, sigma: [0.1, 2] },
      geometry: 'independent',
    });
    expect(resolveConfig({ file: file('augment: authors\n') }).augment.grayscale).toBe(0.2);
    expect(setting('augment=simclear')).toMatch(/augment is simclear.*did you mean simclr\?/);
  });

  test('column names are added one by one', () => {
    const { data } = resolveConfig({ set: ['data.columns.a=flair', 'data.columns.b=t1'] });
    expect(data.columns).toEqual({ a: 'flair', b: 't1' });
  });

  test('one resolution leaves the next alone', () => {
    const first = resolveConfig({ set: ['augment=simclr', 'training.steps=5'] }) as Config;
    (first.method as { maps: number[] }).maps.push(0);
    expect(resolveConfig({})).toMatchObject({ method: { maps: [1, 2, 3, 4] }, training: { steps: null } });
    expect(resolveConfig({}).augment.blur).toBeNull();
  });
});

describe('methods', () => {
  const names = [
    'anatomy',
    'instdis',
    'simclr',
    'cmc',
    'densecl',
    'decur',
    'supervised',
    'random',
    'imagenet',
  ];

  test.each(names)(
    '%s by a flag, by --set, in full or by its name, in a file or by its name there',
    (name) => {
      const byFlag = resolveConfig({ flags: { 'method.name': name } });
      expect(byFlag.method.name).toBe(name);
      for (const other of [
        { set: [`method.name=${name}`] },
        { set: [`method=${name}`] },
        { set: [`method={name: ${name}}`] },
        { file: file(`method: ${name}\n`) },
        { file: file(`method:\n  name: ${name}\n`) },
      ]) {
        expect(resolveConfig(other)).toEqual(byFlag);
      }
      expect(readConfig(file(formatConfig(byFlag)))).toEqual(byFlag);
    },
  );

  test('come with their defaults, and only theirs', () => {
    expect(resolveConfig({ set: ['method=simclr'] }).method).toEqual({
      name: 'simclr',
      views: 2,
      tau: 0.5,
      mask: 'none',
    });
    expect(resolveConfig({ set: ['method=random'] }).method).toEqual({ name: 'random' });
    expect(resolveConfig({ set: ['method=cmc', 'method.tau=0.1'] }).method).toMatchObject({
      encoders: 'separate',
      candidates: 'banks',
      bankMomentum: 0.5,
      tau: 0.1,
    });
  });

  test('the last word on the name wins: file < --set < flag', () => {
    const path = file('method: simclr\n');
    const of = (sources: Parameters<typeof resolveConfig>[0]) => resolveConfig(sources).method.name;
    expect(of({ file: path, set: ['method=cmc'] })).toBe('cmc');
    expect(of({ file: path, set: ['method=cmc', 'method=densecl'] })).toBe('densecl');
    expect(of({ file: path, set: ['method=cmc'], flags: { 'method.name': 'random' } })).toBe('random');
    expect(of({ file: path, flags: { 'method.name': undefined } })).toBe('simclr');
    expect(of({ file: path, set: ['method={tau: 0.2}'] })).toBe('simclr');
  });

  test('a method may set augmentation, geometry and normalisation outside itself', () => {
    const plain = resolveConfig({});
    const { method: _, ...simclr } = resolveConfig({ set: ['method=simclr'] });
    expect(simclr).toEqual({ ...resolveConfig({ set: ['augment=simclr'] }), method: undefined });
    const cmc = resolveConfig({ set: ['method=cmc'] });
    expect(cmc.augment).toEqual({ ...plain.augment, geometry: 'shared' });
    expect(cmc.data).toEqual(plain.data);
    expect(resolveConfig({ set: ['method=imagenet'] }).data.normalize).toBe('imagenet');
    for (const name of ['instdis', 'densecl', 'decur', 'supervised', 'random']) {
      expect(resolveConfig({ set: [`method=${name}`] })).toMatchObject({
        augment: plain.augment,
        data: { normalize: 'none' },
      });
    }
  });

  test('the method’s settings outside itself are weaker than recipe, file and --set', () => {
    const path = file('augment:\n  geometry: independent\n');
    expect(resolveConfig({ file: path, set: ['method=cmc'] }).augment.geometry).toBe('independent');
    expect(resolveConfig({ set: ['method=cmc', 'augment.geometry=independent'] }).augment.geometry).toBe(
      'independent',
    );
    expect(resolveConfig({ set: ['method=simclr', 'augment.flip=0'] }).augment).toMatchObject({
      flip: 0,
      blur: { probability: 0.5 },
    });
    const authors = resolveConfig({ recipe: 'authors', set: ['method=simclr'] });
    expect(authors.augment).toEqual(resolveConfig({ recipe: 'authors' }).augment);
  });

  test('with a recipe of the paper’s method take what it says of everything but the method', () => {
    const config = resolveConfig({ recipe: 'authors', set: ['method=instdis'] });
    expect(config).toMatchObject({
      recipe: 'authors',
      model: { width: 0.25, headInput: 'map' },
      training: { momentum: 0, weightDecay: 0 },
    });
    expect(config.method).toEqual(resolveConfig({ set: ['method=instdis'] }).method);
  });

  test('are the recipe’s where none is asked for, and then take single settings as any other', () => {
    const recommended = { recipe: 'recommended' };
    const own = { name: 'anatomy', consistencyWeight: 0, common: {}, mask: 'subject' };
    expect(resolveConfig({ ...recommended, set: ['method.tau=0.2'] }).method).toMatchObject({
      ...own,
      tau: 0.2,
    });
    expect(resolveConfig({ file: file('recipe: recommended\n') }).method).toMatchObject(own);
    expect(resolveConfig({ set: ['recipe=recommended', 'method={tau: 0.2}'] }).method).toMatchObject(own);
    for (const name of ['anatomy', 'simclr', 'instdis']) {
      const asked = resolveConfig({ ...recommended, set: [`method=${name}`] });
      expect(asked.model.branches).toBe(2);
      expect(asked.method).toEqual({
        ...resolveConfig({ set: [`method=${name}`] }).method,
        ...(name === 'anatomy' ? own : {}),
      });
    }
    expect(refusal({ ...recommended, set: ['method.bankMomentum=0.2'] })).toContain(
      'unknown key method.bankMomentum; it is a setting of another method',
    );
  });

  test.each([
    ['method=simclr|method.alpha=2', 'unknown key method.alpha; it is a setting of another method'],
    ['method.queueSize=4', 'unknown key method.queueSize; it is a setting of another method'],
    ['method=densecl|method.queueSise=4', 'unknown key method.queueSise; did you mean method.queueSize?'],
    [
      'method=simcrl',
      'method is "simcrl", expected one of anatomy, instdis, simclr, cmc, densecl, decur, supervised, random, imagenet; did you mean simclr?',
    ],
    ['method=3', 'method is 3, expected one of anatomy'],
    ['method.name=constructor', 'method is "constructor", expected one of anatomy'],
    ['method=simclr|method.views=3', 'method.views is 3: expected one of 2|4'],
    ['method=cmc|method.bankMomentum=1', 'method.bankMomentum is 1: Too big: expected number to be <1'],
    ['method=simclr|method.mask=sample', 'method.mask is "sample": expected one of "none"|"subject"'],
    ['method=instdis|method.tau=0', 'method.tau is 0: Too small: expected number to be >=0.01'],
    ['method=densecl|method.lambda=2', 'method.lambda is 2: Too big'],
  ])('%s', (set, expected) => {
    expect(setting(...set.split('|'))).toContain(expected);
  });

  test('a file’s settings of another method than the one asked for are named, not lost', () => {
    const path = file('method:\n  name: anatomy\n  alpha: 2\n');
    expect(refusal({ file: path, flags: { 'method.name': 'simclr' } })).toContain(
      'unknown key method.alpha; it is a setting of another method',
    );
  });
});

describe('errors name the key, its value and what was expected', () => {
  test.each([
    ['training.learningrate=1', 'unknown key training.learningrate; did you mean training.learningRate?'],
    ['learningRate=1', 'unknown key learningRate; did you mean training.learningRate?'],
    ['trainin.steps=1', 'unknown key trainin; did you mean training?'],
    ['augment.blur.sgma=1', 'unknown key augment.blur.sgma; did you mean augment.blur.sigma?'],
    ['training.schedule.milestone=3', 'did you mean training.schedule.milestones?'],
    ['training.batch_size=32', 'unknown key training.batch_size; did you mean training.batchSize?'],
    ['batch-size=32', 'unknown key batch-size; did you mean training.batchSize?'],
    ['learning_rate=1', 'unknown key learning_rate; did you mean training.learningRate?'],
    ['training.lr=1', 'unknown key training.lr; did you mean training.learningRate?'],
    ['lr=1', 'unknown key lr; did you mean training.learningRate?'],
    ['image_size=64', 'unknown key image_size; did you mean data.size?'],
    ['data.image_size=64', 'unknown key data.image_size; did you mean data.size?'],
    [
      'training={batch_size: 3, weight_decay: 0}',
      'unknown key training.batch_size; did you mean training.batchSize?, unknown key training.weight_decay; did you mean training.weightDecay?',
    ],
    ['qqqq=1', 'unknown key qqqq'],
    ['model.width=0.3', 'model.width is 0.3: expected a positive multiple of 1/64'],
    ['model.backbone=resnet', 'model.backbone is "resnet": expected one of "vgg16"|"vgg16_bn"'],
    ['data.fold=x', 'data.fold is "x": expected a fold number from 0, all or none'],
    ['method.patches=[2]', 'method.patches is [2]: expected [rows, columns] or one such pair for each map'],
    ['method.maps=[1,1]', 'method.maps is [1,1]: expected each map once'],
    ['training.device=gpu', 'training.device is "gpu": expected auto, cpu, cuda or cuda:N'],
    ['training.batchSize=0', 'training.batchSize is 0: Too small: expected number to be >=1'],
    ['training.steps=1.5', 'training.steps is 1.5: expected int'],
    ['training.schedule={kind: multistep}', 'training.schedule.gamma is missing: expected number'],
    ['training.schedule.kind=linear', `"linear": expected 'constant'`],
    ['augment.crop.scale=[0.9,0.5]', 'augment.crop.scale is [0.9, 0.5]'],
    ['seed', '--set seed: expected key=value, such as --set training.steps=600'],
    ['=3', '--set =3: expected key=value'],
    ['seed=[1', '--set seed=[1: '],
    ['seed.x=1', '--set seed.x: seed is a value, not a group of settings'],
  ])('%s', (text, expected) => {
    expect(setting(text)).toContain(expected);
  });

  test('a method without any weight is refused', () => {
    expect(setting('method.alpha=0', 'method.consistencyWeight=0')).toContain(
      'expected alpha or consistencyWeight above 0',
    );
  });

  test('several errors at once are all listed', () => {
    expect(setting('seed=-1', 'model.width=-3').split('\n')).toHaveLength(2);
  });

  test('YAML errors come with file, line and column', () => {
    const path = file('seed: 1\ntraining:\n  steps: [1\nmodel: 2\n');
    const message = refusal({ file: path });
    expect(message).toContain(path);
    expect(message).toMatch(/at line 4, column 1/);
    expect(refusal({ file: file('seed: 1\nseed: 2\n') })).toMatch(/line 2/);
    expect(refusal({ file: file('- 1\n') })).toContain('expected settings such as "seed: 1"');
    expect(refusal({ file: '/nowhere/config.yaml' })).toMatch(
      /\/nowhere\/config.yaml: cannot be read: no such file; expected a YAML file$/,
    );
    expect(refusal({ file: file('model:\n  with: 1\n') })).toContain(
      'unknown key model.with; did you mean model.width?',
    );
  });

  test('an empty file changes nothing', () => {
    expect(resolveConfig({ file: file('# nothing yet\n') })).toEqual(resolveConfig({}));
  });
});

describe('stored configs', () => {
  test.each(['paper-us-swe', 'authors'])('%s survives formatConfig and readConfig', (recipe) => {
    const config = resolveConfig({
      recipe,
      set: [
        'augment=simclr',
        'data.columns.a="no: 1"',
        'data.positive="1"',
        'method.patches=[[1,2],[2,2],[4,4],[8,8]]',
      ],
    });
    expect(readConfig(file(formatConfig(config)))).toEqual(config);
  });

  test('an incomplete config is refused, as nothing is left to defaults', () => {
    expect(() => readConfig(file('seed: 1\n'))).toThrow(/data is missing/);
  });

  test('differences are listed by key', () => {
    const before = resolveConfig({});
    const after = resolveConfig({ set: ['seed=1', 'training.schedule={kind: constant}', 'method.maps=[1]'] });
    expect(configDifferences(before, after)).toEqual([
      'seed: 0 → 1',
      'method.maps: [1,2,3,4] → [1]',
      'training.schedule.kind: "cosine" → "constant"',
      'training.schedule.minimum: 0 → absent',
    ]);
    expect(configDifferences(before, resolveConfig({}))).toEqual([]);
  });
});
