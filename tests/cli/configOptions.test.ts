import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addConfigOptions } from '../../src/cli/configOptions.js';
import { recipes } from '../../src/config/recipes.js';
import { methodNames } from '../../src/methods/index.js';

// Written out there, as --help must not wait for LibTorch.
test('--help names every method and every recipe', () => {
  const { options } = addConfigOptions(new Command());
  const named = (flag: string) => options.find(({ long }) => long === flag)!.description.split(/, | or /);
  expect(named('--method')).toEqual(methodNames);
  expect(named('--recipe').sort()).toEqual(Object.keys(recipes).sort());
});
