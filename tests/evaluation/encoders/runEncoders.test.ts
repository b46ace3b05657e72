import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatConfig } from '../../../src/config/index.js';
import { UsageError } from '../../../src/errors.js';
import { openRun, separateModalities, trainedEncoder } from '../../../src/evaluation/encoders/runEncoders.js';
import { evaluate } from '../../../src/evaluation/evaluate.js';
import { readState, saveState } from '../../../src/export/stateFile.js';
import { MessageConsole } from '../../../src/log/console.js';
import { disposeModule, stateDict } from '../../../src/nn/index.js';
import type { Tensor } from '../../../src/tensor/index.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { encoderPath, runPaths } from '../../../src/training/runFolder.js';
import { undisposedTensors } from '../../tensor/undisposed.js';
import { methodConfig, numbers, withOneThread, writePairs } from '../../training/tiny.js';

withOneThread();

let folder: string;
const console = new MessageConsole({ quiet: true });
const at = (name: string) => join(folder, name);

async function train(name: string, ...set: string[]): Promise<void> {
  const config = methodConfig(
    ...set,
    `data.path=${at('data')}/manifest.csv`,
    `data.cacheFolder=${at('cache')}`,
    'training.batchSize=6',
    'training.steps=3',
    'monitor.pairs=4',
  );
  await pretrain(config, { out: at(name), console });
}

/** The run as it was before it finished: a checkpoint and no final weights. */
function unfinished(name: string): string {
  const copy = at(`${name}-unfinished`);
  cpSync(at(name), copy, { recursive: true });
  rmSync(runPaths(copy).encoder);
  rmSync(encoderPath(copy, 'b'), { force: true });
  return copy;
}

/** A digest of each tensor: the difference of two networks in full would fill the screen. */
const digests = (state: ReadonlyMap<string, Tensor>): Record<string, string> =>
  Object.fromEntries(
    [...state].map(([name, tensor]) => [
      name,
      createHash('sha256').update(numbers(tensor).join()).digest('hex').slice(0, 12),
    ]),
  );

/** The weights that evaluation loads for a modality. */
function loaded(root: string, modality: string): Record<string, string> {
  const [encoder] = openRun(root, () => {}).encoders;
  const network = trainedEncoder(encoder!, modality, 'cpu');
  const values = digests(stateDict(network));
  disposeModule(network);
  return values;
}

