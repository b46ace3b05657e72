/** Several real processes train together: what they compute, and how they end and go on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJsonLines } from '../../src/log/jsonLines.js';
import { native } from '../../src/tensor/native.js';
import { chooseGpu, placeOf } from '../../src/training/processes.js';
import { divideBatch, evenLengths, positionsOf } from '../../src/training/together.js';
import { METHODS, writePairs } from './tiny.js';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const main = file('../../dist/cli/main.js');

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(words: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, words, {
    // Passive: threads that spin while they wait for the others crawl on a machine with few cores.
    env: { ...process.env, OMP_WAIT_POLICY: 'passive', NO_COLOR: '1', ...environment },
  });
  const told = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    told.stdout += text;
  });
  child.stderr.on('data', (text) => {
    told.stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => resolve({ ...told, code, signal }));
  });
  return { child, ended };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Reported {
  readonly set: string;
  readonly loss: number;
  readonly state: number;
  readonly inspection: number;
  /** The tensor whose difference is the largest. */
  readonly worst: string;
  readonly divided: number;
  readonly missing: readonly string[];
  readonly more: number;
}

/** The differences between steps by `size` processes and by one. */
async function differences(
  size: number,
  sets: readonly (readonly string[])[],
  options: Record<string, unknown> = {},
): Promise<Reported[]> {
  const port = await freePort();
  const all = Array.from({ length: size }, (_, rank) => {
    const { child, ended } = start([file('processes/worker.mjs')]);
    child.stdin!.end(JSON.stringify({ rank, size, port, sets, ...options }));
    return ended;
  });
  const ended = await Promise.all(all);
  for (const { code, stderr } of ended) expect(code, stderr).toBe(0);
  return JSON.parse(ended[0]!.stdout) as Reported[];
}

const chosen = (...places: number[]) => places.map((place) => METHODS[place]!);

/** Where the machine lacks Gloo's headers the addon has no groups, and says so. */
const alone = native().openGroup === undefined;

describe.skipIf(alone)('steps of several processes are those of one', () => {
  // In f64 sums of another order differ by 1e-13 or so; batch norm over few values and DeCUR's products over the batch
  // make that larger. A factor of the world size, as in the usual ways, is an error of 1 and more.
  test.each([
    ['two, every method', 2, METHODS, { steps: 1 }],
    ['three, in micro-batches, shares of one or two pairs', 3, chosen(0, 10, 18), { microBatch: 6 }],
    ['four, and images are missing', 4, chosen(0, 3, 5, 10), { gaps: true }],
    ['two, batch norm of each alone as of micro-batches', 2, chosen(0, 5), { norms: 'local' }],
  ] as const)('%s', async (_, size, sets, options) => {
    const found = await differences(size, sets, options);
    expect(found).toHaveLength(sets.length);
    for (const { set, loss, state, inspection, worst, divided, missing, more } of found) {
      expect(divided, set).toBeGreaterThan(0);
      expect({ missing, more }, set).toEqual({ missing: [], more: 0 });
      expect(loss, set).toBeLessThan(1e-11);
      expect(state, `${set}: ${worst}`).toBeLessThan(1e-10);
      // Norms of gradients are taken in f32.
      expect(inspection, set).toBeLessThan(1e-4);
    }
  });

  test('in f32 their loss agrees to 1e-5', async () => {
    // Gradients are not compared: sums of another order choose another of two pixels that a max-pool finds equal.
    const [{ loss }] = (await differences(2, chosen(5), { f64: false, steps: 1 })) as [Reported];
    expect(loss).toBeLessThan(1e-5);
    expect(loss).toBeGreaterThan(0);
  });

  test('in bf16 their losses agree as far as it counts', async () => {
    const bf16 = { f64: false, precision: 'bf16', steps: 1 };
    const found = await differences(2, chosen(0, 3, 5, 10), bf16);
    // A bf16 has 8 bits, and batch norm over several processes rounds once less.
    for (const { set, loss } of found) expect(loss, set).toBeLessThan(2e-2);
  });
});

