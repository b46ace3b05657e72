import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { formatConfig, resolveConfig } from '../../src/config/index.js';
import { rememberPlace } from '../../src/data/cache/places.js';
import { checkRunFolder, readRunConfig, runPaths } from '../../src/training/runFolder.js';
import { storable } from '../../src/training/runPlaces.js';
import { temporaryFolder } from './tiny.js';

test('a stored run finds its data, drop list and splits again, and names them as seen from itself', () => {
  const project = temporaryFolder('anatomy-project-');
  const root = join(project, 'runs', 'first');
  const places = { path: join(project, 'pairs.csv'), drop: join(project, 'lists', 'drop.csv'), splits: null };
  const config = resolveConfig({ layers: [{ data: places }] });
  const stored = storable(config, root, project);
  expect(stored.data).toMatchObject({ path: '../../pairs.csv', drop: '../../lists/drop.csv', splits: null });
  mkdirSync(root, { recursive: true });
  writeFileSync(runPaths(root).config, formatConfig(stored));
  expect(readRunConfig(root).data).toEqual(config.data);
  expect(
    storable(resolveConfig({ layers: [{ data: { drop: '/elsewhere/drop.csv' } }] }), root, project).data.drop,
  ).toBe('drop.csv');
});

test('a stored run finds the folder of each modality and the image root again, and tells none outside its project', () => {
  const project = temporaryFolder('anatomy-project-');
  const root = join(project, 'runs', 'first');
  vi.stubEnv('XDG_CACHE_HOME', join(project, 'cache'));
  const folders = { flair: join(project, 'flair'), t1: '/elsewhere/smith/t1' };
  for (const folder of ['flair', 'scans']) mkdirSync(join(project, folder));
  const config = resolveConfig({ layers: [{ data: { folders, imageRoot: join(project, 'scans') } }] });
  const stored = storable(config, root, project);
  expect(stored.data).toMatchObject({
    path: null,
    folders: { flair: '../../flair', t1: 't1' },
    imageRoot: '../../scans',
  });
  mkdirSync(root, { recursive: true });
  writeFileSync(runPaths(root).config, formatConfig(stored));
  expect(checkRunFolder(root, config)).toBe('unfinished');
  writeFileSync(runPaths(root).provenance, '{ "dataHash": "hash" }');
  rememberPlace('hash', config.data);
  expect(readRunConfig(root).data).toMatchObject({ path: null, folders, imageRoot: join(project, 'scans') });
  // The same data may later be read from a manifest, which then replaces the folders.
  writeFileSync(join(project, 'pairs.csv'), '');
  rememberPlace('hash', { path: join(project, 'pairs.csv'), pathB: null, drop: null });
  const { data } = readRunConfig(root);
  expect(data.path).toBe(join(project, 'pairs.csv'));
  expect(data).not.toHaveProperty('folders');
  const other = resolveConfig({ layers: [{ data: { folders: { ...folders, t1: '/elsewhere/t2' } } }] });
  expect(() => checkRunFolder(root, other)).toThrow('data.folders.t1');
  vi.unstubAllEnvs();
});

test('a place that is gone is looked up by the data’s digest; a provenance that is damaged hides nothing else', () => {
  const project = temporaryFolder('anatomy-project-');
  const root = join(project, 'runs', 'first');
  vi.stubEnv('XDG_CACHE_HOME', join(project, 'cache'));
  const config = resolveConfig({ layers: [{ data: { path: '/elsewhere/pairs.csv' } }] });
  mkdirSync(root, { recursive: true });
  writeFileSync(runPaths(root).config, formatConfig(storable(config, root)));
  rememberPlace('hash', { path: '/elsewhere/pairs.csv', pathB: null, drop: null });
  writeFileSync(runPaths(root).provenance, '{ "dataHash": "hash" }');
  expect(readRunConfig(root).data.path).toBe('/elsewhere/pairs.csv');
  writeFileSync(runPaths(root).provenance, '{ "dataHash": ');
  expect(readRunConfig(root).data.path).toBe(join(root, 'pairs.csv'));
  vi.unstubAllEnvs();
});

test.each([
  ['beside the project', 'alice', 'smith-john/pairs.csv', 'pairs.csv'],
  ['above the project', 'alice/deep', 'alice/pairs.csv', 'pairs.csv'],
  ['in a folder whose name begins like the project’s', 'alice', 'alice-private/pairs.csv', 'pairs.csv'],
  ['in the project', 'alice', 'alice/study/pairs.csv', '../../study/pairs.csv'],
])('of data %s a run tells no folder but those of the project', (_, project, data, told) => {
  const folder = temporaryFolder('anatomy-projects-');
  const root = join(folder, project, 'runs', 'first');
  const places = { path: join(folder, data), splits: join(folder, data), drop: join(folder, data) };
  const model = { initFrom: join(folder, data) };
  const config = resolveConfig({ layers: [{ data: places, model }] });
  const stored = storable(config, root, join(folder, project));
  expect([stored.data.path, stored.data.splits, stored.data.drop, stored.model.initFrom]).toEqual(
    Array(4).fill(told),
  );
});

test('the home folder and the top of the file system are no projects', () => {
  const config = resolveConfig({ layers: [{ data: { path: join(homedir(), 'smith', 'pairs.csv') } }] });
  for (const project of [homedir(), '/', '/data']) {
    expect(storable(config, join(homedir(), 'runs', 'first'), project).data.path).toBe('pairs.csv');
  }
});

test('the same command goes on from any folder, and with runs of older versions, but not with other data', () => {
  const folder = temporaryFolder('anatomy-projects-');
  const root = join(folder, 'runs', 'first');
  const config = (path: string) => resolveConfig({ layers: [{ data: { path } }] });
  const state = (path: string, project: string) => {
    vi.spyOn(process, 'cwd').mockReturnValue(project);
    try {
      return checkRunFolder(root, config(path));
    } finally {
      vi.restoreAllMocks();
    }
  };
  const pairs = join(folder, 'data', 'pairs.csv');
  mkdirSync(root, { recursive: true });
  for (const project of [folder, '/elsewhere']) {
    writeFileSync(runPaths(root).config, formatConfig(storable(config(pairs), root, project)));
    expect([state(pairs, folder), state(pairs, '/elsewhere')]).toEqual(['unfinished', 'unfinished']);
    expect(() => state(join(folder, 'data', 'others.csv'), folder)).toThrow('data.path');
  }
});
