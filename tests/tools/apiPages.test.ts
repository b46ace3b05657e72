import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../training/tiny.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('npm run docs describes the library without a warning, and every parameter has a name', () => {
  const file = join(temporaryFolder(), 'api.json');
  const program = join(root, 'node_modules/typedoc/bin/typedoc');
  const made = spawnSync(process.execPath, [program, '--json', file], { cwd: root, encoding: 'utf8' });
  expect(made.stdout + made.stderr).not.toMatch(/warn|error/i);
  expect(made.status).toBe(0);
  const api = readFileSync(file, 'utf8');
  for (const name of [
    'openDataset',
    'pretrain',
    'evaluate',
    'embed',
    'loadEncoder',
    'fitModel',
    'predict',
    'similar',
  ])
    expect(api).toMatch(new RegExp(`"name":\\s*"${name}"`));
  expect(api).not.toContain('__namedParameters');
});
