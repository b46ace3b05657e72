import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readYaml, resolveConfig } from '../../src/config/index.js';
import { UsageError } from '../../src/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'yaml-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'c.yaml');
const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...[...'bcdefgh'].map((key, i) => `${key}: &${key} [${Array(9).fill(`*${'abcdefg'[i]}`)}]`),
].join('\n');

describe('hostile YAML', () => {
  test.each([
    ['__proto__', '__proto__: {polluted: 1}'],
    ['a nested constructor', 'data: {constructor: {prototype: {polluted: 1}}}'],
    ['prototype', 'prototype: 1'],
    ['a key twice', 'seed: 1\nseed: 2'],
    ['aliases that explode', bomb],
    ['a NUL', 'seed: "1\0"'],
  ])('with %s is refused by the name of the file', (_, text) => {
    writeFileSync(file, text);
    expect(() => readYaml(file)).toThrow(UsageError);
    expect(() => readYaml(file)).toThrow(`${file}: `);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test.each([
    '__proto__.polluted=1',
    'data.constructor.prototype.polluted=1',
    'data={__proto__: {polluted: 1}}',
  ])('--set %s is refused', (setting) => {
    expect(() => resolveConfig({ set: [setting] })).toThrow(UsageError);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
