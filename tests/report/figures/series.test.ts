import { expect, test } from 'vitest';
import type { JsonLine } from '../../../src/log/jsonLines.js';
import { seriesBelow, seriesOf, smoothed } from '../../../src/report/figures/series.js';

test('a series has the finite values of its key at their steps', () => {
  const lines: JsonLine[] = [{ step: 1, x: 3 }, { step: 2 }, { step: 5, x: Number.NaN }, { step: 7, x: -1 }];
  expect(seriesOf(lines, 'x')).toEqual({
    name: 'x',
    points: [
      { step: 1, value: 3 },
      { step: 7, value: -1 },
    ],
  });
});

test('keys below a prefix become series, in the order they appear, without empty ones', () => {
  const lines: JsonLine[] = [
    { step: 1, 'k/b': 1, kin: 9 },
    { step: 2, 'k/a': 2, 'k/c': Number.POSITIVE_INFINITY },
  ];
  expect(seriesBelow(lines, 'k').map(({ name }) => name)).toEqual(['b', 'a']);
});

test('smoothing is the plain mean of the neighbours, shorter at the ends, and leaves short series alone', () => {
  const points = Array.from({ length: 80 }, (_, i) => ({ step: i, value: i ** 2 }));
  const { points: means } = smoothed({ name: 'x', points })!;
  expect(means).toHaveLength(80);
  expect(means[0]!.value).toBeCloseTo((0 + 1 + 4) / 3, 12);
  expect(means[40]!.value).toBeCloseTo((38 ** 2 + 39 ** 2 + 40 ** 2 + 41 ** 2 + 42 ** 2) / 5, 9);
  expect(smoothed({ name: 'x', points: points.slice(0, 29) })).toBeUndefined();
});
