import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { UsageError } from '../../../src/errors.js';
import { evaluate } from '../../../src/evaluation/evaluate.js';
import type { EvaluateOptions } from '../../../src/evaluation/planEvaluation.js';
import { readEvaluations } from '../../../src/evaluation/readResults.js';
import type { Evaluation } from '../../../src/evaluation/results/evaluationResult.js';
import { formatEvaluation } from '../../../src/evaluation/results/evaluationTable.js';
import { readPredictions } from '../../../src/evaluation/results/predictions.js';
import { evaluationJson, evaluationName, saveEvaluation } from '../../../src/evaluation/saveEvaluation.js';
import { readState, saveState } from '../../../src/export/stateFile.js';
import { MessageConsole } from '../../../src/log/console.js';
import { pretrain } from '../../../src/training/pretrain.js';
import { undisposedTensors } from '../../tensor/undisposed.js';
import { withOneThread } from '../../training/tiny.js';
import { type TinyPairs, tinyPairs } from '../tinyPairs.js';

let folder: string;
let pairs: TinyPairs;
/** One encoder for both modalities, and one for each. */
let shared: string;
let separate: string;

function judge(options: Partial<EvaluateOptions>): Promise<Evaluation> {
  return evaluate({
    run: shared,
    protocol: 'finetune',
    epochs: 2,
    folds: 2,
    replicates: 20,
    precision: 'fp32',
    cacheFolder: join(folder, 'cache'),
    ...options,
  });
}

async function train(out: string, ...set: string[]): Promise<string> {
  const config = resolveConfig({
    set: ['data.size=32', 'model.width=0.25', 'training.precision=fp32', ...set],
    flags: {
      'data.path': pairs.manifest,
      'data.cacheFolder': join(folder, 'cache'),
      'training.batchSize': 12,
      'training.steps': 1,
    },
  });
  await pretrain(config, { out, console: new MessageConsole({ quiet: true }) });
  return out;
}

withOneThread();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'finetune-'));
  pairs = await tinyPairs(join(folder, 'images'), 8);
  shared = await train(join(folder, 'shared'), 'method.name=instdis');
  separate = await train(join(folder, 'separate'), 'method.name=cmc');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const column = ({ predictions }: Evaluation, key: string) => [...predictions.probabilities[key]!];
const keys = ({ rows }: Evaluation) => rows.map(({ key }) => key);

