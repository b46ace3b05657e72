import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addConfigOptions, type ConfigFlags, configSources } from '../../../src/cli/options/configOptions.js';
import { resolveConfig } from '../../../src/config/index.js';

function dataOf(...words: string[]) {
  const command = addConfigOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return resolveConfig(configSources(command.parse(words, { from: 'user' }).opts<ConfigFlags>())).data;
}

describe('--column and --positive', () => {
  test('are data.columns and data.positive, and win over --set', () => {
    const { columns, positive } = dataOf(
      ...['--column', 'a=flair', 'b=t1=gd', '--column', 'label=1'],
      ...['--set', 'data.columns.a=other', 'data.columns.subject=patient', 'data.positive=x'],
      ...['--positive', '1'],
    );
    // Names are text, also where --set would read a number.
    expect(columns).toEqual({ a: 'flair', b: 't1=gd', label: '1', subject: 'patient' });
    expect(positive).toBe('1');
    expect(dataOf()).toMatchObject({ columns: {}, positive: null });
  });

  test('are refused without a name', () => {
    for (const pair of ['flair', 'a=', '=flair']) {
      expect(() => dataOf('--column', pair)).toThrow(/argument '.*' is invalid\. Expected role=name/);
    }
  });
});
