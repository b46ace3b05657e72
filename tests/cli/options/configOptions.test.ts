import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { addConfigOptions, decimalNumber, wholeNumber } from '../../../src/cli/options/configOptions.js';
import { anatomyProgram } from '../../../src/cli/program.js';
import { recipes } from '../../../src/config/recipes.js';
import { methodNames } from '../../../src/methods/index.js';

// The help writes them out, as --help must not wait for LibTorch.
test('--help names every method and every recipe', () => {
  const { options } = addConfigOptions(new Command());
  const named = (flag: string) => options.find(({ long }) => long === flag)!.description.split(/, | or /);
  expect(named('--method')).toEqual(methodNames);
  expect(named('--recipe').sort()).toEqual(Object.keys(recipes).sort());
});

test('a word that is no number is refused as it was typed, not as NaN', () => {
  expect(decimalNumber('1e-3')).toBe(0.001);
  for (const typed of ['abc', '', '1,5', 'Infinity']) {
    const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    command.option('--learning-rate <rate>', 'rate', decimalNumber);
    expect(() => command.parse(['--learning-rate', typed], { from: 'user' })).toThrow(
      `argument '${typed}' is invalid. Expected a number such as 0.1.`,
    );
  }
});

test('a refused whole number is told its range', () => {
  expect(wholeNumber()('0')).toBe(0);
  expect(wholeNumber(2)('2')).toBe(2);
  for (const typed of ['1', '1x', '-3', '2.5', '']) {
    expect(() => wholeNumber(2)(typed)).toThrow('Expected a whole number from 2.');
  }
  expect(() => wholeNumber(16, 2048)('2049')).toThrow('Expected a whole number from 16 to 2048.');
});

test.each([
  [['evaluate', 'logreg', '--folds', '1'], 'from 2.', 'anatomy evaluate logreg'],
  [['evaluate', 'pairs', '--replicates', '1'], 'from 50.', 'anatomy evaluate pairs'],
  [['evaluate', 'guess'], "unknown command 'guess'", 'anatomy evaluate'],
  [['experiment', 'run'], "required option '--out <folder>' not specified", 'anatomy experiment run'],
  [['experiment', 'run', 'x.yaml', '--out', 'x', '--jobs', '0'], 'from 1.', 'anatomy experiment run'],
  [['experiment', 'run', 'x.yaml', '--out', 'x', '--threads', '0'], 'from 1 to ', 'anatomy experiment run'],
  [['--colour'], "unknown option '--colour'", 'anatomy'],
])('an error in %j points to the help of its command', async (words, wrong, command) => {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await expect(anatomyProgram().parseAsync(words, { from: 'user' })).rejects.toThrow(wrong);
    expect(told.mock.calls.join('')).toContain(`(see ${command} --help)`);
  } finally {
    told.mockRestore();
  }
});