describe('finetuning', () => {
  it('judges the run, the same encoder from scratch and the thumbnail with hu on the head, repeatably, and frees all tensors', async () => {
    const before = undisposedTensors();
    const result = await judge({});
    expect(undisposedTensors()).toBe(before);
    expect(keys(result)).toEqual(['run/head/a+b', 'untrained/head/a+b', 'thumbnail/pixels/a+b']);
    expect(result.rows.map(({ columns }) => columns)).toEqual([1000, 1000, 288]);
    expect(column(result, 'run/head/a+b')).not.toEqual(column(result, 'untrained/head/a+b'));
    expect(evaluationJson(await judge({}))).toBe(evaluationJson(result));
    expect(result.settings).toMatchObject({
      recipe: 'hu-finetune',
      batchNorm: 'frozen',
      learningRate: 0.03,
      augmentation: 'none',
      judgedEpoch: 'last',
    });
    // Eight subjects in two folds: 8 training samples each, and so many a batch.
    expect(result.settings.folds).toEqual([
      expect.objectContaining({ samples: 8, batchSize: 8, totalSteps: 2, learningRate: 0.03 }),
      expect.objectContaining({ samples: 8, batchSize: 8 }),
    ]);
    expect(String(result.settings.departures)).toContain('2 epochs in place of 50');
    expect(evaluationName(result)).toBe('finetune-hu');
  });

  it('shows the best test epoch apart from the table with its label, and the report reads it back', async () => {
    const result = await judge({ features: 'pooled' });
    const [run, untrained, thumbnail] = result.rows;
    for (const row of [run!, untrained!]) {
      const { epochs, metrics } = row.paperStyle!;
      expect(epochs).toHaveLength(2);
      expect(epochs.every((epoch) => epoch === 1 || epoch === 2)).toBe(true);
      for (let fold = 0; fold < 2; fold += 1) {
        const sum = (value: (name: string) => number) =>
          Object.keys(metrics).reduce((total, name) => total + (value(name) || 0), 0);
        const last = sum((name) => row.metrics[name]!.folds[fold]!);
        expect(sum((name) => metrics[name]!.folds[fold]!)).toBeGreaterThanOrEqual(last - 1e-12);
      }
    }
    expect(thumbnail!.paperStyle).toBeUndefined();
    const text = formatEvaluation(result);
    expect(text).toContain('finetuning of the whole encoder (preset hu), batch norm frozen');
    expect(text).toContain('Not a result (best test epoch, as the paper’s snapshot reports; optimistic)');
    saveEvaluation(join(folder, 'read', 'evaluation'), result);
    const [stored] = readEvaluations(join(folder, 'read'));
    expect(stored!.record.rows[0]!.paperStyle!.epochs).toEqual(run!.paperStyle!.epochs);
  });

  it('differs with the preset, and has one mode for a network without batch norm', async () => {
    const numbers = async (options: Partial<EvaluateOptions>) =>
      column(await judge({ features: 'pooled', ...options }), 'run/pooled/a+b');
    const plain = await numbers({});
    for (const preset of ['simclr', 'layer-decay']) expect(await numbers({ preset })).not.toEqual(plain);
    const plainNetwork = await train(join(folder, 'vgg16'), 'method.name=random', 'model.backbone=vgg16');
    const withMode = (batchNorm: 'train' | 'frozen') => numbers({ run: plainNetwork, batchNorm });
    expect(await withMode('train')).toEqual(await withMode('frozen'));
  });

  it('keeps frozen batch norm as it was, and moves the statistics of one that trains', async () => {
    // At such a rate no weight moves, so only running statistics could change the output.
    const moved = async (batchNorm: 'train' | 'frozen') => {
      const options = { batchNorm, learningRate: 1e-12, features: 'pooled' } as const;
      const [one, two] = [await judge({ ...options, epochs: 1 }), await judge({ ...options, epochs: 2 })];
      const [first, second] = [one, two].map((result) => column(result, 'run/pooled/a+b'));
      return Math.max(...first!.map((p, i) => Math.abs(p - second![i]!)));
    };
    expect(await moved('frozen')).toBeLessThan(1e-9);
    expect(await moved('train')).toBeGreaterThan(1e-6);
  });

  it('takes the encoder of each modality where each has one, and judges one modality alone', async () => {
    const result = await judge({ run: separate, features: 'pooled' });
    const swapped = join(folder, 'swapped');
    cpSync(separate, swapped, { recursive: true });
    cpSync(join(separate, 'encoder.safetensors'), join(swapped, 'encoder-b.safetensors'));
    const other = await judge({ run: swapped, features: 'pooled' });
    expect(column(other, 'run/pooled/a+b')).not.toEqual(column(result, 'run/pooled/a+b'));
    const alone = { data: { path: pairs.manifest, columns: { b: null } }, features: 'pooled' } as const;
    const [a, swappedA] = [await judge({ run: separate, ...alone }), await judge({ run: swapped, ...alone })];
    expect(keys(a)).toEqual(['run/pooled/a', 'untrained/pooled/a', 'thumbnail/pixels/a']);
    expect(column(a, 'run/pooled/a')).toEqual(column(swappedA, 'run/pooled/a'));
  });

  it('reports a missing head', async () => {
    const headless = join(folder, 'headless');
    cpSync(shared, headless, { recursive: true });
    const file = join(headless, 'encoder.safetensors');
    const { state } = readState(file);
    saveState(file, new Map([...state].filter(([name]) => !name.startsWith('head.'))), { format: 'pt' });
    for (const tensor of state.values()) tensor.dispose();
    const before = undisposedTensors();
    const refused = judge({ run: headless });
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow('its encoder has no head');
    await judge({ run: headless, features: 'pooled', epochs: 1 });
    expect(undisposedTensors()).toBe(before);
  });

  it('goes on without a row whose training diverges, and says so', async () => {
    const before = undisposedTensors();
    const result = await judge({ learningRate: 1e30, epochs: 4 });
    expect(undisposedTensors()).toBe(before);
    expect(result.notes.join('\n')).toMatch(
      /^run\/head\/a\+b has no value\. run, fold 0: run\/head\/a\+b predicts NaN after epoch 1 .*training has diverged/m,
    );
    const [run, untrained, thumbnail] = result.rows;
    for (const row of [run!, untrained!]) {
      expect(row.metrics.auc!.pooled).toBeNull();
      expect(row.metrics.accuracy!.folds).toEqual([null, null]);
      expect(row.paperStyle).toBeUndefined();
    }
    expect(thumbnail!.metrics.auc!.pooled).toBeGreaterThan(0);
    expect([result.differences, result.patients!.map(({ rows }) => rows.length)]).toEqual([[], [1, 1]]);
    expect(evaluationJson(result)).toContain('"pooled": null');
    expect(formatEvaluation(result)).toMatch(/\| run, transductive \| head +\| A\+B +\| – /);
    const saved = saveEvaluation(join(folder, 'diverged'), result);
    const stored = readPredictions(saved.predictions, result)!;
    expect([...stored.probabilities.keys()]).toEqual(['thumbnail/pixels/a+b']);
  });

  it('refuses an option that does not fit before anything is opened', async () => {
    await expect(judge({ run: 'nowhere', preset: 'simcrl' })).rejects.toThrow('did you mean simclr?');
    await expect(judge({ run: 'nowhere', protocol: 'linear', batchNorm: 'train' })).rejects.toThrow(
      '--batch-norm',
    );
    await expect(judge({ run: 'nowhere', epochs: 0 })).rejects.toThrow('--epochs is 0');
  });
});

