import { describe, expect, it } from 'vitest';
import { aggregateBySubject, spread } from '../../src/metrics/aggregate.js';

describe('aggregateBySubject', () => {
  const scores = [0.2, 0.9, 0.4, 0.1, 0.6];
  const labels = [0, 1, 0, 0, 0];
  const subjects = ['p2', 'p1', 'p1', 'p3', 'p2'];

  it('averages or takes the highest; any positive image makes a positive subject', () => {
    const mean = aggregateBySubject(scores, labels, subjects);
    expect(mean.subjects).toEqual(['p2', 'p1', 'p3']);
    expect([...mean.scores]).toEqual([0.4, 0.65, 0.1].map((v) => expect.closeTo(v, 12)));
    expect([...mean.labels]).toEqual([0, 1, 0]);
    expect([...aggregateBySubject(scores, labels, subjects, 'max').scores]).toEqual([0.6, 0.9, 0.1]);
  });

  it('refuses lengths that differ', () => {
    expect(() => aggregateBySubject(scores, [1], subjects)).toThrow('5 scores, 1 labels and 5 subjects');
  });
});

describe('spread', () => {
  it('has the sample standard deviation and leaves NaN out, counted', () => {
    expect(spread([1, Number.NaN, 3, 8])).toEqual({ mean: 4, std: Math.sqrt(13), n: 3, skipped: 1 });
  });

  it('has no deviation of one value and no mean of none', () => {
    expect(spread([2])).toEqual({ mean: 2, std: Number.NaN, n: 1, skipped: 0 });
    expect(spread([Number.NaN]).mean).toBeNaN();
  });
});
