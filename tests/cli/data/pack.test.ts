import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writePack } from '../../../src/data/pack/packWrite.js';
import { readJsonLines } from '../../../src/log/jsonLines.js';
import { gappedDataset } from '../../data/gapped.js';

/** Runs the built program in processes of its own, where a thread decodes what is streamed, and signals are real. */
const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const DATA = 'phantom:breast,pairs=24,seed=0';
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anatomy-pack-'));
  const packed = await anatomy([
    'data',
    'pack',
    '--data',
    DATA,
    '--size',
    '40',
    '--shards',
    'shards',
    '--shard-size',
    '7',
    '--json',
  ]);
  expect(packed.stdout).toBe('{"shards":"shards","samples":24,"files":4}\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Child = ReturnType<typeof spawn>;

async function anatomy(
  args: readonly string[],
  react: (child: Child, stderr: string) => void = () => {},
  node: readonly string[] = [],
) {
  const child = spawn(process.execPath, [...node, main, ...args], {
    cwd: folder,
    env: {
      ...process.env,
      OMP_NUM_THREADS: '1',
      OMP_WAIT_POLICY: 'passive',
      NO_COLOR: '1',
      XDG_CACHE_HOME: join(folder, 'xdg'),
    },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
    react(child, stderr);
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

const STEPS = 9;
const pretrain = (out: string, data: string, ...more: string[]) => [
  ...['pretrain', '--data', data, '--out', out, '--set', 'data.size=32', `training.steps=${STEPS}`],
  ...['model.width=0.25', 'method.maps=[1,2,3]', 'method.patches=[2,2]', 'training.batchSize=4'],
  ...['training.checkpointEvery=3', 'monitor.every=5', 'monitor.pairs=4', ...more],
];

function result(out: string) {
  const bytes = readFileSync(join(folder, out, 'encoder.safetensors'));
  const metrics = readJsonLines(join(folder, out, 'metrics.jsonl'));
  return {
    encoder: createHash('sha256').update(bytes).digest('hex'),
    metrics: metrics.map(({ pairsPerSecond: _, ...line }) => line),
  };
}

test('a streamed run killed with -9 and resumed ends on the bits of one that never was, and caches nothing', async () => {
  const run = (out: string) => pretrain(out, 'shards', 'data.shuffleBuffer=9');
  expect((await anatomy(run('alone'))).stderr).toContain('finished: alone');
  // The sixth step is the last of the first epoch: the buffer runs empty and fills anew around it.
  const file = join(folder, 'killed', 'metrics.jsonl');
  let timer: NodeJS.Timeout | undefined;
  const { code } = await anatomy(run('killed'), (child) => {
    timer ??= setInterval(() => {
      if (existsSync(file) && readFileSync(file, 'utf8').split('\n').length > 5) child.kill('SIGKILL');
    }, 5);
  });
  clearInterval(timer);
  expect(code).toBeNull();
  expect((await anatomy(run('killed'))).stderr).toMatch(/resuming after step \d+ of 9/);
  expect(result('killed')).toEqual(result('alone'));
  // The cache has no images, only the places where the data lie.
  expect(readdirSync(join(folder, 'xdg', 'anatomy-ssl'))).toEqual(['places']);
});

/** Simulates a machine on which the package sharp cannot be loaded. */
const withoutSharp = () => {
  const [hook, block] = [join(folder, 'hook.mjs'), join(folder, 'block.mjs')];
  writeFileSync(
    hook,
    'export const resolve = (name, context, next) => { if (name === "sharp") throw new Error("no sharp here"); return next(name, context); };',
  );
  writeFileSync(
    block,
    `import { register } from 'node:module'; register(${JSON.stringify(`file://${hook}`)});`,
  );
  return ['--import', block];
};

test('a pack is made of a phantom and trained on without sharp, straight from its file', async () => {
  const pack = ['data', 'pack', '--data', DATA, '--size', '40', '--out', 'pairs.safetensors', '--json'];
  const made = await anatomy(pack, undefined, withoutSharp());
  expect([made.code, made.stdout]).toEqual([0, '{"out":"pairs.safetensors","samples":24,"size":40}\n']);
  const run = pretrain('packed', 'pairs.safetensors', 'training.steps=2');
  const trained = await anatomy(run, undefined, withoutSharp());
  expect(trained.stderr).toContain('finished: packed');
  // The findings of the quick look are kept, but no image is copied.
  expect(readdirSync(join(folder, 'xdg', 'anatomy-ssl')).sort()).toEqual(['audits', 'places']);
  const streamed = await anatomy(pretrain('no', 'shards', 'data.shuffleBuffer=9'), undefined, withoutSharp());
  expect([streamed.code, streamed.stderr]).toEqual([1, expect.stringContaining('no sharp here')]);
});

test.each([
  ['SIGINT', 130, ['--out', 'stopped.safetensors']],
  ['SIGTERM', 143, ['--shards', 'stopped']],
] as const)('%s while packing exits with %i and leaves nothing', async (signal, code, place) => {
  const before = readdirSync(folder);
  const args = ['data', 'pack', '--data', 'phantom:breast,pairs=4000,seed=0', '--size', '96', ...place];
  let sent = false;
  const stopped = await anatomy(args, (child, stderr) => {
    if (!sent && stderr.includes('packing')) sent = child.kill(signal);
  });
  expect(stopped).toMatchObject({ code, stdout: '' });
  expect(stopped.stderr).toContain(`${signal}: nothing was written`);
  expect(readdirSync(folder)).toEqual(before);
});

test('flags that do not go together and files that exist are refused with exit code 2', async () => {
  const pack = (...more: string[]) => anatomy(['data', 'pack', '--data', DATA, ...more]);
  const refused = await Promise.all([
    pack('--size', '32'),
    pack('--out', 'x.safetensors'),
    pack('--out', 'x.safetensors', '--size', '0'),
    pack('--out', 'shards', '--size', '32'),
    pack('--shards', 'shards', '--size', '32'),
  ]);
  expect(refused.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
  expect(refused.map(({ stderr }) => stderr.trim())).toEqual([
    expect.stringContaining('expected one of --out FILE'),
    expect.stringContaining('--size is missing'),
    expect.stringContaining("'0' is invalid. Expected a whole number from 1."),
    expect.stringContaining('ends in .safetensors'),
    expect.stringContaining('shards exists; choose another --shards, or --overwrite it'),
  ]);
});

test('packs and shards tell how many images are missing', async () => {
  await writePack(await gappedDataset(join(folder, 'files')), join(folder, 'gapped.safetensors'), {
    size: 32,
  });
  for (const target of [
    ['--size', '16', '--out', 'again.safetensors'],
    ['--shards', 'gapped-shards'],
  ]) {
    const { code, stdout, stderr } = await anatomy([
      ...['data', 'pack', '--data', 'gapped.safetensors', '--json'],
      ...target,
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain('of 12 samples 1 lacks a, 3 lack b, 6 lack c');
    expect(JSON.parse(stdout)).toMatchObject({ samples: 12, missing: { a: 1, b: 3, c: 6 } });
  }
});
