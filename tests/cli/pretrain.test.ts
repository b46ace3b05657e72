import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readJsonLines } from '../../src/log/jsonLines.js';
import { Random } from '../../src/tensor/index.js';
import { resolveDevice } from '../../src/training/precision.js';
import { writePairs } from '../training/tiny.js';

/** Runs the built program in processes of its own: signals, exit codes, streams. */
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const STEPS = 12;
let folder: string;
let manifest: string;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}
type Child = ReturnType<typeof spawn>;

function anatomy(
  args: readonly string[],
  react: (child: Child) => void = () => {},
  threads = '1',
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    // Passive: two threads that spin while they wait crawl on a machine whose cores are busy.
    env: { ...process.env, OMP_NUM_THREADS: threads, OMP_WAIT_POLICY: 'passive', NO_COLOR: '1' },
  });
  const ended: Ended = { code: null, signal: null, stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    ended.stdout += text;
  });
  child.stderr.on('data', (text) => {
    ended.stderr += text;
  });
  react(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ ...ended, code, signal }));
  });
}

const settings = (...more: string[]) => [
  '--set',
  'data.size=32',
  'model.width=0.25',
  'method.maps=[1,2,3]',
  'method.patches=[2,2]',
  'training.batchSize=4',
  'training.checkpointEvery=3',
  'monitor.every=8',
  'monitor.pairs=4',
  `data.cacheFolder=${folder}/cache`,
  ...more,
];
const pretrain = (out: string, ...more: string[]) => [
  ...['pretrain', '--data', manifest, '--out', out, '--steps', `${STEPS}`],
  ...settings(),
  ...more,
];

/** The parts of a run that must be the same to the bit. */
function result(out: string) {
  const hash = createHash('sha256')
    .update(readFileSync(join(folder, out, 'encoder.safetensors')))
    .digest('hex');
  const metrics = readJsonLines(join(folder, out, 'metrics.jsonl')).map(
    ({ pairsPerSecond: _, ...line }) => line,
  );
  return { hash, metrics };
}
let alone: ReturnType<typeof result>;

