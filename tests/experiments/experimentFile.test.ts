import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type ExperimentOverrides, readExperiment } from '../../src/experiments/experimentFile.js';
import { temporaryFolder } from '../training/tiny.js';

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
  evaluation: { replicates: 20 }
  config: { training: { steps: 2 }, data: { size: 32 }, method: { patches: [2, 2] } }
`;

function stored(text: string): { folder: string; file: string } {
  const folder = temporaryFolder('anatomy-experiment-');
  const file = join(folder, 'two.yaml');
  writeFileSync(file, text);
  return { folder, file };
}

const read = (text: string, overrides?: ExperimentOverrides) => readExperiment(stored(text).file, overrides);

function refusal(text: string, overrides?: ExperimentOverrides): string {
  try {
    read(text, overrides);
  } catch (error) {
    expect((error as Error).name).toBe('UsageError');
    return (error as Error).message;
  }
  throw new Error('accepted');
}

describe('what a file says', () => {
  test('rows override common, which overrides the recipe; paths are seen from the file', () => {
    const { folder, file } = stored(`${BASE}seeds: [3, 5]\n`);
    const experiment = readExperiment(file);
    expect(experiment).toMatchObject({
      name: 'two',
      smoke: false,
      data: { path: join(folder, 'pairs.csv'), columns: { a: 'flair' }, positive: 'tumor' },
      splits: join(folder, 'folds.json'),
      seeds: [3, 5],
      protocols: ['logreg', 'linear'],
      evaluation: { seed: 0, replicates: 2000 },
    });
    const [ours, consistency] = experiment.rows;
    expect(ours).toMatchObject({
      folder: 'ours-paper',
      fold: 'none',
      paper: { table: 1, data: 'US-SWE', metrics: { AUC: 90.11 } },
    });
    expect(ours!.configs.map(({ seed }) => seed)).toEqual([3, 5]);
    expect(ours!.configs[0]).toMatchObject({
      data: { path: join(folder, 'pairs.csv'), size: 64, columns: { a: 'flair' }, positive: 'tumor' },
      method: { name: 'anatomy', alpha: 3 },
      training: { steps: 600 },
    });
    expect(consistency).toMatchObject({
      folder: 'l-c-alone',
      fold: 'all',
      configs: [{ method: { alpha: 0 } }, {}],
    });
  });

  test('a row may name a recipe; common still wins over it', () => {
    const { rows } = read(
      BASE.replace('recipe: paper-us-swe', 'recipe: authors').replace('width: 0.25', 'width: 0.5'),
    );
    expect(rows[0]!.configs[0]).toMatchObject({
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
    expect(evaluation.replicates).toBe(20);
    for (const { configs } of rows) {
      expect(configs[0]).toMatchObject({ data: { size: 32, columns: {} }, training: { steps: 2 } });
    }
    expect(read(BASE + SMOKE).rows[0]!.configs[0]!.training.steps).toBe(600);
  });

  test('--data stands for the data, columns, positive class and splits of the file', () => {
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

  test('what is read, and how, is the data’s: classes, lists, slices, intensities', () => {
    const more = `positive: tumor, classes: [none, tumor], drop: lists/drop.csv, volumes: { step: 2 },
        preprocess: { a: { intensity: { kind: minmax } } }`;
    const { folder, file } = stored(BASE.replace('positive: tumor', more));
    const { data, rows } = readExperiment(file);
    const expected = {
      classes: ['none', 'tumor'],
      drop: join(folder, 'lists/drop.csv'),
      volumes: { axis: 'axial', from: null, to: null, step: 2, content: 0 },
      preprocess: { a: { intensity: { kind: 'minmax' } } },
    };
    expect(data).toMatchObject(expected);
    expect(rows[1]!.configs[0]!.data).toMatchObject(expected);
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

  test('the file of the paper’s Tables 1 and 2 has their rows at one budget, also at its smoke size', () => {
    const file = fileURLToPath(new URL('../../experiments/methods.yaml', import.meta.url));
    const { rows } = readExperiment(file);
    const printed = rows
      .flatMap(({ paper }) => paper ?? [])
      .map(({ table, metrics }) => [table, metrics.AUC]);
    expect(printed).toEqual([
      ...[81.77, 85.85, 88.27, 88.54, 86.77, 87.62, 90.11].map((auc) => [1, auc]),
      ...[75.99, 87.89].map((auc) => [2, auc]),
    ]);
    expect(rows.filter(({ fold }) => fold === 'all').map(({ name }) => name)).toEqual(['supervised']);
    const budgets = (smoke: boolean) =>
      readExperiment(file, { smoke }).rows.map(({ configs: [config] }) => {
        const { data, model, training } = config!;
        return [data.size, model.width, training.steps, training.batchSize];
      });
    expect(new Set(budgets(false).map(String))).toEqual(new Set(['64,0.25,600,128']));
    expect(new Set(budgets(true).map(String))).toEqual(new Set(['64,0.25,2,8']));
  });
});

describe('errors name the file, the row, the key and what was expected', () => {
  test.each([
    ['seeds: [0]\nprotocol: [knn]', 'unknown key protocol; did you mean protocols?'],
    ['seeds: [-1]', 'seeds.0 is -1: Too small'],
    ['seeds: [1, 1]', 'seeds is [1,1]: expected each once'],
    ['protocols: [logistic]', 'protocols.0 is "logistic": expected one of "logreg"|"linear"|"knn"'],
    ['evaluation: { replicate: 3 }', 'unknown key evaluation.replicate; did you mean evaluation.replicates?'],
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
    ['recipe: paper-us-swe', 'recipe: autors', 'recipe is "autors", expected one of'],
    ['row: Ours', 'row: ours', 'Table 1 has no row "ours", expected one of InstDis-US'],
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
    ['name: L_C alone', 'name: 我们', 'the name needs a letter'],
    ['path: pairs.csv', 'path: null', 'names no data; name it with --data'],
    ['path: pairs.csv, ', '', 'data.path is missing'],
  ])('%s → %s', (from, to, expected) => {
    expect(BASE).toContain(from);
    expect(refusal(BASE.replace(from, to))).toContain(expected);
  });

  test('--smoke without a smoke size, --data-b without --data, a file that is not there', () => {
    expect(refusal(BASE, { smoke: true })).toContain('has no smoke size');
    expect(refusal(BASE, { dataB: 'b' })).toContain('--data-b is given without --data');
    expect(() => readExperiment('/nowhere/x.yaml')).toThrow('/nowhere/x.yaml: cannot be read (ENOENT)');
  });
});