describe('linear presets', () => {
  it('give other numbers with augmentation than without, for all rows, and repeatably', async () => {
    const before = undisposedTensors();
    const options = { protocol: 'linear', preset: 'simclr', features: 'pooled' } as const;
    const result = await judge(options);
    expect(undisposedTensors()).toBe(before);
    expect(keys(result)).toHaveLength(9);
    expect(result.preset).toBe('simclr');
    expect(result.settings).toMatchObject({
      recipe: 'simclr-linear',
      encoder: 'frozen',
      augmentation: { crop: { scale: [0.08, 1] }, flip: 0.5, geometry: 'shared' },
      schedule: { kind: 'cosine', minimum: 0 },
    });
    expect(evaluationJson(await judge(options))).toBe(evaluationJson(result));
    const hu = await judge({ ...options, preset: 'hu' });
    expect(column(hu, 'run/pooled/a+b')).not.toEqual(column(result, 'run/pooled/a+b'));
    expect(result.rows[0]!.paperStyle!.epochs).toHaveLength(2);
    expect(hu.rows[0]!.paperStyle!.epochs).toHaveLength(2);
    expect([evaluationName(hu), evaluationName(result)]).toEqual(['linear-pooled', 'linear-simclr-pooled']);
    expect(formatEvaluation(result)).toContain('linear probe as SimCLR’s');
  });

  it('weigh classes when asked to, hu too', async () => {
    const labels = pairs.ids.map((_, i) => (i % 8 < 2 ? 'malignant' : 'benign'));
    const { writeManifest } = await import('../tinyPairs.js');
    const path = writeManifest(join(folder, 'images', 'uneven.csv'), pairs, labels);
    for (const preset of ['hu', 'cmc']) {
      const numbers = async (classWeights: 'none' | 'balanced') => {
        const result = await judge({
          protocol: 'linear',
          preset,
          classWeights,
          features: 'pooled',
          data: { path },
        });
        return column(result, 'run/pooled/a+b');
      };
      const [plain, balanced] = [await numbers('none'), await numbers('balanced')];
      // The rarer class gains.
      const mean = (all: number[]) => all.reduce((sum, p, i) => sum + (i % 2 === 1 ? p : 0), 0);
      expect(mean(balanced)).toBeGreaterThan(mean(plain));
    }
  });

  it('leave the settings of hu-linear unchanged, which name the recipe', async () => {
    const { settings } = await judge({ protocol: 'linear', epochs: undefined });
    expect(settings).toMatchObject({ recipe: 'hu-linear', epochs: 50, batchSize: 128, learningRate: 0.03 });
  });
});