/** Calls `act` once the run has done this many steps. */
const afterStep = (out: string, steps: number, act: (child: Child) => void) => (child: Child) => {
  const file = join(folder, out, 'metrics.jsonl');
  const timer = setInterval(() => {
    if (!existsSync(file) || readFileSync(file, 'utf8').split('\n').length <= steps) return;
    clearInterval(timer);
    act(child);
  }, 5);
  child.on('close', () => clearInterval(timer));
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-cli-'));
  manifest = await writePairs(join(folder, 'data'));
  const ended = await anatomy(pretrain('alone'));
  expect(ended.stderr).toContain('finished: alone');
  expect([ended.code, ended.stdout]).toEqual([0, '']); // stdout is for data, and there is none
  alone = result('alone');
  expect(alone.metrics).toHaveLength(STEPS);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('interrupted runs end as if they had never been interrupted', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    '%s saves the run with exit code %i, and the same command finishes it',
    async (signal, code) => {
      const out = signal.toLowerCase();
      const stopped = await anatomy(
        pretrain(out),
        afterStep(out, 4, (child) => child.kill(signal)),
      );
      expect(stopped).toMatchObject({ code, signal: null, stdout: '' });
      const step = Number(
        new RegExp(`${signal}: saved after step (\\d+); the same command goes on`).exec(stopped.stderr)?.[1],
      );
      expect(step).toBeGreaterThanOrEqual(4);
      expect(step).toBeLessThan(STEPS);
      const saved = `step-${String(step).padStart(8, '0')}.json`;
      expect(readdirSync(join(folder, out, 'checkpoints'))).toContain(saved);
      const finished = await anatomy(pretrain(out));
      expect(finished.stderr).toContain(`resuming after step ${step} of ${STEPS}`);
      expect(finished.code).toBe(0);
      expect(result(out)).toEqual(alone);
    },
  );

  test('a run killed by SIGKILL at three random moments ends the same', async () => {
    const random = new Random(1, 'kill');
    for (const steps of [1, 4, 7]) {
      const delay = random.uniform(0, 150);
      const react = afterStep('killed', steps + random.below(2), (child) => {
        setTimeout(() => child.kill('SIGKILL'), delay);
      });
      const { signal, code } = await anatomy(pretrain('killed'), react);
      expect([signal, code]).toEqual(['SIGKILL', null]);
    }
    expect((await anatomy(pretrain('killed'))).code).toBe(0);
    expect(result('killed')).toEqual(alone);
  });

  test('a second SIGINT ends the process at once', async () => {
    // A step takes many seconds, so only the native handler can end it.
    const slow = ['pretrain', '--data', manifest, '--out', 'slow', '--steps', '2'];
    const big = settings(
      'model.width=1',
      'data.size=224',
      'training.batchSize=24',
      'training.precision=fp32',
    );
    let second = 0;
    const ended = await anatomy([...slow, ...big], (child) => {
      const log = join(folder, 'slow', 'train.log');
      const timer = setInterval(() => {
        if (!existsSync(log)) return;
        clearInterval(timer);
        setTimeout(() => child.kill('SIGINT'), 300);
        setTimeout(() => {
          second = Date.now();
          child.kill('SIGINT');
        }, 900);
      }, 5);
      child.on('close', () => clearInterval(timer));
    });
    expect(second).toBeGreaterThan(0); // the first one did not end it
    expect(ended).toMatchObject({ code: 130, signal: null });
    expect(ended.stderr).not.toContain('saved after step');
    expect(
      existsSync(join(folder, 'slow', 'metrics.jsonl')) &&
        readJsonLines(join(folder, 'slow', 'metrics.jsonl')),
    ).toEqual([]);
  });

  test('a run at work is refused to others, also with --overwrite; it may be looked at, and a kill frees it', async () => {
    // A process that is stopped is alive: it may go on at any time.
    const halted = afterStep('locked', 4, (child) => child.kill('SIGSTOP'));
    let first: Child | undefined;
    const killed = anatomy(pretrain('locked'), (child) => {
      first = child;
      halted(child);
    });
    await vi.waitUntil(
      () => /^\d+ \(.*\) T /.test(readFileSync(`/proc/${first!.pid}/stat`, 'utf8')),
      120_000,
    );
    const files = () => readdirSync(join(folder, 'locked'), { recursive: true }).sort();
    const before = files();
    for (const more of [[], ['--overwrite'], ['--seed', '4', '--overwrite']]) {
      const { code, stderr } = await anatomy(pretrain('locked', ...more));
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining(`locked: process ${first!.pid} is pretraining here since`),
      ]);
    }
    expect(files()).toEqual(before);
    const looked = await anatomy(['report', 'locked', '--out', 'looked']);
    expect([looked.code, looked.stderr]).toEqual([0, expect.stringContaining('report with')]);
    first!.kill('SIGKILL');
    await killed;
    const finished = await anatomy(pretrain('locked'));
    expect(finished.stderr).toContain(`locked: process ${first!.pid} ended here without finishing`);
    expect([finished.code, result('locked')]).toEqual([0, alone]);
    expect(existsSync(join(folder, 'locked', 'running.json'))).toBe(false);
  });

  test('two that start at once on one folder: one trains, and the other is refused', async () => {
    const both = await Promise.all([anatomy(pretrain('both')), anatomy(pretrain('both'))]);
    const codes = both.map(({ code }) => code).sort();
    // The later one may come when the first has finished.
    expect([[0, 2].join(), [0, 0].join()]).toContain(codes.join());
    expect(result('both')).toEqual(alone);
  });

  test('1 and 2 threads differ in the last bits, so the other is refused', async () => {
    const out = 'threads';
    const stopped = await anatomy(
      pretrain(out),
      afterStep(out, 9, (child) => child.kill('SIGKILL')),
    );
    expect(stopped.signal).toBe('SIGKILL');
    const refused = await anatomy(pretrain(out), undefined, '2');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/not be exact to the bit \(threads: 1 → 2\).*--allow-inexact/);
    const changed = await anatomy(pretrain(out, 'training.threads=2'));
    expect(changed.code).toBe(2);
    expect(changed.stderr).toContain('training.threads: null → 2');
    const continued = await anatomy(pretrain(out, '--allow-inexact'), undefined, '2');
    expect([continued.code, result(out).metrics.length]).toEqual([0, STEPS]);
  });
});

