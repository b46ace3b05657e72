import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readExperiment } from '../../../src/experiments/file/readExperiment.js';
import { cellsOf, commandOf, type EvaluationCell } from '../../../src/experiments/run/cells.js';
import { statesOf } from '../../../src/experiments/run/states.js';
import { packPredictions, thinned } from '../../../src/experiments/run/travel.js';
import { writeCell } from '../../../src/experiments/stored/folder.js';
import { temporaryFolder } from '../../training/tiny.js';

const YAML = `
name: one
data: { path: pairs.csv }
protocols: [logreg, { protocol: logreg, labelFraction: 0.1, draws: 2 }]
judge: [{ name: BUSI, data: { path: 'phantom:breast,pairs=8' }, protocols: [{ protocol: linear, preset: moco }] }]
rows: [{ name: Ours }]
`;

function experimentIn(folder: string, text = YAML) {
  const file = join(folder, 'one.yaml');
  writeFileSync(file, text);
  return readExperiment(file);
}

const options = { k: 5, setAside: false };

test('cells are named by row, seed, data, protocol and draw, and each draw has its own seed', () => {
  const cells = cellsOf(experimentIn(temporaryFolder()), '/out', options);
  expect(cells.map(({ id }) => id)).toEqual([
    'ours/seed-0/pretrain',
    'ours/seed-0/logreg',
    'ours/seed-0/logreg-labels-0-1-draw-0',
    'ours/seed-0/logreg-labels-0-1-draw-1',
    'ours/seed-0/busi/linear-moco',
  ]);
  const flags = cells.flatMap((cell) => (cell.kind === 'pretrain' ? [] : [cell.flags.join(' ')]));
  expect(flags).toEqual([
    '--seed 0 --replicates 2000',
    '--label-fraction 0.1 --seed 0 --replicates 2000',
    '--label-fraction 0.1 --seed 1 --replicates 2000',
    '--preset moco --seed 0 --replicates 2000',
  ]);
  // The settings of a plain protocol are the same as before protocols had settings.
  expect((cells[1] as EvaluationCell).settings.evaluation).toEqual({
    protocol: 'logreg',
    folds: undefined,
    seed: 0,
    replicates: 2000,
  });
  expect(commandOf(cells[4]!, '/out', false).join(' ')).toBe(
    'evaluate linear --run /out/runs/ours/seed-0 --data-config /out/configs/ours/seed-0/busi/linear-moco.yaml ' +
      '--splits /out/splits-busi.json --preset moco --seed 0 --replicates 2000 ' +
      '--out /out/runs/ours/seed-0/evaluation/busi-linear-moco --json --overwrite',
  );
});

test('all rows of one seed come before the next seed, and a protocol judges only its own seeds', () => {
  const text = YAML.replace('[{ name: Ours }]', '[{ name: Ours }, { name: CMC, method: cmc }]')
    .replace('draws: 2', 'seeds: [4]')
    .replace('judge', 'seeds: [2, 4]\njudge');
  const cells = cellsOf(experimentIn(temporaryFolder(), text), '/out', options);
  expect(cells.map(({ id }) => id)).toEqual([
    ...['ours', 'cmc'].flatMap((row) => [
      `${row}/seed-2/pretrain`,
      `${row}/seed-2/logreg`,
      `${row}/seed-2/busi/linear-moco`,
    ]),
    ...['ours', 'cmc'].flatMap((row) => [
      `${row}/seed-4/pretrain`,
      `${row}/seed-4/logreg`,
      `${row}/seed-4/logreg-labels-0-1`,
      `${row}/seed-4/busi/linear-moco`,
    ]),
  ]);
});

test('a row of fewer seeds is pretrained only with these', () => {
  const text = YAML.replace(
    '{ name: Ours }',
    '{ name: Ours }, { name: CMC, method: cmc, seeds: [4] }',
  ).replace('judge', 'seeds: [2, 4]\njudge');
  const pretrained = cellsOf(experimentIn(temporaryFolder(), text), '/out', options).filter(
    ({ kind }) => kind === 'pretrain',
  );
  expect(pretrained.map(({ id }) => id)).toEqual([
    ...['ours/seed-2/pretrain', 'ours/seed-4/pretrain', 'cmc/seed-4/pretrain'],
  ]);
  const other = text.replace('seeds: [4] }', 'seeds: [3] }');
  expect(() => experimentIn(temporaryFolder(), other)).toThrow(
    'CMC asks for seed 3, expected one of the experiment’s seeds 2, 4',
  );
});

test('lesions are for pairs alone, and the cell says whose they are, not where', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'lesions'));
  const text = YAML.replace('protocols: [', 'masks: lesions\nprotocols: [pairs, ');
  const cells = cellsOf(experimentIn(folder, text), '/out', options).filter(
    (cell): cell is EvaluationCell => cell.kind !== 'pretrain',
  );
  const [pairs, ...others] = cells;
  expect(pairs!.flags.slice(-2)).toEqual(['--masks', join(folder, 'lesions')]);
  expect(pairs!.settings.evaluation).toMatchObject({ protocol: 'pairs', masks: 'lesions' });
  expect(JSON.stringify(others)).not.toContain('lesions');
});

