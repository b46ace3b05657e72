import { expect, test } from 'vitest';
import { invocation } from '../../src/cli/invocation.js';

const clone = '/home/anna/anatomy-ssl';
const PATH = '/usr/local/bin:/usr/bin';

test.each([
  [
    'npx in a clone',
    `${clone}/node_modules/.bin/anatomy`,
    { npm_command: 'exec', npm_lifecycle_event: 'npx', PATH: `${clone}/node_modules/.bin:${PATH}` },
    ['npx', 'anatomy'],
  ],
  ['the command on the PATH', '/usr/local/bin/anatomy', { PATH }, ['anatomy']],
  [
    'a path to the command',
    `${clone}/node_modules/.bin/anatomy`,
    { PATH },
    ['node', 'node_modules/.bin/anatomy'],
  ],
  ['Node', `${clone}/dist/cli/main.js`, { PATH }, ['node', 'dist/cli/main.js']],
  [
    'Node from another folder',
    '/opt/anatomy/dist/cli/main.js',
    {},
    ['node', '/opt/anatomy/dist/cli/main.js'],
  ],
  [
    'a program that npx runs',
    `${clone}/dist/cli/main.js`,
    { npm_command: 'exec', npm_lifecycle_event: 'npx', PATH },
    ['node', 'dist/cli/main.js'],
  ],
  [
    'a script of npm',
    `${clone}/dist/cli/main.js`,
    { npm_command: 'run-script', npm_lifecycle_event: 'demo', PATH },
    ['node', 'dist/cli/main.js'],
  ],
])('started by %s, it suggests the same', (_, script, environment, words) => {
  expect(invocation({ script, environment, folder: clone })).toEqual(words);
});
