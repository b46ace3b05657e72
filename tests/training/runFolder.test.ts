import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatConfig, resolveConfig } from '../../src/config/index.js';
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
