import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import { layOut, numbered } from './layouts.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'classes-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const open = async (paths: readonly string[], spec: Partial<DatasetSpec> = {}) => {
  const warnings: string[] = [];
  layOut(root, paths);
  const dataset = await openDataset({ path: root, ...spec }, { onWarning: (text) => warnings.push(text) });
  return { ...dataset, warnings };
};

test('a folder of a folder for each class is one modality with these labels, and the classes are told', async () => {
  const { modalities, samples, positive, warnings } = await open([
    ...['benign/P1_1.png', 'benign/P1_2.png', 'malignant/P2_1.jpg', 'notes/readme.txt', 'list.xlsx'],
  ]);
  expect(modalities).toEqual(['a']);
  expect(positive).toBe('malignant');
  expect(samples.map(({ id, label }) => `${id}: ${label}`)).toEqual([
    ...['P1_1: benign', 'P1_2: benign', 'P2_1: malignant'],
  ]);
  expect(warnings).toEqual([
    expect.stringContaining(
      'taken as classes: benign (2), malignant (1). Passed over, as there are no images directly in them: notes.',
    ),
    expect.stringContaining("Say --subject '^(P\\d+)'"),
  ]);
});

test('--subject and --classes go with class folders', async () => {
  const paths = ['benign/P1_1.png', 'benign/P1_2.png', 'malignant/P2_1.jpg', 'normal/P3_1.png'];
  const { samples } = await open(paths, { subject: '^(P\\d+)', classes: ['benign', 'malignant'] });
  expect(samples.map(({ subject }) => subject)).toEqual(['P1', 'P1', 'P2']);
});

test('names that are counted anew in each class stay apart by the class', async () => {
  const { samples } = await open(['x/img_1.png', 'x/img_2.png', 'y/img_1.png'], { positive: 'y' });
  expect(samples.map(({ id }) => id)).toEqual(['x/img_1', 'x/img_2', 'y/img_1']);
});

test('a folder of images is one modality without labels', async () => {
  const { modalities, samples, positive, warnings } = await open(['1.png', '2.png', 'docs/readme.txt']);
  expect({ modalities, positive }).toEqual({ modalities: ['a'], positive: undefined });
  expect(samples.map(({ id, label }) => [id, label])).toEqual([
    ['1', undefined],
    ['2', undefined],
  ]);
  expect(warnings[0]).toContain('For pairs name the second folder with --data-b');
});

test.each([
  [['flair/CS_1_07.png', 't1/CS_1_07.png'], /look like modalities.*--data flair=\S+\/flair t1=\S+\/t1\./],
  [['flair/1.png', 'flair/2.png', 't1/1.png'], 'look like modalities'],
  [['u/img_1.png', 'u/img_2.png', 'v/img_2.png'], 'look like modalities'],
  [['images/p_a.png', 'masks/p_a.png'], 'look like modalities'],
  [['train/x1.png', 'test/y1.png'], 'are parts of a split and no classes'],
  [['benign/1.png', 'stray.png'], 'holds images, such as stray.png, and folders of images, such as benign'],
  [numbered(31, (n) => `P${n}/${n}.png`), 'too many to be classes'],
  [['deep/er/1.png'], 'is a folder without manifest.csv and without images'],
])('folders that are no classes are refused: %j', async (paths, why) => {
  await expect(open(paths)).rejects.toThrow(why);
});

test('columns and an image root do not go with them', async () => {
  await expect(open(['x/1.png'], { columns: { a: 'x' } })).rejects.toThrow(
    '--column (a) goes with a manifest',
  );
  await expect(open(['x/1.png'], { imageRoot: root })).rejects.toThrow('goes with a manifest');
});