describe('a batch is divided', () => {
  const pairs = (count: number, present?: Record<string, number[]>) => {
    const rows = Array.from({ length: count }, (_, i) => 100 + i);
    return { ids: rows.map(String), rows, epoch: 0, ...(present && { present }) };
  };

  test('into shares of each micro-batch, in its order', () => {
    const parts = divideBatch(pairs(10), { microBatch: 5, size: 2, norms: 'sync' })!;
    expect(parts.map((micro) => micro.map(({ rows }) => rows))).toEqual([
      [
        [100, 101, 102],
        [103, 104],
      ],
      [
        [105, 106, 107],
        [108, 109],
      ],
    ]);
    expect(positionsOf(parts, 0)).toEqual([0, 1, 2, 5, 6, 7]);
    expect(positionsOf(parts, 1)).toEqual([3, 4, 8, 9]);
    expect(evenLengths(7, 3)).toEqual([
      [0, 3],
      [3, 2],
      [5, 2],
    ]);
  });

  test('unless a share is empty, has too few for its own batch norm, or lacks a modality', () => {
    const divide = (
      count: number,
      size: number,
      norms: 'sync' | 'local',
      present?: Record<string, number[]>,
    ) => divideBatch(pairs(count, present), { microBatch: count, size, norms });
    expect(divide(2, 3, 'sync')).toBeUndefined();
    expect(divide(3, 3, 'sync')).toBeDefined();
    expect(divide(5, 3, 'local')).toBeUndefined();
    expect(divide(6, 3, 'local')).toBeDefined();
    expect(divide(4, 2, 'sync', { b: [0, 1] })).toBeUndefined();
    expect(
      divide(4, 2, 'sync', { b: [1, 2] })!
        .flat()
        .map(({ present }) => present),
    ).toEqual([{ b: [1] }, { b: [0] }]);
    // A modality that nobody has is no reason.
    expect(divide(4, 2, 'sync', { b: [] })).toBeDefined();
  });
});

