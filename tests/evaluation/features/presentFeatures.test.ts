import { expect, test } from 'vitest';
import { featuresOfSet, placesWith } from '../../../src/evaluation/features/presentFeatures.js';
import { partsOf } from '../../../src/evaluation/trained/encoderGroups.js';
import { featureRows } from '../../../src/metrics/features/features.js';
import { tensor, tidy } from '../../../src/tensor/index.js';

const rows = (...values: number[]) => featureRows(Float32Array.from(values), values.length / 2, 2);
/** Three samples: the first has both, the second a alone, the third b alone. */
const parts = {
  a: { features: rows(1, 2, 3, 4), places: [0, 1] },
  b: { features: rows(5, 7, 9, 11), places: [0, 2] },
};
const partOf = (modality: string) => parts[modality as 'a' | 'b'];

test('any is the mean over the images that each sample has', () => {
  expect([...featuresOfSet(['any'], partOf, ['a', 'b'], 3).data]).toEqual([3, 4.5, 3, 4, 9, 11]);
});

test('features side by side are NaN where a sample lacks an image, so that none is judged by mistake', () => {
  const { data, columns } = featuresOfSet(['a', 'b'], partOf, ['a', 'b'], 3);
  expect(columns).toBe(4);
  expect([...data]).toEqual([1, 2, 5, 7, 3, 4, NaN, NaN, NaN, NaN, 9, 11]);
});

test('the places of a modality are among the samples asked for; there are none where all have it', () => {
  expect(placesWith({ present: { b: [0, 2, 5] } }, 'b', [5, 4, 2])).toEqual([0, 2]);
  expect(placesWith({ present: { b: [0, 2, 5] } }, 'b', [5, 2])).toBeUndefined();
  expect(placesWith({}, 'b', [5, 4])).toBeUndefined();
});

test('in training, the mean of a batch is the same and shares its gradient among the images', () => {
  tidy(() => {
    const a = tensor([1, 2, 3, 4], [2, 2], { requiresGrad: true });
    const b = tensor([5, 7, 9, 11], [2, 2], { requiresGrad: true });
    const features = new Map([
      ['pooled/a', a],
      ['pooled/b', b],
    ]);
    const batch = { ids: ['x', 'y', 'z'], present: { a: [0, 1], b: [0, 2] } };
    const [mean] = partsOf(features, 'pooled', ['any'], batch);
    expect([...mean!.toArray()]).toEqual([3, 4.5, 3, 4, 9, 11]);
    mean!.sum().backward();
    expect([...a.grad!.toArray()]).toEqual([0.5, 0.5, 1, 1]);
    expect([...b.grad!.toArray()]).toEqual([0.5, 0.5, 1, 1]);
  });
});
