import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src/', import.meta.url));

/**
 * Every room of the house, from the ground up, with the rooms that its files may import: only rooms further up in
 * this list, so imports run one way. A room is a folder with all below it that has no entry of its own, or a single
 * file. The ground floor (errors, files, version, threads, text, protobuf) serves everybody.
 */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  files: [],
  version: [],
  threads: [],
  text: [],
  protobuf: [],
  tensor: [],
  nn: ['tensor'],
  losses: ['tensor'],
  banks: ['tensor'],
  optim: ['tensor'],
  metrics: ['tensor'],
  augment: ['tensor'],
  log: [],
  export: ['tensor', 'nn'],
  data: [],
  'data/formats': ['data'],
  'data/images': ['augment', 'data', 'data/formats'],
  phantoms: ['tensor', 'data', 'data/images'],
  'data/volumes': ['data', 'data/formats'],
  'data/open': ['data', 'data/formats'],
  'data/datasets': ['data', 'data/formats', 'data/open'],
  'data/cache': ['phantoms', 'data', 'data/formats', 'data/images'],
  'data/pack': ['export', 'data', 'data/cache'],
  'data/shards': ['data', 'data/formats', 'data/images', 'data/open', 'data/cache', 'data/pack'],
  'data/loading': ['tensor', 'data', 'data/images', 'data/cache', 'data/pack'],
  'data/align': ['data', 'data/images', 'data/open', 'data/cache'],
  'data/audit': [
    ...['tensor', 'metrics', 'data', 'data/formats', 'data/images', 'data/open', 'data/cache', 'data/align'],
  ],
  'data/splits': ['tensor', 'data', 'data/audit'],
  'data/kinds': [
    ...['phantoms', 'data', 'data/formats', 'data/volumes', 'data/open', 'data/datasets', 'data/pack'],
    'data/shards',
  ],
  'data/openDataset': ['data', 'data/open', 'data/kinds'],
  'data/write': [
    ...['phantoms', 'data', 'data/images', 'data/open', 'data/cache', 'data/align', 'data/pack'],
    'data/openDataset',
  ],
  methods: ['tensor', 'nn', 'losses', 'banks', 'augment'],
  config: ['nn', 'augment', 'methods'],
  training: [
    ...['tensor', 'nn', 'optim', 'metrics', 'methods', 'augment', 'config', 'export', 'log'],
    ...['phantoms', 'data', 'data/open', 'data/cache', 'data/loading', 'data/audit', 'data/splits'],
    'data/openDataset',
  ],
  'evaluation/results': ['metrics'],
  'evaluation/probes': ['tensor', 'metrics'],
  'evaluation/encoders': [
    ...['tensor', 'nn', 'config', 'export', 'log', 'training'],
    ...['data', 'data/open', 'data/openDataset', 'evaluation/results'],
  ],
  'evaluation/folds': [
    ...['tensor', 'methods', 'training', 'data', 'data/open', 'data/cache', 'data/loading', 'data/splits'],
    'data/openDataset',
    ...['evaluation/results', 'evaluation/encoders'],
  ],
  'evaluation/features': [
    ...['tensor', 'nn', 'metrics', 'export', 'log', 'training'],
    ...['data/images', 'data/cache', 'data/loading'],
    ...['evaluation/results', 'evaluation/encoders', 'evaluation/folds'],
  ],
  'evaluation/openJudgement': [
    ...['log', 'training', 'data', 'data/cache'],
    ...['evaluation/results', 'evaluation/encoders', 'evaluation/folds'],
  ],
  'evaluation/crossValidate': [
    ...['metrics', 'log', 'evaluation/results', 'evaluation/probes', 'evaluation/folds'],
    'evaluation/features',
  ],
  'evaluation/trained': [
    ...['tensor', 'nn', 'optim', 'losses', 'metrics', 'methods', 'log', 'training', 'data/cache'],
    ...['data/loading', 'evaluation/results', 'evaluation/probes'],
    ...['evaluation/encoders', 'evaluation/folds', 'evaluation/features', 'evaluation/crossValidate'],
  ],
  'evaluation/protocols': [
    ...['evaluation/results', 'evaluation/probes', 'evaluation/crossValidate', 'evaluation/trained'],
  ],
  'evaluation/summary': [
    ...['nn', 'metrics', 'methods', 'data', 'evaluation/results', 'evaluation/encoders'],
    'evaluation/folds',
  ],
  'evaluation/pairs': [
    ...['tensor', 'nn', 'losses', 'metrics', 'methods', 'augment', 'config', 'log', 'training', 'phantoms'],
    ...['data', 'data/formats', 'data/cache', 'data/loading', 'data/splits'],
    ...['evaluation/results', 'evaluation/encoders'],
    ...['evaluation/folds', 'evaluation/openJudgement', 'evaluation/features', 'evaluation/summary'],
  ],
  evaluation: [
    ...['methods', 'data', 'data/audit', 'data/cache', 'evaluation/results', 'evaluation/probes'],
    ...['evaluation/encoders', 'evaluation/folds', 'evaluation/openJudgement', 'evaluation/features'],
    ...['evaluation/trained', 'evaluation/protocols', 'evaluation/summary'],
  ],
  use: [
    ...['tensor', 'nn', 'metrics', 'methods', 'augment', 'config', 'export', 'log', 'training', 'phantoms'],
    ...['data', 'data/images', 'data/cache', 'data/loading', 'data/align', 'data/splits'],
    'data/openDataset',
    ...['evaluation/results', 'evaluation/probes', 'evaluation/encoders', 'evaluation/folds'],
    ...['evaluation/features', 'evaluation/openJudgement', 'evaluation/trained', 'evaluation/summary'],
  ],
  'report/html': ['evaluation/results'],
  'report/figures': ['metrics', 'log', 'evaluation/results'],
  'report/source': [
    ...['tensor', 'methods', 'config', 'log', 'training', 'phantoms'],
    ...['data', 'data/images', 'data/loading', 'data/audit', 'evaluation/results'],
  ],
  'report/reportFolder': ['log', 'report/html', 'report/figures'],
  'report/judged': [
    ...['metrics', 'log', 'data', 'evaluation', 'evaluation/results'],
    ...['report/figures', 'report/source'],
  ],
  'report/align': ['data', 'data/images', 'data/open', 'data/align', 'report/html'],
  'report/audit': [
    ...['data', 'data/images', 'data/align', 'data/audit', 'evaluation/results'],
    ...['report/html', 'report/figures', 'report/source'],
  ],
  'report/cases': ['data', 'evaluation/results', 'report/html', 'report/source'],
  'report/study': [
    ...['methods', 'log', 'evaluation', 'evaluation/results'],
    ...['report/html', 'report/figures', 'report/source', 'report/reportFolder', 'report/judged'],
  ],
  'report/run': [
    ...['methods', 'config', 'log', 'training', 'evaluation', 'evaluation/results'],
    ...['report/html', 'report/figures', 'report/source', 'report/reportFolder', 'report/judged'],
  ],
  report: ['report/run', 'report/study', 'report/source', 'report/reportFolder'],
  'experiments/file': [
    ...['metrics', 'methods', 'config', 'training', 'phantoms', 'data', 'data/splits', 'data/openDataset'],
    ...['evaluation/results', 'evaluation/folds', 'evaluation/protocols'],
  ],
  'experiments/stored': [
    ...['config', 'data', 'data/splits', 'evaluation/results', 'evaluation/protocols', 'experiments/file'],
  ],
  'experiments/table': [
    ...['metrics', 'methods', 'config', 'log', 'training', 'phantoms', 'data'],
    ...['evaluation/results', 'evaluation/probes', 'evaluation/encoders', 'evaluation/protocols'],
    ...['evaluation/summary', 'experiments/file', 'experiments/stored'],
  ],
  'experiments/print': ['metrics', 'evaluation/results', 'experiments/table'],
  'experiments/run': [
    ...['config', 'log', 'training', 'data', 'data/splits', 'data/openDataset', 'evaluation'],
    ...['evaluation/results', 'experiments/file', 'experiments/stored', 'experiments/table'],
  ],
  'experiments/report': [
    ...['methods', 'config', 'log', 'training', 'evaluation/results'],
    ...['report/figures', 'report/source', 'report/judged', 'report/study', 'report'],
    ...['experiments/file', 'experiments/stored', 'experiments/table', 'experiments/print'],
  ],
  'server/messages': [],
  'server/explorer': [
    ...['tensor', 'nn', 'metrics', 'log', 'training', 'use'],
    ...['data', 'data/formats', 'data/cache', 'data/loading', 'data/audit', 'data/images'],
    ...['data/openDataset', 'evaluation', 'evaluation/results', 'evaluation/summary'],
    ...['evaluation/encoders', 'evaluation/features', 'evaluation/pairs', 'server/messages'],
  ],
  server: [
    'config',
    'data/open',
    'evaluation',
    'evaluation/results',
    'experiments/stored',
    'report/source',
    'training',
    'server/messages',
    'server/explorer',
  ],
  index: [
    ...['tensor', 'nn', 'losses', 'banks', 'optim', 'metrics', 'config', 'log', 'training', 'use'],
    ...['data', 'data/openDataset', 'data/audit', 'evaluation', 'evaluation/results'],
  ],
  // The command line knows everything, and nothing but bin/anatomy knows it.
  cli: ['*'],
};