test('nothing is set aside from a pretraining without a fold, unless the splits say so', () => {
  const [kept] = cellsOf(experimentIn(temporaryFolder()), '/out', options);
  const [aside] = cellsOf(experimentIn(temporaryFolder()), '/out', { ...options, setAside: true });
  expect([kept, aside].map((cell) => cell?.kind === 'pretrain' && cell.config.data.splits)).toEqual([
    null,
    '/out/splits.json',
  ]);
});

test('a cell stays done when the data move, but not when other data take their place', () => {
  // Both lie in one project, so that the run stores the way to its data.
  const project = temporaryFolder();
  const root = join(project, 'out');
  const [here, there] = ['here', 'moved/there'].map((name) => join(project, name));
  for (const folder of [here!, there!]) mkdirSync(folder, { recursive: true });
  const cells = cellsOf(experimentIn(here!), root, options);
  for (const { id, settings, run } of cells) {
    const stored = JSON.parse(JSON.stringify(settings));
    const common = { version: 1, seconds: 1, threads: 1, run, settings: stored } as const;
    writeCell(root, id, { ...common, kind: 'pretrain', steps: 1, provenance: {} });
    // The cells tell what the data are called, not where they lie.
    const text = readFileSync(join(root, 'cells', `${id}.json`), 'utf8');
    expect(text).not.toMatch(/\.\.\/|here/);
    expect(text).toContain('pairs.csv');
  }
  const states = (text?: string) =>
    [...statesOf(cellsOf(experimentIn(there!, text), root, options), root).values()].map(
      ({ state }) => state,
    );
  expect(new Set(states())).toEqual(new Set(['done']));
  expect(states(YAML.replace('pairs.csv', 'others.csv'))).toEqual(cells.map(() => 'changed'));
  // The encoder did not travel, and a cell that is left to do needs it.
  expect(states(YAML.replace('pairs=8', 'pairs=9'))).toEqual(['to do', 'done', 'done', 'done', 'changed']);
  expect(states(YAML.replace('0.1', '0.2')).filter((state) => state === 'to do')).toHaveLength(3);
});

test('the curves of a pretraining travel thinned, with at most 200 points of each term and without the speed', () => {
  const lines = Array.from({ length: 1000 }, (_, i) => ({
    step: i + 1,
    loss: 1 / (i + 1),
    pairsPerSecond: i,
    ...(i % 2 === 0 ? { 'retrieval/a-to-b': Number.NaN } : {}),
  }));
  const kept = thinned(lines);
  expect(kept).toHaveLength(200);
  expect([kept[0]!.step, kept.at(-1)!.step]).toEqual([1, 1000]);
  expect(kept.filter((line) => 'retrieval/a-to-b' in line)).toHaveLength(100);
  expect(kept.some((line) => 'pairsPerSecond' in line)).toBe(false);
  expect(kept.map(({ step }) => step)).toEqual([...kept.map(({ step }) => step)].sort((a, b) => a - b));
  expect(thinned(lines.slice(0, 7))).toHaveLength(7);
});

test('the predictions that travel are those of the cell’s own result, whatever else lies in the folder', () => {
  const root = temporaryFolder();
  const text = YAML.replace(/protocols: .*\n/, 'protocols: [logreg, finetune]\n');
  const [, logreg, finetune] = cellsOf(experimentIn(temporaryFolder(), text), root, options);
  const folder = join(root, 'runs/ours/seed-0/evaluation');
  mkdirSync(folder, { recursive: true });
  const predictions = (number: string) => `id,run/head/a\nP-1.5,${number}\n`;
  for (const [name, number] of Object.entries({
    logreg: '0.12345678901',
    'finetune-hu': '1.2345678901e-12',
    'finetune-hu-alone': '0.25',
    'finetune-simclr': '0.75',
  })) {
    writeFileSync(join(folder, `${name}-predictions.csv`), predictions(number));
  }
  const named = {
    labels: { fraction: 1 },
    setAside: false,
    data: { name: 'pairs', modalities: ['a'] },
    exposure: { kind: 'transductive' },
  } as const;
  const rows = (...kinds: ('pooled' | 'head')[]) =>
    (['run', 'untrained'] as const).flatMap((source) =>
      kinds.map((features) => ({ source, features, modalities: ['a'] })),
    );
  const plain = { ...named, protocol: 'logreg', rows: rows('pooled', 'head') } as const;
  const tuned = { ...named, protocol: 'finetune', preset: 'hu', rows: rows('head') } as const;
  packPredictions(logreg as EvaluationCell, root, plain);
  packPredictions(finetune as EvaluationCell, root, tuned);
  const stored = (protocol: string) => readFileSync(join(root, `cells/ours/seed-0/${protocol}.csv`), 'utf8');
  expect(stored('logreg')).toBe(predictions('0.12345679'));
  expect(stored('finetune')).toBe(predictions('1.2345679e-12'));
});
