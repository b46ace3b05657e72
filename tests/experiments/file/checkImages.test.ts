import { expect, test } from 'vitest';
import { checkImages } from '../../../src/experiments/file/checkImages.js';
import { experimentProtocols } from '../../../src/experiments/file/protocols.js';

const pair = { dataset: { modalities: ['a', 'b'] } };
const protocols = experimentProtocols(
  [{ protocol: 'logreg' }, { protocol: 'finetune' }, { protocol: 'knn', images: ['a+b'] }],
  'file',
);
const compare = { reference: 'ours', against: ['other'] };

test('modalities that the data do not have are refused before anything is pretrained', () => {
  const wrong = experimentProtocols([{ protocol: 'logreg', images: ['a', 'a+c'] }], 'file');
  expect(() => checkImages({ name: 'two', protocols: wrong }, pair, [])).toThrow(
    'two: images of logreg has "a+c", expected one of a, b, a+b, which the data have; did you mean a+b?',
  );
  const further = { dataset: { modalities: ['a'] }, set: { name: 'BUSI', protocols } };
  expect(() => checkImages({ name: 'two', protocols }, pair, [further])).toThrow(
    'two: images of BUSI, knn has "a+b", expected one of a, which the data have',
  );
});

test('a comparison must be of images that its protocol judges', () => {
  const check = (images: string, protocol?: string) => () =>
    checkImages({ name: 'two', protocols, compare: { ...compare, images, protocol } }, pair, []);
  expect(check('a')).not.toThrow();
  expect(check('ab')).toThrow('two: compare.images has "ab", expected one of a, b, a+b, which logreg judges');
  expect(check('a', 'finetune')).toThrow('has "a", expected one of a+b, which finetune judges');
  expect(check('b', 'knn')).toThrow('has "b", expected one of a+b, which knn judges');
});