function stored(file: string): Record<string, string> {
  const { state } = readState(file);
  const values = digests(state);
  for (const tensor of state.values()) tensor.dispose();
  return values;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-encoders-'));
  await writePairs(at('data'), { pairs: 12 });
  await train('separate', 'method=cmc', 'method.loss=nce');
  await train('shared', 'method=densecl');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('an encoder without its head is refused, unless other features of it are evaluated', async () => {
  const root = at('headless');
  cpSync(at('shared'), root, { recursive: true });
  const file = runPaths(root).encoder;
  const { state } = readState(file);
  saveState(file, new Map([...state].filter(([name]) => !name.startsWith('head.'))), { format: 'pt' });
  for (const tensor of state.values()) tensor.dispose();
  const before = undisposedTensors();
  const options = { protocol: 'knn', k: 3, folds: 2, replicates: 20, cacheFolder: at('cache') } as const;
  expect(() => loaded(root, 'a')).toThrow(UsageError);
  await expect(evaluate({ ...options, run: root, features: 'head' })).rejects.toThrow(
    'headless: its encoder has no head; it can only be evaluated, with --features pooled or maps',
  );
  expect(undisposedTensors()).toBe(before);
  const [own, whole] = [
    await evaluate({ ...options, run: root, features: 'pooled' }),
    await evaluate({ ...options, run: at('shared'), features: 'pooled' }),
  ];
  expect(own.predictions.probabilities).toEqual(whole.predictions.probabilities);
});

describe('with two encoders', () => {
  test('each modality gets its own, from final weights and from a checkpoint of an unfinished run', () => {
    const root = at('separate');
    const [a, b] = [stored(runPaths(root).encoder), stored(encoderPath(root, 'b'))];
    expect(a['features.0.weight']).not.toEqual(b['features.0.weight']);
    expect(Object.keys(b).sort()).toEqual(Object.keys(a).sort());
    for (const one of [root, unfinished('separate')]) {
      expect(loaded(one, 'a')).toEqual(a);
      expect(loaded(one, 'b')).toEqual(b);
      // A modality that the run never saw gets the first one's encoder.
      expect(loaded(one, 'other')).toEqual(a);
    }
  });

  test('a modality whose name no file may have is found under its own name', () => {
    const copy = at('renamed');
    cpSync(at('separate'), copy, { recursive: true });
    renameSync(encoderPath(copy, 'b'), encoderPath(copy, 'T1 c/Gd'));
    const separate = (root: string) => separateModalities(openRun(root, () => {}).encoders[0]!);
    expect(separate(copy)).toEqual(['T1 c/Gd']);
    expect(separate(at('separate'))).toEqual(['b']);
    expect(separate(unfinished('separate'))).toEqual(['b']);
  });

  test.each([
    ['resnet50', 'model.width=0.015625'],
    ['vgg16', 'model.width=0.015625', 'model.branches=2', 'model.embeddingSize=8'],
  ])('a checkpoint of %s tells which modality has its own', async (backbone, ...set) => {
    await train(backbone, 'method=cmc', `model.backbone=${backbone}`, ...set);
    for (const root of [at(backbone), unfinished(backbone)]) {
      expect(separateModalities(openRun(root, () => {}).encoders[0]!)).toContain('b');
      expect(loaded(root, 'b')).toEqual(stored(encoderPath(at(backbone), 'b')));
    }
  });

  const evaluated = (run: string, columns?: Readonly<Record<string, string | null>>) =>
    evaluate({
      protocol: 'knn',
      k: 3,
      folds: 2,
      features: 'pooled',
      replicates: 20,
      precision: 'fp32',
      cacheFolder: at('cache'),
      run,
      data: { columns },
    });

  test('a warning says that A’s encoder has served all when B’s finds no images', async () => {
    const judged = { 'a, b': undefined, a: { b: null }, 'us, swe': { a: null, b: null, us: 'a', swe: 'b' } };
    for (const run of [at('separate'), unfinished('separate')]) {
      const said = await Promise.all(Object.values(judged).map((columns) => evaluated(run, columns)));
      const found = said.map(({ notes }) => notes.filter((note) => note.includes('encoder of b')));
      expect(found).toEqual([
        [],
        ['The run’s encoder of b has no images here: a went through that of its first modality.'],
        ['The run’s encoder of b has no images here: us and swe went through that of its first modality.'],
      ]);
    }
    const shared = await evaluated(at('shared'), judged.a);
    expect(shared.notes.join()).not.toContain('first modality');
  });

  test('the rows of B in the table come from B’s encoder', async () => {
    const judge = async (run: string) => {
      const result = await evaluated(run);
      return (row: string) => result.predictions.probabilities[`run/pooled/${row}`]!;
    };
    const right = await judge(at('separate'));
    const going = await judge(unfinished('separate'));
    for (const row of ['a', 'b', 'a+b']) expect(going(row)).toEqual(right(row));
    const wrong = at('wrong');
    cpSync(at('separate'), wrong, { recursive: true });
    rmSync(encoderPath(wrong, 'b'));
    const withAs = await judge(wrong);
    expect(withAs('a')).toEqual(right('a'));
    expect(withAs('b')).not.toEqual(right('b'));
  });
});

test('one encoder serves both modalities, and momentum encoder and queues of the checkpoint are ignored', () => {
  const root = at('shared');
  expect(existsSync(encoderPath(root, 'b'))).toBe(false);
  const weights = stored(runPaths(root).encoder);
  for (const one of [root, unfinished('shared')]) {
    for (const modality of ['a', 'b']) expect(loaded(one, modality)).toEqual(weights);
  }
});

test('folds that name their data by its last part alone, like those of another project, are one run', () => {
  const root = at('elsewhere');
  const write = (fold: number, ...set: string[]) => {
    const paths = runPaths(join(root, `fold-${fold}`));
    mkdirSync(paths.root, { recursive: true });
    const config = methodConfig('data.path=manifest.csv', `data.fold=${fold}`, ...set);
    writeFileSync(paths.config, formatConfig(config));
    writeFileSync(paths.encoder, '');
  };
  write(0);
  write(1);
  expect(openRun(root, () => {}).encoders.map(({ fold }) => fold)).toEqual([0, 1]);
  write(1, 'seed=9');
  expect(() => openRun(root, () => {})).toThrow(/pretrained with other settings.*\n {2}seed: 0 → 9$/s);
});
