import { expect, test } from 'vitest';
import { finetune } from '../../../src/evaluation/protocols/finetune.js';
import { logreg } from '../../../src/evaluation/protocols/logreg.js';
import { usualImages } from '../../../src/evaluation/protocols/registry.js';
import { askedSets, modalityKey, modalitySets } from '../../../src/evaluation/results/modalitySets.js';
import { modalitiesMeaning } from '../../../src/evaluation/results/names.js';

const three = ['flair', 't1', 't1c'];
const keys = (asked: readonly string[], gaps = false) => askedSets(three, asked, gaps).map(modalityKey);

test('the sets of two complete modalities are as ever', () => {
  expect(modalitySets(['a', 'b']).map(modalityKey)).toEqual(['a', 'b', 'a+b']);
  expect(askedSets(['a', 'b'], ['a+b', 'a']).map(modalityKey)).toEqual(['a', 'a+b']);
  expect(usualImages(logreg, ['a', 'b'])).toEqual(['a', 'b', 'a+b']);
  expect(usualImages(finetune, ['a', 'b'])).toEqual(['a+b']);
  expect(modalitySets(['a'], true).map(modalityKey)).toEqual(['a']);
});

test('where images are missing, any of them is the widest set and the one that finetuning judges', () => {
  expect(usualImages(logreg, ['a', 'b'], true)).toEqual(['a', 'b', 'a+b', 'any']);
  expect(usualImages(finetune, three, true)).toEqual(['any']);
  expect(keys(['any', 'flair+t1+t1c', 't1'], true)).toEqual(['t1', 'flair+t1+t1c', 'any']);
  // Where all are there, all side by side stay the widest.
  expect(keys(['any', 'flair+t1+t1c', 't1'])).toEqual(['t1', 'any', 'flair+t1+t1c']);
  expect(modalitiesMeaning(['any'], ['a', 'b', 'ffa'])).toBe('any of A, B, ffa');
});

test('any set of several modalities may be asked for, once each, in the order of the data', () => {
  expect(keys(['flair+t1c', 'flair+t1', 't1+t1c', 't1', 't1'])).toEqual([
    't1',
    'flair+t1',
    'flair+t1c',
    't1+t1c',
  ]);
  for (const wrong of ['t1+flair', 't1+t1', 'flair+', 't2', 'any+t1']) {
    expect(() => keys([wrong])).toThrow(
      `--images has ${wrong}, expected one or more of flair, t1, t1c, flair+t1+t1c, any`,
    );
  }
  expect(() => askedSets(['a'], ['any'])).toThrow('--images has any, expected one or more of a');
});