const GROUND = ['errors', 'files', 'version', 'threads', 'text', 'protobuf'];

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

interface Import {
  readonly from: string;
  readonly to: string;
  /** Loaded with the file itself: neither a type nor inside a function. */
  readonly atOnce: boolean;
}

/** All imports among the files of src/, relative to it. */
const imports: readonly Import[] = files(src).flatMap((file) => {
  const text = readFileSync(file, 'utf8');
  const found = text.matchAll(/(^(?:import|export) (type )?[^;]*?from|import\()\s*'(\.[^']+)'/gm);
  return [...found].map(([, how, type, target]) => ({
    from: relative(src, file),
    to: relative(src, join(dirname(file), target!)).replace(/\.js$/, '.ts'),
    atOnce: how !== 'import(' && type === undefined,
  }));
});

/** The most particular room that a file lies in; undefined where none is listed. */
function roomOf(file: string): string | undefined {
  const parts = file.replace(/\.ts$/, '').split('/');
  for (let length = parts.length; length > 0; length -= 1) {
    const place = parts.slice(0, length).join('/');
    if (Object.hasOwn(ROOMS, place)) return place;
  }
  return undefined;
}

/** Files that can be reached from each other, as sorted lists; Tarjan's algorithm. */
function circlesOf(arrows: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string) => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const next of arrows.get(file) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const file of arrows.keys()) if (!order.has(file)) visit(file);
  return circles;
}

