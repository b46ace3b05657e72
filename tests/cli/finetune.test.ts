import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EvaluationResult } from '../../src/evaluation/results/evaluationResult.js';
import { tinyPairs } from '../evaluation/tinyPairs.js';

/** Runs the built program in processes of its own. */
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let folder: string;
let run: string;

interface Ended {
  /** The exit code as a shell gives it: 128 + number of the signal that ended the process. */
  code: number;
  stdout: string;
  stderr: string;
}

function anatomy(
  words: readonly string[],
  onStderr: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...words], {
    env: {
      ...process.env,
      XDG_CACHE_HOME: join(folder, 'cache'),
      OMP_NUM_THREADS: '1',
      OMP_WAIT_POLICY: 'passive',
      NO_COLOR: '1',
    },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
    onStderr(stderr, (signal) => child.kill(signal));
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code: code ?? 128 + constants.signals[signal!], stdout, stderr });
    });
  });
}

const finetune = (out: string, ...more: string[]) => [
  ...['evaluate', 'finetune', '--run', run, '--folds', '2', '--replicates', '50', '--out', join(folder, out)],
  ...more,
];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'finetune-cli-'));
  const { manifest } = await tinyPairs(join(folder, 'images'), 8);
  run = join(folder, 'run');
  const { code } = await anatomy([
    ...['pretrain', '--data', manifest, '--method', 'random', '--out', run],
    ...['--set', 'data.size=32', 'model.width=0.25', 'training.precision=fp32'],
  ]);
  expect(code).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('anatomy evaluate finetune', () => {
  test('prints what it writes, in files named by the preset', async () => {
    const words = ['--preset', 'layer-decay', '--epochs', '1', '--class-weights', 'balanced', '--json'];
    const { code, stdout, stderr } = await anatomy(finetune('written', ...words));
    expect(code).toBe(0);
    expect(readdirSync(join(folder, 'written')).sort()).toEqual([
      'finetune-layer-decay-predictions.csv',
      'finetune-layer-decay.json',
    ]);
    expect(stdout).toBe(readFileSync(join(folder, 'written', 'finetune-layer-decay.json'), 'utf8'));
    const result = JSON.parse(stdout) as EvaluationResult;
    expect(result).toMatchObject({ protocol: 'finetune', preset: 'layer-decay' });
    expect(result.settings).toMatchObject({ epochs: 1, classWeights: 'balanced', batchNorm: 'train' });
    expect(result.rows.map(({ key }) => key)).toEqual([
      'run/pooled/a+b',
      'untrained/pooled/a+b',
      'thumbnail/pixels/a+b',
    ]);
    expect(stderr).toMatch(/finetuning \d+\/4 .*took/);
    // A fold has 8 samples, and a batch no more.
    expect(stderr).toContain('preset layer-decay: batches of 8 in place of 16');
  });

  test('--no-untrained leaves the random weights out', async () => {
    const { code, stdout } = await anatomy(finetune('alone', '--epochs', '1', '--no-untrained', '--json'));
    expect(code).toBe(0);
    const { rows, differences } = JSON.parse(stdout) as EvaluationResult;
    expect(rows.map(({ key }) => key)).toEqual(['run/head/a+b', 'thumbnail/pixels/a+b']);
    expect(differences.map(({ against }) => against)).toEqual(['thumbnail/pixels/a+b']);
    // The result lies beside the fuller one, not over it.
    expect(readdirSync(join(folder, 'alone'))).toContain('finetune-hu-alone.json');
    const table = await anatomy(finetune('again', '--epochs', '1', '--no-untrained'));
    expect([table.code, table.stdout]).toEqual([
      0,
      expect.not.stringMatching(/^\| untrained|between run and untrained/m),
    ]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'is ended at once by %s in the middle, with exit code %i, and writes nothing',
    async (signal, code) => {
      let sent = false;
      const ended = await anatomy(
        finetune(signal, '--epochs', '5000', '--learning-rate', '1e-6'),
        (text, kill) => {
          if (sent || !text.includes('finetuning 1/')) return;
          sent = true;
          kill(signal);
        },
      );
      expect([ended.code, ended.stdout, sent]).toEqual([code, '', true]);
      expect(existsSync(join(folder, signal))).toBe(false);
    },
  );

  test('exits with 2 for a mistake and names what was meant', async () => {
    const said = async (...words: string[]) => {
      const { code, stdout, stderr } = await anatomy(words);
      expect([code, stdout]).toEqual([2, '']);
      expect(existsSync(join(folder, 'mistake'))).toBe(false);
      return stderr;
    };
    expect(await said(...finetune('mistake', '--preset', 'layerdecay'))).toContain(
      'did you mean layer-decay?',
    );
    expect(await said(...finetune('mistake', '--epochs', '0'))).toContain('Expected a whole number from 1.');
    expect(await said(...finetune('mistake', '--batch-norm', 'off'))).toContain('expected train or frozen');
    const linear = ['evaluate', 'linear', '--run', run, '--out', join(folder, 'mistake')];
    expect(await said(...linear, '--batch-norm', 'train')).toContain("unknown option '--batch-norm'");
    expect(await said(...linear, '--preset', 'mocco')).toContain('did you mean moco?');
  });
});
