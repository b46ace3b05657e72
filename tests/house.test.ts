import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src/', import.meta.url));

/** What each room of the house may import from; rooms that are not listed may import all. Root files serve everybody. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  tensor: [],
  log: ['export'], // TensorBoard events share the protobuf encoder
  losses: ['tensor'],
  banks: ['tensor'],
  nn: ['tensor'],
  optim: ['tensor'],
  metrics: ['tensor'],
  augment: ['tensor'],
  data: ['tensor', 'export'], // packs are safetensors files
  methods: ['tensor', 'nn', 'losses', 'banks', 'augment'],
  config: ['augment', 'optim', 'methods'],
  export: ['tensor', 'nn'],
  training: [
    'tensor',
    'nn',
    'losses',
    'optim',
    'metrics',
    'augment',
    'data',
    'methods',
    'config',
    'export',
    'log',
  ],
  evaluation: [
    'tensor',
    'nn',
    'losses',
    'optim',
    'metrics',
    'augment',
    'data',
    'methods',
    'config',
    'export',
    'log',
    'training',
  ],
  experiments: ['methods', 'metrics', 'data', 'config', 'log', 'training', 'evaluation', 'report'],
};

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

/** [file, file it imports], relative to src/ */
const imports = files(src).flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(
    ([, target]) => [relative(src, file), relative(src, join(dirname(file), target!))] as const,
  ),
);

const roomOf = (path: string): string => (path.includes('/') ? path.split('/')[0]! : '');

describe('the house', () => {
  test('imports run one way', () => {
    const wrong = imports.filter(([from, to]) => {
      const [room, target] = [roomOf(from), roomOf(to)];
      return (
        target !== '' &&
        target !== room &&
        MAY_IMPORT[room] !== undefined &&
        !MAY_IMPORT[room].includes(target)
      );
    });
    expect(wrong.map(([from, to]) => `${from} imports ${to}`)).toEqual([]);
  });

  test('only src/tensor/native.ts loads the addon', () => {
    const loaders = files(src).filter((file) => /createRequire|\.node'/.test(readFileSync(file, 'utf8')));
    expect(loaders.map((file) => relative(src, file))).toEqual(['tensor/native.ts']);
  });

  test('any file of src/tensor can be the first to load, in spite of their circle of imports', async () => {
    const dist = new URL('../dist/tensor/', import.meta.url);
    const names = readdirSync(join(src, 'tensor')).map((name) => name.replace(/\.ts$/, '.js'));
    const load = (name: string) =>
      promisify(execFile)(process.execPath, ['--eval', `import('${new URL(name, dist)}')`]);
    await Promise.all(names.map(load));
  });

  test('the command line loads the engine only inside its commands', () => {
    // --help must not wait for LibTorch: other rooms are imported when a command runs.
    const statics = files(join(src, 'cli')).flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/^import (?!type )[^;]*from '\.\.\/(\w+)\//gm)].map(
        ([, room]) => `${relative(src, file)} imports ${room}`,
      ),
    );
    expect(statics.filter((line) => !/ imports (log|tensor|data)$/.test(line))).toEqual([]);
  });
});