describe('the launcher says who a process is', () => {
  const torchrun = {
    ...{ RANK: '3', WORLD_SIZE: '4', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '2' },
    ...{ MASTER_ADDR: 'host', MASTER_PORT: '29500' },
  };

  test('torchrun', () => {
    const agent = { TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2' };
    expect(placeOf({ ...torchrun, ...agent, RANK: '0', TORCHELASTIC_RUN_ID: 'job' })).toEqual({
      ...{ rank: 0, size: 4, localRank: 1, localSize: 2, host: 'host', port: 29500 },
      ...{ opensStore: false, prefix: 'anatomy/job/2' },
    });
    expect(placeOf({ ...torchrun, RANK: '0' })!.opensStore).toBe(true);
    expect(placeOf(torchrun)!.opensStore).toBe(false);
  });

  test('srun, and not the batch script around it', () => {
    const script = { SLURM_PROCID: '0', SLURM_NTASKS: '4', SLURM_JOB_ID: '40007' };
    expect(placeOf(script)).toBeUndefined();
    const step = {
      ...script,
      SLURM_STEP_NUM_TASKS: '4',
      SLURM_LOCALID: '0',
      SLURM_LAUNCH_NODE_IPADDR: '10.0.0.1',
    };
    expect(placeOf(step)).toMatchObject({
      rank: 0,
      size: 4,
      host: '10.0.0.1',
      port: 20007,
      opensStore: true,
    });
  });

  test('a single process is alone', () => {
    expect(placeOf({})).toBeUndefined();
    expect(placeOf({ ...torchrun, WORLD_SIZE: '1', RANK: '0' })).toBeUndefined();
  });

  test.each([
    [{ RANK: 'x' }, /RANK is x, expected a whole number from 0/],
    [{ RANK: '4' }, /RANK is 4, expected 0 to 3, as there are 4 processes/],
    [{ MASTER_PORT: '' }, /MASTER_PORT is , expected a whole number from 1/],
  ])('%o is refused by name', (wrong, message) => {
    expect(() => placeOf({ ...torchrun, ...wrong })).toThrow(message);
  });

  test('each process takes the GPU of its number, unless it was given one', () => {
    const chosen = (visible?: string) => {
      const environment: Record<string, string | undefined> = { CUDA_VISIBLE_DEVICES: visible };
      chooseGpu(placeOf(torchrun)!, environment);
      return environment.CUDA_VISIBLE_DEVICES;
    };
    expect(chosen()).toBe('1');
    expect(chosen('4,6')).toBe('6');
    expect(chosen('5')).toBe('5');
    expect(chosen('')).toBe('');
    const second = { ...torchrun, LOCAL_RANK: '2' };
    expect(() => chooseGpu(placeOf(second)!, { CUDA_VISIBLE_DEVICES: '4,6' })).toThrow(
      /CUDA_VISIBLE_DEVICES is 4,6, 2 GPUs, and this is process 2/,
    );
  });

  test('a missing address is refused by name', () => {
    const { MASTER_ADDR: _, ...rest } = torchrun;
    expect(() => placeOf(rest)).toThrow(/MASTER_ADDR is not set/);
  });
});

describe.skipIf(alone)('anatomy pretrain and embed --processes', () => {
  let folder: string;
  let words: string[];
  let data: string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'anatomy-processes-'));
    const manifest = await writePairs(folder);
    data = ['--data', manifest];
    words = [
      main,
      'pretrain',
      '--steps',
      '12',
      '--quiet',
      '--set',
      'data.size=32',
      'training.learningRate=0.001',
    ];
    words.push('model.width=0.25', 'method.maps=[1,2,3]', 'method.patches=[2,2]', 'training.batchSize=10');
    words.push('training.precision=fp32', 'training.threads=1', 'training.checkpointEvery=2');
    words.push('monitor.every=5', 'monitor.pairs=8', `data.cacheFolder=${join(folder, 'cache')}`);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (out: string, ...more: string[]) =>
    start([...words, ...data, '--out', join(folder, out), '--processes', '2', ...more]);
  const digest = (out: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, out, 'encoder.safetensors')))
      .digest('hex');
  const steps = (out: string) => {
    const metrics = join(folder, out, 'metrics.jsonl');
    return existsSync(metrics) ? readFileSync(metrics, 'utf8').split('\n').length - 1 : 0;
  };

  /** The process ids of the two, by their rank, as far as they have begun: before that a child is a copy of its parent. */
  function ranks({ pid }: ChildProcess): number[] {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    const begun = children.flatMap((child) => {
      const rank = /(?:^|\0)RANK=(\d+)/.exec(readFileSync(`/proc/${child}/environ`, 'utf8'))?.[1];
      return rank === undefined ? [] : [{ child: Number(child), rank: Number(rank) }];
    });
    return begun.sort((a, b) => a.rank - b.rank).map(({ child }) => child);
  }

  test('whichever is killed, the other one ends and says so, and the same command goes on to the same bits', async () => {
    const whole = await run('whole').ended;
    expect(whole.stderr).toBe('');
    expect(whole.code).toBe(0);
    for (const [victim, after] of [
      [1, 3],
      [0, 7],
    ] as const) {
      const { child, ended } = run('killed');
      while (steps('killed') < after) await sleep(20);
      process.kill(ranks(child)[victim]!, 'SIGKILL');
      const { code, stderr } = await ended;
      expect(code).toBe(137);
      expect(stderr).toMatch(
        victim === 1 ? /process 0 of 2: process 1 stopped/ : /process 1 of 2: .*process 0/,
      );
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
    const resumed = await run('killed').ended;
    expect(resumed.stderr).toBe('');
    expect(resumed.code).toBe(0);
    expect(digest('killed')).toBe(digest('whole'));
    const curve = (out: string) =>
      readJsonLines(join(folder, out, 'metrics.jsonl')).map(
        ({ pairsPerSecond: _, communicationShare, ...line }) => {
          expect(communicationShare).toBeGreaterThan(0);
          expect(communicationShare).toBeLessThan(1);
          return line;
        },
      );
    expect(curve('killed')).toEqual(curve('whole'));
    // A finished run goes on by several processes too: the first one alone moves what was finished.
    const longer = ['pretrain', '--out', join(folder, 'whole'), '--more-steps', '2', '--processes', '2'];
    const more = await start([main, '--quiet', ...longer]).ended;
    expect(more).toMatchObject({ code: 0, stderr: '' });
    expect(steps('whole')).toBe(14);
  });

  test('one that is killed before they have met ends the others, with a line that says so', async () => {
    const { child, ended } = run('early');
    while (ranks(child).length < 2) await sleep(5);
    process.kill(ranks(child)[0]!, 'SIGKILL');
    const { code, stderr } = await ended;
    expect(code).toBe(137);
    expect(stderr).toBe(
      'error: process 0 of 2 ended with SIGKILL before all had met; the others waited for it and were ended too\n',
    );
    expect(existsSync(join(folder, 'early'))).toBe(false);
  });

  test('a signal to the launcher saves, and another number of processes goes on only where it is allowed', async () => {
    const { child, ended } = run('stopped');
    while (steps('stopped') < 3) await sleep(20);
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(143);
    expect(stderr).toMatch(/SIGTERM: saved after step \d+; the same command goes on from there/);
    const single = await start([...words, ...data, '--out', join(folder, 'stopped')]).ended;
    expect(single.code).toBe(2);
    expect(single.stderr).toMatch(/processes: 2 → 1.*--allow-inexact/);
    const allowed = await start([...words, ...data, '--out', join(folder, 'stopped'), '--allow-inexact'])
      .ended;
    expect(allowed.code).toBe(0);
  });

  test('a mistake is told once', async () => {
    const wrong = await run('wrong', '--set', 'data.fold=7').ended;
    expect(wrong.code).toBe(2);
    expect(wrong.stderr.match(/error/g)).toHaveLength(1);
    const missing = await run('missing', '--set', 'data.columns.a=nowhere').ended;
    expect(missing.code).toBe(3);
    expect(missing.stderr.match(/error/g)).toHaveLength(1);
    expect(existsSync(join(folder, 'missing'))).toBe(false);
    const place = { RANK: '0', WORLD_SIZE: '3', MASTER_ADDR: '127.0.0.1', MASTER_PORT: '1' };
    const both = await start([...words, ...data, '--out', join(folder, 'missing'), '--processes=2'], place)
      .ended;
    expect(both.stderr).toMatch(/--processes is 2, but this is already one of 3 processes/);
    expect(both.code).toBe(2);
  });

  test('processes with other data refuse to train together', async () => {
    const port = String(await freePort());
    const both = ['0', '1'].map((rank) => {
      const place = { RANK: rank, WORLD_SIZE: '2', MASTER_ADDR: '127.0.0.1', MASTER_PORT: port };
      const data = `phantom:breast,pairs=12,seed=${rank}`;
      return start([...words, '--data', data, '--out', join(folder, 'other')], place).ended;
    });
    for (const { code, stderr } of await Promise.all(both)) {
      expect(code).toBe(3);
      expect(stderr).toMatch(/process 1 of 2 reads other data than process 0/);
    }
    expect(existsSync(join(folder, 'other'))).toBe(false);
  });

  test('features by two processes are those of one to the bit, also where images are missing', async () => {
    await start([...words, ...data, '--steps', '1', '--out', join(folder, 'encoder')]).ended;
    // A has three batches, so that one process is spare at the end; B has two.
    const manifest = join(folder, 'many.csv');
    const rows = Array.from({ length: 140 }, (_, i) => {
      return `r${i},s${i},images/a${i % 24}.png,${i % 3 === 2 ? '' : `images/b${i % 23}.png`}`;
    });
    writeFileSync(manifest, `${['id,subject,a,b', ...rows].join('\n')}\n`);
    const embed = (out: string, ...more: string[]) => {
      const run = ['--run', join(folder, 'encoder'), '--data', manifest, '--features', 'map2'];
      // Each process has one thread, as another number adds up in another order.
      const one = { OMP_NUM_THREADS: '1', ANATOMY_TIMEOUT: '60' };
      return start([main, '--quiet', 'embed', ...run, '--out', join(folder, out), ...more], one).ended;
    };
    for (const { code, stderr } of [await embed('one.npy'), await embed('two.npy', '--processes', '2')]) {
      expect(code).toBe(0);
      expect(stderr).toMatch(/^warning: many: 46 of 140 samples lack b; [^\n]*\n$/);
    }
    expect(readFileSync(join(folder, 'two.npy')).equals(readFileSync(join(folder, 'one.npy')))).toBe(true);
  });
});
