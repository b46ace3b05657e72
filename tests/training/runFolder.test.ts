import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { formatConfig, resolveConfig } from '../../src/config/index.js';
import { rememberPlace } from '../../src/data/cache/places.js';
import { readRunConfig, runPaths, storable } from '../../src/training/runFolder.js';
import { temporaryFolder } from './tiny.js';

test('a stored run finds its data, drop list and splits again, and names them as seen from itself', () => {
  const project = temporaryFolder('anatomy-project-');
  const root = join(project, 'runs', 'first');
  const places = { path: join(project, 'pairs.csv'), drop: join(project, 'lists', 'drop.csv'), splits: null };
  const config = resolveConfig({ layers: [{ data: places }] });
  const stored = storable(config, root);
  expect(stored.data).toMatchObject({ path: '../../pairs.csv', drop: '../../lists/drop.csv', splits: null });
  mkdirSync(root, { recursive: true });
  writeFileSync(runPaths(root).config, formatConfig(stored));
  expect(readRunConfig(root).data).toEqual(config.data);
  expect(
    storable(resolveConfig({ layers: [{ data: { drop: '/elsewhere/drop.csv' } }] }), root).data.drop,
  ).toBe('drop.csv');
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
