import { expect, test } from 'vitest';
import { placeless } from '../../../src/experiments/stored/folder.js';

test('a cell tells no folder, wherever a setting names one', () => {
  const data = {
    path: '/home/smith/pairs.csv',
    pathB: null,
    drop: '/home/smith/drop.csv',
    subject: '^(a/b)',
  };
  const folders = { flair: '/home/smith/flair', t1: 'phantom:breast' };
  expect(
    placeless({ seed: 1, pretraining: { data: { ...data, folders, imageRoot: '/home/smith/scans' } } }),
  ).toEqual({
    seed: 1,
    pretraining: {
      data: {
        ...{ path: 'pairs.csv', pathB: null, drop: 'drop.csv', subject: '^(a/b)' },
        folders: { flair: 'flair', t1: 'phantom:breast' },
        imageRoot: 'scans',
      },
    },
  });
});
