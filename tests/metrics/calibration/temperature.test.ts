import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitTemperature, withTemperature } from '../../../src/metrics/calibration/temperature.js';

/** Samples that all have these probabilities, `counts[c]` of them of class c. */
function alike(probabilities: readonly number[], counts: readonly number[]) {
  const labels = counts.flatMap((count, c) => new Array<number>(count).fill(c));
  return { probabilities: labels.flatMap(() => [...probabilities]), labels };
}

describe('fitTemperature', () => {
  test('two classes: 0.9 where 3 of 4 are positive needs T = 2, as logit(0.9) = 2 logit(0.75)', () => {
    const { probabilities, labels } = alike([0.1, 0.9], [1, 3]);
    expect(fitTemperature(probabilities, labels, 2)).toBeCloseTo(2, 12);
    expect(withTemperature(probabilities, 2, 2)[1]).toBeCloseTo(0.75, 14);
  });

  test('three classes: 0.8, 0.1, 0.1 where 2, 1, 1 occur needs T = 3, as 8 is 2 cubed', () => {
    const { probabilities, labels } = alike([0.8, 0.1, 0.1], [2, 1, 1]);
    expect(fitTemperature(probabilities, labels, 3)).toBeCloseTo(3, 12);
    expect([...withTemperature(probabilities, 3, 3)].slice(0, 3)).toEqual([
      expect.closeTo(0.5, 14),
      expect.closeTo(0.25, 14),
      expect.closeTo(0.25, 14),
    ]);
  });

  test('logits that are s times as large need s times the temperature', () => {
    const draws = fc.array(fc.tuple(fc.integer({ min: -8, max: 8 }), fc.boolean()), {
      minLength: 8,
      maxLength: 40,
    });
    fc.assert(
      fc.property(draws, fc.double({ min: 0.5, max: 2, noNaN: true }), (samples, scale) => {
        // Logits that point the right and the wrong way have a temperature well inside the bounds.
        const sign = ([logit, positive]: (typeof samples)[number]) => (positive ? logit : -logit);
        fc.pre(samples.some((one) => sign(one) < 0) && samples.reduce((sum, one) => sum + sign(one), 0) > 4);
        const labels = samples.map(([, positive]) => Number(positive));
        const of = (factor: number) =>
          samples.flatMap(([logit]) => {
            const p = 1 / (1 + Math.exp((-factor * logit) / 2));
            return [1 - p, p];
          });
        const plain = fitTemperature(of(1), labels, 2);
        // 1 − p loses digits of logits near 8, so a part in a million is all that is asked for.
        expect(fitTemperature(of(scale), labels, 2) / plain / scale).toBeCloseTo(1, 6);
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  test('classes that are separated, or wrong throughout, end at the bounds', () => {
    const probabilities = [0.9, 0.1, 0.2, 0.8];
    expect(fitTemperature(probabilities, [0, 1], 2)).toBe(0.01);
    expect(fitTemperature(probabilities, [1, 0], 2)).toBe(1000);
    expect(() => fitTemperature([1.2, -0.2], [0], 2)).toThrow('1.2 is no probability');
  });
});

test('a temperature of 1 changes nothing, and none changes a rank', () => {
  const probabilities = [0.3, 0.7, 1, 0, 0.55, 0.45];
  const same = withTemperature(probabilities, 2, 1);
  for (const [i, p] of probabilities.entries()) expect(same[i]).toBeCloseTo(p, 15);
  const positive = (values: ArrayLike<number>) => [1, 3, 5].map((i) => values[i]!);
  const order = (values: readonly number[]) => [0, 1, 2].sort((a, b) => values[a]! - values[b]!);
  expect(order(positive(withTemperature(probabilities, 2, 5)))).toEqual(order(positive(probabilities)));
});