describe('the house', () => {
  test('every file lies in a room that is listed', () => {
    const homeless = files(src)
      .map((file) => relative(src, file))
      .filter((file) => roomOf(file) === undefined);
    expect(homeless).toEqual([]);
  });

  test('every room that is listed exists, and may only import rooms that stand before it', () => {
    const known = files(src).map((file) => roomOf(relative(src, file)));
    expect(Object.keys(ROOMS).filter((room) => !known.includes(room))).toEqual([]);
    const order = Object.keys(ROOMS);
    const upwards = order.flatMap((room, i) =>
      ROOMS[room]!.filter((other) => other !== '*' && !order.slice(0, i).includes(other)).map(
        (other) => `${room} may import ${other}`,
      ),
    );
    expect(upwards).toEqual([]);
  });

  test('imports run one way', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [room, target] = [roomOf(from)!, roomOf(to)];
      if (target === undefined || target === room || GROUND.includes(target)) return false;
      return !ROOMS[room]!.includes('*') && !ROOMS[room]!.includes(target);
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test('every room that a room may import is imported by it', () => {
    const arrows = new Set(imports.map(({ from, to }) => `${roomOf(from)} ${roomOf(to)}`));
    const unused = Object.entries(ROOMS).flatMap(([room, others]) =>
      others
        .filter((other) => other !== '*' && !arrows.has(`${room} ${other}`))
        .map((other) => `${room}: ${other}`),
    );
    expect(unused).toEqual([]);
  });

  test('no files import each other in a circle, but for the one that a tensor with methods needs', () => {
    const arrows = new Map<string, string[]>();
    for (const { from, to } of imports) arrows.set(from, [...(arrows.get(from) ?? []), to]);
    expect(circlesOf(arrows)).toEqual([
      // A tensor's methods call operators, and operators make tensors.
      ['tensor/operator.ts', 'tensor/ops.ts', 'tensor/scope.ts', 'tensor/tensor.ts'],
    ]);
  });

  test('a circle of files is found', () => {
    const arrows = new Map([
      ['a', ['b']],
      ['b', ['c', 'd']],
      ['c', ['a']],
      ['d', []],
    ]);
    expect(circlesOf(arrows)).toEqual([['a', 'b', 'c']]);
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

  test('nothing that the command line loads at its start reaches src/tensor/native.ts', () => {
    // --help must not wait for the engine, which is imported when a command runs.
    const reached = new Map([['cli/main.ts', 'cli/main.ts']]);
    for (const [file, path] of reached) {
      for (const { from, to, atOnce } of imports) {
        if (from === file && atOnce && !reached.has(to)) reached.set(to, `${path} → ${to}`);
      }
    }
    expect(reached.get('tensor/native.ts')).toBeUndefined();
    expect(reached.size).toBeGreaterThan(20);
  });
});
