import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ExperimentOverrides } from '../../../src/experiments/file/data.js';
import { flagsOf } from '../../../src/experiments/file/protocols.js';
import { type Experiment, readExperiment } from '../../../src/experiments/file/readExperiment.js';
import { temporaryFolder } from '../../training/tiny.js';

const BASE = `
name: two
data: { path: pairs.csv, columns: { a: flair }, positive: tumor }
splits: folds.json
common: { data: { size: 64 }, model: { width: 0.25 }, training: { steps: 600 } }
rows:
  - { name: Ours (paper), config: { recipe: paper-us-swe }, paper: { table: 1, row: Ours } }
  - { name: L_C alone, method: anatomy, config: { method: { alpha: 0 } }, fold: all }
`;
const SMOKE = `
smoke:
  data: { path: 'phantom:breast,pairs=24,seed=0' }
  evaluation: { replicates: 50 }
  config: { training: { steps: 2 }, data: { size: 32 }, method: { patches: [2, 2] } }
`;

function stored(text: string): { folder: string; file: string } {
  const folder = temporaryFolder('anatomy-experiment-');
  const file = join(folder, 'two.yaml');
  writeFileSync(file, text);
  return { folder, file };
}

const read = (text: string, overrides?: ExperimentOverrides) => readExperiment(stored(text).file, overrides);

/** The config of a row's first candidate at the first seed. */
const configOf = ({ rows }: Pick<Experiment, 'rows'>, row: number) => rows[row]!.candidates[0].configs[0]!;

function refusal(text: string, overrides?: ExperimentOverrides): string {
  try {
    read(text, overrides);
  } catch (error) {
    expect((error as Error).name).toBe('UsageError');
    return (error as Error).message;
  }
  throw new Error('accepted');
}