describe('exit codes and streams', () => {
  test('a finished run is left as it is, and --json tells where it stands', async () => {
    const ended = await anatomy([...pretrain('alone'), '--json']);
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout)).toEqual({ run: 'alone', kind: 'finished', step: STEPS });
    expect(ended.stderr).toContain('alone is finished; --overwrite would start it anew');
    expect(ended.stderr.match(/finished/g)).toHaveLength(1);
    expect(result('alone')).toEqual(alone);
  });

  test('another config for the same folder is refused with the difference', async () => {
    const ended = await anatomy([...pretrain('alone'), '--seed', '4']);
    expect([ended.code, ended.stdout]).toEqual([2, '']);
    expect(ended.stderr).toContain('seed: 0 → 4');
  });

  test('a mistyped flag or key is a usage error with the word that was meant', async () => {
    const flag = await anatomy(['pretrain', '--recipee', 'authors']);
    expect([flag.code, flag.stdout]).toEqual([2, '']);
    expect(flag.stderr).toMatch(/unknown option '--recipee'.*Did you mean --recipe\?/s);
    const key = await anatomy(['pretrain', '--data', manifest, '--out', 'x', '--set', 'training.stesp=3']);
    expect([key.code, key.stdout]).toEqual([2, '']);
    expect(key.stderr).toContain('unknown key training.stesp; did you mean training.steps?');
    expect(key.stderr).not.toMatch(/\n {4}at /);
    const out = await anatomy(['pretrain', '--data', manifest]);
    expect([out.code, out.stderr]).toEqual([2, expect.stringContaining('--out is missing')]);
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });

  test('a bad manifest exits with 3, names file and line, and leaves no run', async () => {
    const bad = join(folder, 'bad');
    mkdirSync(bad);
    writeFileSync(
      join(bad, 'pairs.csv'),
      'id,subject,a,b\np0,s0,../data/images/a0.png,../data/images/b0.png\np1,s1,gone.png,gone.png\n',
    );
    const ended = await anatomy(['pretrain', '--data', 'bad/pairs.csv', '--out', 'none', ...settings()]);
    expect([ended.code, ended.stdout]).toEqual([3, '']);
    expect(ended.stderr).toMatch(/bad\/pairs\.csv:3\b.*gone\.png/s);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });

  test('--dry-run tells steps, time and memory, and writes no run', async () => {
    const args = ['pretrain', '--data', manifest, ...settings('training.epochs=5')];
    const ended = await anatomy([...args, '--dry-run', '--json', '--out', 'dry']);
    expect(ended.code).toBe(0);
    const device = resolveDevice('auto');
    expect(JSON.parse(ended.stdout)).toMatchObject({ pairs: 24, steps: 30, stepsPerEpoch: 6, device });
    const plan = JSON.parse(ended.stdout);
    expect(plan.secondsInAll).toBeCloseTo(30 * plan.secondsPerStep, 10);
    expect(plan.peakMemoryBytes).toBeGreaterThan(2 ** 25);
    expect(existsSync(join(folder, 'dry'))).toBe(false);
  });

  test('a method that trains nothing says so, and that it has no curves', async () => {
    const words = [
      ...['pretrain', '--data', manifest, '--method', 'random'],
      ...['--set', 'data.size=32', 'model.width=0.25', `data.cacheFolder=${folder}/cache`],
    ];
    const dry = await anatomy([...words, '--dry-run']);
    expect(dry.stdout).toMatch(/\nrandom trains nothing; peak memory /);
    const { code, stderr } = await anatomy([...words, '--out', 'random']);
    expect(code).toBe(0);
    expect(stderr).toContain('finished: random (random trains nothing)');
    expect(stderr).toContain(`next: node ${main} evaluate logreg --run random\n`);
    expect(stderr).not.toMatch(/tensorboard|took/);
  });

  test.each([
    ['has no labels', /,[^,\n]*$/gm, "evaluate pairs --run 'no label'"],
    ['has labels', /$^/g, "evaluate logreg --run 'no label'"],
    ['is of three patients', /(?<=,patient)-\d*[02-9](?=,)/g, "evaluate logreg --folds 3 --run 'no label'"],
    ['is of one patient', /(?<=,patient)-\d+/g, "report 'no label'"],
  ])('the next step fits data that %s, and is quoted for a shell', async (_, cut, next) => {
    const some = join(dirname(manifest), 'some.csv');
    const words = [
      ...['pretrain', '--data', some, '--method', 'random', '--out', 'no label'],
      ...['--overwrite', '--set', 'data.size=32', 'model.width=0.25', `data.cacheFolder=${folder}/cache`],
    ];
    writeFileSync(some, readFileSync(manifest, 'utf8').replace(cut, ''));
    for (const time of ['finished', 'was finished']) {
      const { stderr } = await anatomy(words.filter((word) => time === 'finished' || word !== '--overwrite'));
      expect(stderr, time).toContain(`next: node ${main} ${next}\n`);
    }
  });

  test('a loss that is not finite exits with 1 and shows no stack', async () => {
    const explode = 'training.schedule={kind: multistep, milestones: [4], gamma: 1e20, unit: step}';
    const ended = await anatomy([...pretrain('nan', explode), '--json']);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ run: 'nan', kind: 'failed' });
    expect(ended.stderr).toMatch(/training failed at step 6: .*The checkpoint of step 3 is kept/);
    expect(ended.stderr).not.toMatch(/\n {4}at /);
    const early = await anatomy([...pretrain('early', explode.replace('[4]', '[1]'))]);
    expect(early.code).toBe(1);
    expect(early.stderr).toMatch(/training failed at step 3: .*No checkpoint was written before/);
    expect(existsSync(join(folder, 'nan', 'failure.json'))).toBe(true);
  });
});
