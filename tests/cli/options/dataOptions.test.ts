import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addConfigOptions, type ConfigFlags, configSources } from '../../../src/cli/options/configOptions.js';
import { anatomyProgram } from '../../../src/cli/program.js';
import { resolveConfig } from '../../../src/config/index.js';

function parse(...words: string[]) {
  const command = addConfigOptions(new Command())
    .argument('[rest...]')
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parse(words, { from: 'user' });
  return { data: resolveConfig(configSources(command.opts<ConfigFlags>())).data, rest: command.args };
}
const dataOf = (...words: string[]) => parse(...words).data;

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

describe('--data', () => {
  test('is a path, also one with = after a colon or in a folder', () => {
    for (const path of ['pairs.csv', 'phantom:breast,pairs=4', 'runs/x=1', './a=b', '/x=1']) {
      const { data, rest } = parse('--data', path, 'rest');
      expect(data).toMatchObject({ path });
      expect(data).not.toHaveProperty('folders');
      expect(rest).toEqual(['rest']);
    }
  });

  test.each([
    [['--data', 'flair=F', 't1=T=1', 'table.yaml']],
    [['--data=flair=F', 't1=T=1', 'table.yaml']],
    [['--data', 'flair=F', '--seed', '1', '--data', 't1=T=1', 'table.yaml']],
    [['table.yaml', '--data', 'flair=F', 't1=T=1']],
    [['--data', 'flair=F', 't1=T=1', '--', 'table.yaml']],
  ])('names a folder for each modality in %j, and leaves other words to the command', (words) => {
    const { data, rest } = parse(...words);
    expect(data).toMatchObject({ path: null, pathB: null, folders: { flair: 'F', t1: 'T=1' } });
    expect(Object.keys(data.folders!)).toEqual(['flair', 't1']);
    expect(rest).toEqual(['table.yaml']);
  });

  test('is refused where it is given twice, or once with a name and once without', () => {
    expect(() => dataOf('--data', 'A', '--data', 'B')).toThrow(
      '--data is given twice, A and B. Two folders are',
    );
    expect(() => dataOf('--data', 'x=A', '--data', 'B')).toThrow('--data is given twice, x=A and B');
    expect(() => dataOf('--data', 'A', '--data', 'x=B')).toThrow('--data A names no modality');
    expect(() => dataOf('--data', 'x=A', 'x=B')).toThrow('The modality x is given twice, A and B');
  });

  test('takes the place of what a config names, and the other way round', () => {
    const folders = ['--set', 'data.folders={flair: F, t1: T}'];
    expect(dataOf(...folders)).toMatchObject({ path: null, folders: { flair: 'F', t1: 'T' } });
    expect(dataOf(...folders, '--data', 'x.csv')).toMatchObject({ path: 'x.csv' });
    expect(dataOf(...folders, '--data', 'x.csv')).not.toHaveProperty('folders');
    const pair = ['--set', 'data.path=A', 'data.pathB=B', '--data', 'flair=F'];
    expect(dataOf(...pair)).toMatchObject({ path: null, pathB: null, folders: { flair: 'F' } });
    // Folders of one source replace those of another as a whole.
    expect(dataOf(...folders, '--data', 't2=X').folders).toEqual({ t2: 'X' });
  });
});

describe('--modalities, --subject and --image-root', () => {
  test('are settings that are absent unless they are given', () => {
    const without = dataOf('--data', 'x.csv');
    for (const key of ['folders', 'modalities', 'subject', 'imageRoot'])
      expect(without).not.toHaveProperty(key);
    const given = dataOf('--modalities', 'flair', 't1', '--subject', '^(P\\d+)', '--image-root', 'scans');
    expect(given).toMatchObject({ modalities: ['flair', 't1'], subject: '^(P\\d+)', imageRoot: 'scans' });
  });

  test.each([
    [['--modalities', 'flair', 't1', 't1c', 'runs/first']],
    [['--modalities', 'flair', 't1', 't1c', 'table.yaml']],
    [['--modalities', 'flair', 't1', 't1c', 'phantom:breast']],
    [['--modalities', 'flair,t1', '--modalities', 't1c', 'pairs.csv']],
    [['--modalities=flair', 't1,t1c', './bare']],
    [['--modalities', 'flair', '--seed', '1', '--modalities', 't1', 't1c', '--', 'bare']],
  ])('a list of names in %j ends before the file, folder or phantom of the command', (words) => {
    const { data, rest } = parse(...words);
    expect(data.modalities).toEqual(['flair', 't1', 't1c']);
    expect(rest).toEqual([words.at(-1)]);
  });

  test('an empty name is refused', () => {
    expect(() => dataOf('--modalities', 'flair,')).toThrow('Expected names, such as flair t1 t1c.');
  });
});

test('no list of data takes the arguments of any command', () => {
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  const opening = all(anatomyProgram()).filter(({ options }) =>
    options.some(({ long }) => long === '--data'),
  );
  expect(opening.length).toBeGreaterThan(8);
  for (const command of opening) {
    const words = ['--data', 'flair=F', 't1=T', 'x.yaml', '--modalities', 'flair', 't1', 'runs/x'];
    expect(command.parseOptions(words)).toMatchObject({ operands: ['x.yaml', 'runs/x'], unknown: [] });
    expect(command.opts()).toMatchObject({ data: { flair: 'F', t1: 'T' }, modalities: ['flair', 't1'] });
  }
});