describe('an experiment file', () => {
  test('rows override common, common overrides the recipe, and paths are relative to the file', () => {
    const { folder, file } = stored(`${BASE}seeds: [3, 5]\n`);
    const experiment = readExperiment(file);
    expect(experiment).toMatchObject({
      name: 'two',
      smoke: false,
      data: { path: join(folder, 'pairs.csv'), columns: { a: 'flair' }, positive: 'tumor' },
      splits: join(folder, 'folds.json'),
      seeds: [3, 5],
      protocols: [
        { protocol: 'logreg', slug: 'logreg', settings: {}, draws: 1 },
        { protocol: 'linear', slug: 'linear' },
      ],
      evaluation: { seed: 0, replicates: 2000 },
    });
    const [ours, consistency] = experiment.rows;
    expect(ours).toMatchObject({
      folder: 'ours-paper',
      fold: 'none',
      paper: { table: 1, row: 'Ours' },
      candidates: [{ name: 'Ours (paper)', folder: 'ours-paper' }],
    });
    expect(ours!.candidates[0].configs.map(({ seed }) => seed)).toEqual([3, 5]);
    expect(configOf(experiment, 0)).toMatchObject({
      data: { path: join(folder, 'pairs.csv'), size: 64, columns: { a: 'flair' }, positive: 'tumor' },
      method: { name: 'anatomy', alpha: 3 },
      training: { steps: 600 },
    });
    expect(consistency).toMatchObject({
      folder: 'l-c-alone',
      fold: 'all',
      candidates: [{ configs: [{ method: { alpha: 0 } }, {}] }],
    });
  });

  test('a row may name a recipe; common still wins over it', () => {
    const experiment = read(
      BASE.replace('recipe: paper-us-swe', 'recipe: authors').replace('width: 0.25', 'width: 0.5'),
    );
    expect(configOf(experiment, 0)).toMatchObject({
      recipe: 'authors',
      method: { distance: 'frobenius' },
      model: { width: 0.5, headInput: 'map' },
    });
  });

  test('--smoke overrides every row and takes the splits of other data away', () => {
    const { data, splits, rows, evaluation, smoke } = read(BASE + SMOKE, { smoke: true });
    expect({ smoke, splits, data }).toMatchObject({
      smoke: true,
      splits: undefined,
      data: { path: 'phantom:breast,pairs=24,seed=0', columns: {} },
    });
    expect(evaluation.replicates).toBe(50);
    for (const row of rows.keys()) {
      expect(configOf({ rows }, row)).toMatchObject({
        data: { size: 32, columns: {} },
        training: { steps: 2 },
      });
    }
    expect(configOf(read(BASE + SMOKE), 0).training.steps).toBe(600);
  });

  test('--data replaces the data, columns, positive class and splits of the file', () => {
    const { data, splits } = read(BASE, { data: 'a', dataB: 'b' });
    expect(data).toMatchObject({
      path: join(process.cwd(), 'a'),
      pathB: join(process.cwd(), 'b'),
      columns: {},
      positive: undefined,
    });
    expect(splits).toBeUndefined();
    expect(read(BASE, { column: { b: 't1' }, positive: '1' }).data).toMatchObject({
      columns: { a: 'flair', b: 't1' },
      positive: '1',
    });
    expect(read(BASE, { data: 'phantom:breast', splits: 's.json' })).toMatchObject({
      data: { path: 'phantom:breast' },
      splits: 's.json',
    });
  });

  test('data may be a folder for each modality, seen from the file or from the command line', () => {
    const text = BASE.replace(
      'path: pairs.csv, columns: { a: flair }',
      'folders: { flair: F, t1: T }, subject: ^P',
    );
    const { folder, file } = stored(text);
    expect(readExperiment(file).data).toMatchObject({
      folders: { flair: join(folder, 'F'), t1: join(folder, 'T') },
      subject: '^P',
    });
    const other = readExperiment(file, { data: { a: 'X', c: '/y' }, modalities: ['c', 'a'] }).data;
    expect(other).toMatchObject({ folders: { a: resolve('X'), c: '/y' }, modalities: ['c', 'a'] });
    expect(other).not.toHaveProperty('subject');
    const single = readExperiment(file, { data: 'm.csv', imageRoot: 'scans', subject: '^Q' }).data;
    expect(single).toMatchObject({ path: resolve('m.csv'), imageRoot: resolve('scans'), subject: '^Q' });
    expect(single).not.toHaveProperty('folders');
    expect(refusal(BASE.replace('path: pairs.csv, ', ''))).toContain('names no data; name it with --data');
    const further = `${BASE}\njudge: [{ name: Far, data: { folders: { a: ${folder}, b: gone } } }]`;
    expect(read(further).judge[0]!.absent).toContain('not where the experiment looks for it');
    expect(read(further.replace('b: gone', 'b: .')).judge[0]!.data!.folders).toMatchObject({ a: folder });
  });

  test('the settings of data say what is read and how: classes, lists, slices, intensities', () => {
    const more = `positive: tumor, classes: [none, tumor], drop: lists/drop.csv, volumes: { step: 2 },
        preprocess: { a: { intensity: { kind: minmax } } }`;
    const { folder, file } = stored(BASE.replace('positive: tumor', more));
    const experiment = readExperiment(file);
    const { data } = experiment;
    const expected = {
      classes: ['none', 'tumor'],
      drop: join(folder, 'lists/drop.csv'),
      volumes: { axis: 'axial', from: null, to: null, step: 2, content: 0 },
      preprocess: { a: { intensity: { kind: 'minmax' } } },
    };
    expect(data).toMatchObject(expected);
    expect(configOf(experiment, 1).data).toMatchObject(expected);
    expect(readExperiment(file, { classes: ['tumor'], drop: 'd.csv' }).data).toMatchObject({
      classes: ['tumor'],
      drop: join(process.cwd(), 'd.csv'),
      volumes: { step: 2 },
    });
    const other = readExperiment(file, { data: 'phantom:breast' }).data;
    expect(other).toMatchObject({
      classes: undefined,
      drop: undefined,
      preprocess: {},
      volumes: { step: 1 },
    });
  });
});

