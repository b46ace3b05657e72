import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DropList, readDropList, writeDropList } from '../../../src/data/open/dropList.js';
import { DataError } from '../../../src/errors.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drop-'));
  file = join(folder, 'drop.csv');
});
afterEach(() => rmSync(folder, { recursive: true }));

const samples = ['benign (1)', 'benign (2)', 'constructor'].map((id) => ({ id }));

it('a list comes back as it was written, with commas and quotes in it', async () => {
  const list = [
    { id: 'benign (1)', reason: 'same picture as "benign (2)", once more' },
    { id: 'a,b', reason: '' },
  ];
  writeDropList(file, list);
  expect(readFileSync(file, 'utf8').split('\n')[0]).toBe('id,reason');
  const read = await readDropList(file);
  expect(['benign (1)', 'a,b', 'a', 'reason'].map((id) => read.drops(id))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it('a list may be written by hand, with other columns, no reasons, or an id twice', async () => {
  writeFileSync(file, 'note, id\nx, benign (2)\ny,benign (2)\n');
  expect((await readDropList(file)).without(samples)).toEqual([samples[0], samples[2]]);
});

it('a list is refused without a column id, with an empty id, and where there is no such file', async () => {
  writeFileSync(file, 'benign (1)\nbenign (2)\n');
  await expect(readDropList(file)).rejects.toThrow(`${file}:1: no column "id" among "benign (1)"`);
  writeFileSync(file, '');
  await expect(readDropList(file)).rejects.toThrow(DataError);
  writeFileSync(file, 'id,reason\n,blank\n');
  await expect(readDropList(file)).rejects.toThrow(`${file}:2: the id is empty`);
  await expect(readDropList(join(folder, 'none.csv'))).rejects.toThrow('cannot be read: no such file');
});

it('a list tells of ids that are not in the data, and refuses to leave nothing', () => {
  const warnings: string[] = [];
  const drop = (...ids: string[]) =>
    new DropList(ids, 'drop.csv').without(samples, (warning) => warnings.push(warning));
  expect(drop()).toEqual(samples);
  expect(warnings).toEqual([]);
  expect(drop('constructor', 'ghost', 'toString')).toEqual(samples.slice(0, 2));
  expect(warnings).toEqual([
    expect.stringContaining('2 of its 3 samples are not in the data, such as "ghost"'),
  ]);
  expect(() => drop(...samples.map(({ id }) => id))).toThrow('leaves out all 3 samples');
});
