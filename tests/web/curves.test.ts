import { describe, expect, it } from 'vitest';
import type { RunSummary } from '../../src/server/messages.js';
import { aligned, type Course, curveOf, smoothed, termsOf } from '../../web/curves.js';
import {
  differingSettings,
  groupBySettings,
  matches,
  meanInterval,
  resultKey,
  resultOf,
} from '../../web/grouping.js';
import { ago, brief, duration, fileSize } from '../../web/words.js';

function run(id: string, settings: Record<string, string>, different: Partial<RunSummary> = {}): RunSummary {
  const nothing = { loss: null, pairsPerSecond: null, secondsLeft: null, results: [], report: false };
  const steps = { done: 1, planned: 1 };
  return { ...nothing, id, state: 'finished', steps, bytes: 1, written: 0, settings, ...different };
}

const auc = (value: number) => [
  { name: 'logreg', metric: 'auc', value, low: value - 0.1, high: value + 0.1 },
];

describe('groups of runs', () => {
  const same = { 'model.width': '1', 'method.name': 'cmc' };
  const runs = [
    run('a', same, { seed: 0, results: auc(0.7) }),
    run('b', { 'method.name': 'cmc', 'model.width': '1' }, { seed: 1, results: auc(0.9) }),
    run('c', { ...same, 'model.width': '0.25' }, { results: auc(0.5) }),
    run('d', {}, { state: 'unreadable' }),
    run('e', {}, { state: 'unreadable' }),
  ];

  it('have the same settings, and runs that cannot be read stand alone', () => {
    const ids = groupBySettings(runs).map((group) => group.runs.map(({ id }) => id));
    expect(ids).toEqual([['a', 'b'], ['c'], ['d'], ['e']]);
    expect(differingSettings(runs.slice(0, 3))).toEqual(['model.width']);
    expect(differingSettings(runs)).toEqual(['method.name', 'model.width']);
    expect(differingSettings(runs.slice(0, 1))).toEqual([]);
  });

  it('have the mean of their runs with the interval of Student’s t, one run its own interval', () => {
    const [two, one, none] = groupBySettings(runs);
    const key = resultKey(runs[0]!.results[0]!);
    const found = resultOf(two!, key)!;
    // scipy.stats.t.interval(0.95, 1, 0.8, 0.1)
    expect(found).toMatchObject({ value: expect.closeTo(0.8, 12), runs: 2 });
    expect(found.low).toBeCloseTo(-0.4706, 3);
    expect(found.high).toBeCloseTo(2.0706, 3);
    expect(resultOf(one!, key)).toEqual({ value: 0.5, low: 0.4, high: 0.6, runs: 1 });
    expect(resultOf(none!, key)).toBeUndefined();
    // scipy.stats.t.interval(0.95, 2, 2, 1 / sqrt(3))
    expect(meanInterval([1, 2, 3]).low).toBeCloseTo(2 - 4.303 / Math.sqrt(3), 9);
  });

  it('are found by all words of a search', () => {
    expect(matches(runs[0]!, 'FINISHED width=1')).toBe(true);
    expect(matches(runs[0]!, 'width=0.25')).toBe(false);
    expect(matches(runs[0]!, '')).toBe(true);
  });
});

describe('curves', () => {
  const course: Course = [
    { step: 1, epoch: 0, loss: 4, 'chance/global': 1 },
    { step: 2, epoch: 0, loss: 2, global: 3 },
  ];

  it('are named by what was measured, without chance and steps', () => {
    expect(termsOf([course, [{ step: 1, alignment: 2 }]])).toEqual(['loss', 'alignment', 'global']);
    expect(curveOf(course, 'global')).toEqual({ steps: [2], values: [3] });
  });

  it('are averaged without a bias towards the start', () => {
    expect(smoothed([1, 1, 1], 0.9)).toEqual([1, 1, 1].map((one) => expect.closeTo(one, 12)));
    expect(smoothed([3, 1], 0)).toEqual([3, 1]);
    const [, second] = smoothed([0, 1], 0.5);
    expect(second).toBeCloseTo(2 / 3, 12);
  });

  it('share one axis, with gaps where one has no value', () => {
    const found = aligned([
      { steps: [1, 3], values: [10, 30] },
      { steps: [2, 3], values: [5, 6] },
    ]);
    expect(found).toEqual({
      steps: [1, 2, 3],
      values: [
        [10, null, 30],
        [null, 5, 6],
      ],
    });
  });
});

it('numbers are as people read them', () => {
  expect([5, 65, 3700].map(duration)).toEqual(['5 s', '1 min', '1 h 1 min']);
  expect([0, 999, 1500, 4.7e6, 2.5e10].map(fileSize)).toEqual(['0 B', '999 B', '1.5 kB', '4.7 MB', '25 GB']);
  expect([ago(100), ago(61_000)]).toEqual(['now', '1 min ago']);
  expect([0, 0.123456, 12345.6, 1e-7].map(brief)).toEqual(['0', '0.1235', '12350', '1.00e-7']);
});
