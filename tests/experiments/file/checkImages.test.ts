import { expect, test } from 'vitest';
import type { Sample } from '../../../src/data/sample.js';
import { checkImages } from '../../../src/experiments/file/checkImages.js';
import { experimentProtocols } from '../../../src/experiments/file/protocols.js';

const sampleWith = (...names: string[]): Sample => ({
  id: names.join(),
  subject: 's',
  label: 'x',
  images: Object.fromEntries(names.map((name) => [name, { kind: 'file', path: `/${name}.png` } as const])),
});
const pair = { dataset: { modalities: ['a', 'b'], samples: [sampleWith('a', 'b')] } };
const protocols = experimentProtocols(
  [{ protocol: 'logreg' }, { protocol: 'finetune' }, { protocol: 'knn', images: ['a+b'] }],
  'file',
);
const compare = { reference: 'ours', against: ['other'] };

test('modalities that the data do not have are refused before anything is pretrained', () => {
  const wrong = experimentProtocols([{ protocol: 'logreg', images: ['a', 'a+c'] }], 'file');
  expect(() => checkImages({ name: 'two', protocols: wrong }, pair, [])).toThrow(
    'two: images of logreg has "a+c", expected one of a, b, a+b, any, which the data have; did you mean a+b?',
  );
  const further = {
    dataset: { modalities: ['a'], samples: [sampleWith('a')] },
    set: { name: 'BUSI', protocols },
  };
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

test('any of the images is judged by default where some are missing, and sets of several modalities on request', () => {
  const samples = [sampleWith('a', 'b', 'c'), sampleWith('a', 'b')];
  const gaps = { dataset: { modalities: ['a', 'b', 'c'], samples } };
  const check = (images: string, protocol?: string) => () =>
    checkImages({ name: 'three', protocols, compare: { ...compare, images, protocol } }, gaps, []);
  const asked =
    (...images: string[]) =>
    () => {
      const own = experimentProtocols([{ protocol: 'logreg', images }], 'file');
      checkImages({ name: 'three', protocols: own }, gaps, []);
    };
  expect(check('any', 'logreg')).not.toThrow();
  expect(check('a+b+c', 'finetune')).toThrow('expected one of any, which finetune judges');
  expect(asked('a+b', 'b+c', 'any')).not.toThrow();
  expect(asked('b+a')).toThrow('expected one of a, b, c, a+b+c, any, or of others of them joined by +');
});