test('rows of fewer seeds are compared where nothing is set aside, candidates are chosen at every seed, and a smoke run has its own seeds', () => {
  const seeded = BASE.replace('alpha: 0 } }, fold: all', 'alpha: 0 } }, seeds: [0]');
  const compared = `${seeded}seeds: [0, 1]\ncompare: { reference: Ours (paper), against: [L_C alone] }\n`;
  expect(read(compared).compare).toMatchObject({ against: ['L_C alone'] });
  for (const aside of ['true', '{ reference: Ours (paper), against: [L_C alone] }']) {
    expect(refusal(`${compared}setAside: ${aside}\n`)).toContain(
      'compares L_C alone, which has seeds of its own; what is set aside is judged by all seeds',
    );
  }
  const reference = compared.replace(/compare:.*/, 'compare: { reference: L_C alone, against: [untrained] }');
  expect(refusal(reference)).toContain('compare has L_C alone as reference, which has seeds of its own');
  const tuned = BASE.replace('fold: all', 'variants: [{ name: 1 }, { name: 2 }]');
  expect(refusal(`${tuned}seeds: [0, 1]\nprotocols: [{ protocol: logreg, seeds: [0] }, linear]\n`)).toContain(
    'row L_C alone has variants, which are chosen between by logreg at every seed; leave out the seeds of logreg, or give linear the same',
  );
  const text = `${seeded.replace('[0]', '[1]')}seeds: [0, 1]\nprotocols: [{ protocol: knn, seeds: [1] }]\n${SMOKE}`;
  const smoke = read(`${text}  seeds: [0]\n`, { smoke: true });
  expect(smoke.seeds).toEqual([0]);
  expect([...smoke.rows, ...smoke.protocols].map(({ seeds }) => seeds)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('lesions of data that is not there are not looked for', () => {
  const judge = 'judge: [{ name: BUSI, data: { path: nowhere }, masks: nowhere-masks }]';
  expect(read(`${BASE}${judge}\n`).judge[0]).toMatchObject({
    absent: expect.stringContaining('--judge BUSI=PATH'),
  });
});

test('lesions belong to the file’s own data, and are looked for before anything runs', () => {
  const { folder, file } = stored(`${BASE}masks: lesions\nprotocols: [logreg, pairs]\n`);
  expect(() => readExperiment(file)).toThrow(
    'masks: lesions: no such folder; expected one with a lesion ID.png',
  );
  mkdirSync(join(folder, 'lesions'));
  expect(readExperiment(file).masks).toBe(join(folder, 'lesions'));
  expect(readExperiment(file, { data: 'phantom:breast' }).masks).toBeUndefined();
  const other = { data: 'phantom:breast', masks: folder };
  expect(readExperiment(file, other).masks).toBe(folder);
  expect(refusal(BASE, { masks: folder })).toMatch(
    /^--masks .*: no protocol of .*two\.yaml reads lesions; add pairs to its protocols, or leave the masks out$/,
  );
  expect(refusal(BASE, { masks: 'nowhere' })).toContain('--masks: nowhere: no such folder');
});

describe('protocols, further data, candidates', () => {
  test('a protocol with settings has its own name, and a plain one keeps the protocol’s', () => {
    const { protocols } = read(`${BASE}
protocols:
  - logreg
  - { protocol: linear, preset: moco }
  - { protocol: logreg, labelFraction: 0.1, draws: 3 }
  - { protocol: finetune, name: Few epochs, epochs: 3, batchNorm: train, untrained: false, images: [a, a+b] }
`);
    expect(protocols.map(({ name, slug, draws }) => [name, slug, draws])).toEqual([
      ['logreg', 'logreg', 1],
      ['linear moco', 'linear-moco', 1],
      ['logreg labels 0.1', 'logreg-labels-0-1', 3],
      ['Few epochs', 'few-epochs', 1],
    ]);
    expect(protocols.map(flagsOf)).toEqual([
      [],
      ['--preset', 'moco'],
      ['--label-fraction', '0.1'],
      ['--images', 'a', 'a+b', '--no-untrained', '--epochs', '3', '--batch-norm', 'train'],
    ]);
  });

  test('candidates are named by row and variant, and --smoke takes the first of them', () => {
    const text = (BASE + SMOKE)
      .replace('fold: all', 'variants: [{ name: 1 }, { name: 2, config: { training: { steps: 7 } } }]')
      .replace('replicates: 50 }', 'replicates: 50 }\n  variants: 1');
    const [ours, tuned] = read(text).rows;
    expect(ours!.candidates.map(({ folder }) => folder)).toEqual(['ours-paper']);
    expect(tuned!.candidates.map(({ name, folder }) => [name, folder])).toEqual([
      ['L_C alone 1', 'l-c-alone-1'],
      ['L_C alone 2', 'l-c-alone-2'],
    ]);
    expect(tuned!.candidates.map(({ configs }) => configs[0]!.training.steps)).toEqual([600, 7]);
    expect(tuned!.candidates.map(({ configs }) => configs[0]!.method)).toMatchObject([
      { alpha: 0 },
      { alpha: 0 },
    ]);
    expect(read(text, { smoke: true }).rows[1]!.candidates).toHaveLength(1);
  });

  test('further data is placed by the file or by --judge, or is absent with the way to get it', () => {
    const text = `${BASE}
judge:
  - { name: BUSI, data: { path: busi }, obtain: Ask its authors., protocols: [knn], evaluation: { folds: 3 }, paper: BUSI }
  - { name: More phantoms, data: { path: 'phantom:breast,pairs=20' } }
`;
    const { folder, file } = stored(text);
    expect(readExperiment(file).judge).toMatchObject([
      {
        slug: 'busi',
        absent:
          'it is not where the experiment looks for it; give its place with --judge BUSI=PATH. Ask its authors.',
      },
      { slug: 'more-phantoms', data: { path: 'phantom:breast,pairs=20' }, evaluation: { seed: 0 } },
    ]);
    const [absent, phantoms] = readExperiment(file).judge;
    expect([absent!.data, phantoms!.absent]).toEqual([undefined, undefined]);
    expect(phantoms!.protocols.map(({ slug }) => slug)).toEqual(['logreg', 'linear']);
    mkdirSync(join(folder, 'busi'));
    expect(readExperiment(file).judge[0]).toMatchObject({
      data: { path: join(folder, 'busi') },
      protocols: [{ slug: 'knn' }],
      evaluation: { folds: 3, seed: 0, replicates: 2000 },
      paper: 'BUSI',
    });
    expect(readExperiment(file, { judge: { BUSI: folder } }).judge[0]!.data!.path).toBe(folder);
  });
});

describe('an error names the file, the row, the key and what was expected', () => {
  test.each([
    ['seeds: [0]\nprotocol: [knn]', 'unknown key protocol; did you mean protocols?'],
    ['seeds: [-1]', 'seeds.0 is -1: Too small'],
    ['seeds: [1, 1]', 'seeds is [1,1]: expected each once'],
    [
      'protocols: [logistic]',
      'protocols.0.protocol is "logistic": expected one of "logreg"|"linear"|"finetune"|"knn"',
    ],
    ['protocols: [linaer]', '|"pairs"; did you mean linear?'],
    ['protocols: [{ protocol: knn, neighbours: 3 }]', 'unknown key protocols.0.neighbours'],
    [
      'protocols: [{ protocol: logreg, preset: moco }]',
      'protocol logreg has no preset, which is of linear, finetune; leave it out',
    ],
    [
      'protocols: [{ protocol: pairs, features: head }]',
      'protocol pairs has no features, which is of logreg,',
    ],
    [
      'protocols: [{ protocol: linear, preset: moko }]',
      'no preset "moko", expected one of hu, moco, simclr, cmc, solo; did you mean moco?',
    ],
    [
      'protocols: [{ protocol: logreg, draws: 3 }]',
      'draws 3 without labelFraction; what is drawn are labels, so name their share',
    ],
    [
      'protocols: [{ protocol: logreg, seeds: [1] }]',
      'two.yaml: logreg asks for seed 1, expected one of the experiment’s seeds 0; add it there, or leave it out',
    ],
    [
      'judge: [{ name: More, data: { path: "phantom:breast" }, protocols: [{ protocol: knn, seeds: [2] }] }]',
      'two.yaml: knn asks for seed 2, expected one of the experiment’s seeds 0;',
    ],
    [
      'protocols: [{ protocol: finetune, untrained: false }]\ncompare: { reference: L_C alone, against: [untrained] }',
      'compare.against names untrained, which finetune leaves out (untrained: false); leave out the one or the other',
    ],
    ['protocols: [{ protocol: logreg, labelFraction: 0 }]', 'protocols.0.labelFraction is 0: Too small'],
    [
      'protocols: [{ protocol: linear, epochs: 5 }, { protocol: linear, epochs: 9 }]',
      'protocols linear and linear would share the name linear; give one of them another name',
    ],
    ['judge: [{ name: BUSI, dta: {} }]', 'unknown key judge.0.dta; did you mean judge.0.data?'],
    ['judge: [{ name: BUSI }, { name: busi }]', 'judged data busi is named twice; rename one'],
    [
      'compare: { reference: ours, against: [L_C alone] }',
      'compare.reference is "ours", expected one of Ours (paper), L_C alone',
    ],
    [
      'compare: { reference: L_C alone, against: [L_Glo alone] }',
      'compare.against is "L_Glo alone", expected one of Ours (paper), L_C alone, untrained, thumbnail, best; did you mean L_C alone?',
    ],
    [
      'compare: { reference: L_C alone, against: [L_C alone] }',
      'compare.against names L_C alone, which is the reference; leave it out',
    ],
    [
      'compare: { reference: L_C alone, against: [untrained], protocol: knn }',
      'compare.protocol is "knn", expected one of logreg, linear',
    ],
    ['setAside: true', 'setAside is true, but there is no compare to repeat; name reference and against'],
    ['setAside: yes', 'setAside is "yes": expected true, false or { reference, against }'],
    [
      'setAside: { reference: L_C alone, against: [untrained] }',
      'setAside compares L_C alone, which is pretrained once a fold (fold: all)',
    ],
    ['evaluation: { replicate: 3 }', 'unknown key evaluation.replicate; did you mean evaluation.replicates?'],
    [
      'evaluation: { replicates: 49 }',
      'evaluation.replicates is 49: expected at least 50, of which an interval can be made',
    ],
    ['smoke: { confg: {} }', 'unknown key smoke.confg; did you mean smoke.config?'],
  ])('%s', (more, expected) => {
    const message = refusal(BASE + more);
    expect(message).toContain('two.yaml: ');
    expect(message).toContain(expected);
  });

  test.each([
    ['fold: all', 'folds: all', 'unknown key rows.1.folds; did you mean rows.1.fold?'],
    ['alpha: 0', 'alpa: 0', 'row L_C alone: unknown key method.alpa; did you mean method.alpha?'],
    ['steps: 600', 'steps: x', 'row Ours (paper): training.steps is "x": expected number'],
    [
      'steps: 600',
      'steps: 600 }, seed: { x: 1',
      'row Ours (paper): seed is the experiment’s own; say it under seeds',
    ],
    ['size: 64', 'size: 64, fold: 1', 'data.fold is the experiment’s own; say it under rows.fold'],
    ['recipe: paper-us-swe', 'recipe: autors', 'row Ours (paper): recipe is "autors", expected one of'],
    ['method: anatomy', 'method: anatomi', 'row L_C alone: method is "anatomi", expected one of'],
    [
      'row: Ours',
      'row: ours',
      'row Ours (paper): the paper’s Table 1 has no row "ours", expected one of InstDis-US',
    ],
    ['fold: all', 'variants: []', 'rows.1.variants is []: Too small'],
    [
      'fold: all',
      'variants: [{ name: 1, config: { method: { alpa: 1 } } }]',
      'row L_C alone 1: unknown key method.alpa; did you mean method.alpha?',
    ],
    [
      'fold: all',
      'variants: [{ name: a }, { name: A }]',
      'rows L_C alone a and L_C alone A would share the folder l-c-alone-a',
    ],
    ['row: Ours', 'row: ours', 'did you mean Ours?'],
    [
      'name: L_C alone',
      'name: ours paper',
      'rows Ours (paper) and ours paper would share the folder ours-paper',
    ],
    ['method: anatomy', 'method: simclr', 'row L_C alone: unknown key method.alpha'],
    [
      'method: anatomy, config: { method: { alpha: 0 } }',
      'method: simclr, config: { method: cmc }',
      'row L_C alone: method is simclr, but its config makes it cmc; name one of them',
    ],
    [
      'name: Ours (paper)',
      'name: Ours (paper), method: supervised',
      'row Ours (paper): supervised learns from the labels, so it cannot be judged on what it has seen; add fold: all',
    ],
    [
      'steps: 600',
      'steps: 600, microBatch: auto',
      'row Ours (paper): training.microBatch is auto, which each cell would choose anew; give a number',
    ],
    ['alpha: 0', 'patches: [9, 9]', 'row L_C alone: method.patches is 9×9 on map 3, which is 8×8'],
    ['method: anatomy, config: { method: { alpha: 0 } }', 'method: imagenet', 'imagenet needs weights'],
    ['name: L_C alone', "name: ' '", 'rows.1.name is " ": expected a name'],
    ['name: L_C alone', "name: ''", 'rows.1.name is "": expected a name'],
    ['name: L_C alone', 'name: 我们', 'the name needs a letter'],
    ['path: pairs.csv', 'path: null', 'names no data; name it with --data'],
    ['path: pairs.csv, ', '', 'names no data; name it with --data'],
  ])('%s → %s', (from, to, expected) => {
    expect(BASE).toContain(from);
    expect(refusal(BASE.replace(from, to))).toContain(expected);
  });

  test('setAside: false sets nothing aside', () => {
    expect(read(`${BASE}setAside: false\n`).setAside).toBeUndefined();
  });

  test('for a comparison by what its protocol does not have', () => {
    const family = (protocols: string, more = '') =>
      refusal(
        `${BASE}protocols: [${protocols}]\ncompare: { reference: Ours (paper), against: [L_C alone]${more} }\n`,
      );
    expect(family('{ protocol: logreg, features: pooled }', ', features: head')).toContain(
      'compare.features is head, but logreg judges pooled features; give the protocol features: head',
    );
    expect(family('logreg', ', features: maps')).toContain(
      'compare.features is maps, but logreg judges pooled and head features; give the protocol features: all, or compare pooled or head ones',
    );
    expect(family('{ protocol: logreg, features: map }')).toContain('did you mean maps');
    expect(family('logreg', ', features: map')).toContain('did you mean maps');
    expect(family('pairs, logreg', ', protocol: pairs')).toContain(
      'compare.protocol is "pairs", expected one of logreg',
    );
    expect(family('pairs')).toContain(
      'compare compares AUCs, and of the protocols (pairs) none has any; add logreg, or leave compare out',
    );
  });

  test('for candidates without a protocol that chooses between them', () => {
    const tuned = BASE.replace('fold: all', 'variants: [{ name: 1 }, { name: 2 }]');
    expect(refusal(`${tuned}protocols: [linear, { protocol: logreg, labelFraction: 0.5 }]`)).toContain(
      'row L_C alone has variants, which are chosen between by logreg; add it to the protocols',
    );
    const few = '{ protocol: linear, labelFraction: 0.1, draws: 2 }';
    expect(refusal(`${tuned}protocols: [logreg, ${few}]`)).toContain(
      'chosen between by logreg on the same labels, which linear labels 0.1 has few of; add { protocol: logreg, labelFraction: 0.1, draws: 2 } to the protocols',
    );
    const both = `${few}, { protocol: logreg, labelFraction: 0.1, draws: 2 }`;
    expect(read(`${tuned}protocols: [${both}]`).protocols).toHaveLength(2);
    expect(refusal(`${tuned}judge: [{ name: BUSI, protocols: [knn] }]`)).toContain(
      'add it to the protocols of BUSI',
    );
    expect(refusal(`${tuned}protocols: [logreg, { protocol: linear, features: all }]`)).toContain(
      'chosen between by logreg, and logreg does not judge the maps features that linear judges; give logreg features: all, or linear those of logreg',
    );
    const all = '{ protocol: logreg, features: all }, { protocol: linear, features: all }';
    expect(read(`${tuned}protocols: [${all}]`).protocols.map(flagsOf)).toEqual([
      ['--features', 'all'],
      ['--features', 'all'],
    ]);
    const twice = 'logreg, { protocol: logreg, name: maps, features: maps }';
    expect(read(`${tuned}protocols: [${twice}]`).protocols).toHaveLength(2);
    expect(read(`${tuned}protocols: [pairs]`).protocols).toHaveLength(1);
  });

  test('for --judge of data that the file does not judge on, and of a path that is not there', () => {
    expect(refusal(BASE, { judge: { BUSI: 'x' } })).toContain(
      '--judge names BUSI, expected nothing, as the experiment judges no further data',
    );
    const judged = `${BASE}judge: [{ name: BUSI }]\n`;
    expect(refusal(judged, { judge: { busi: 'x' } })).toContain('--judge names busi, expected one of BUSI');
    expect(refusal(judged, { judge: { BUSI: '/nowhere/busi' } })).toContain(
      '--judge BUSI=/nowhere/busi: no such file or folder',
    );
  });

  test('for --smoke without a smoke size, --data-b without --data, and a file that is not there', () => {
    expect(refusal(BASE, { smoke: true })).toContain('has no smoke size');
    expect(refusal(BASE, { dataB: 'b' })).toContain('--data-b is given without --data');
    expect(() => readExperiment('/nowhere/x.yaml')).toThrow('/nowhere/x.yaml: cannot be read: no such file');
    expect(() => readExperiment('experiments/table1.yml')).toThrow('Did you mean experiments/table1.yaml?');
  });
});
