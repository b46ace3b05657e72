import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addConfigOptions, decimalNumber } from '../../src/cli/configOptions.js';
import { recipes } from '../../src/config/recipes.js';
import { methodNames } from '../../src/methods/index.js';

// Written out there, as --help must not wait for LibTorch.
test('--help names every method and every recipe', () => {
  const { options } = addConfigOptions(new Command());
  const named = (flag: string) => options.find(({ long }) => long === flag)!.description.split(/, | or /);
  expect(named('--method')).toEqual(methodNames);
  expect(named('--recipe').sort()).toEqual(Object.keys(recipes).sort());
});

test('a number that is none is refused as it was typed, not as NaN', () => {
  expect(decimalNumber('1e-3')).toBe(0.001);
  for (const typed of ['abc', '', '1,5', 'Infinity']) {
    const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    command.option('--learning-rate <rate>', 'rate', decimalNumber);
    expect(() => command.parse(['--learning-rate', typed], { from: 'user' })).toThrow(
      `argument '${typed}' is invalid. Expected a number such as 0.1.`,
    );
  }
});
