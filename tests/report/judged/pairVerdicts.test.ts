import { expect, test } from 'vitest';
import type { PairMeasure, PairsResult } from '../../../src/evaluation/results/pairsResult.js';
import { pairVerdicts } from '../../../src/report/judged/pairVerdicts.js';

type Contrast = readonly [value: number, low: number | null, high: number | null];

function distance(source: PairMeasure['source'], [value, low, high]: Contrast, subjects = 40): PairMeasure {
  const chance = { value: 0.5, low: 0.4, high: 0.6 };
  return {
    ...{ key: `distance/${source}/head`, claim: 'distance', source, features: 'head', pairs: 60, subjects },
    ...{ value: 0.5 * value, low: 0, high: 1, chance },
    againstChance: { kind: 'ratio', value, low, high },
  };
}

function agreement(grid: number, [value, low, high]: Contrast, of: Partial<PairMeasure> = {}): PairMeasure {
  const chance = { value: 0.1, low: 0.05, high: 0.15 };
  return {
    ...{ key: `agreement/run/map3/${grid}`, claim: 'agreement', source: 'run', features: 'map3', grid },
    ...{ zone: 'all', pairs: 60, subjects: 40, value: 0.1 + value, low: 0, high: 1, chance },
    againstChance: { kind: 'difference', value, low, high },
    ...of,
  };
}

function said(measures: readonly PairMeasure[], data: Partial<PairsResult['data']> = {}): string[] {
  const result = {
    data: { pairs: 60, subjects: 40, modalities: ['a', 'b'], chosen: 'held-out', ...data },
    ...{ exposure: { kind: 'in-fold' }, bootstrap: { confidence: 0.95 }, measures },
  } as unknown as PairsResult;
  return pairVerdicts(result).map(({ before, strong, after }) => `${before}*${strong}*${after}`);
}

test.each([
  [[0.6, 0.5, 0.7], 'nearer than'],
  [[1.4, 1.2, 1.7], 'farther apart than'],
  [[0.9, 0.7, 1.1], 'not shown to be nearer than'],
  [[0.9, null, null], 'not shown to be nearer than'],
] as const)('partners at %j times the distance of strangers are %s them', (ratio, words) => {
  const [sentence] = said([distance('run', ratio)]);
  expect(sentence).toContain(`partners are *${words}* images of different subjects`);
});

test('a distance stands beside chance and beside the untrained encoder', () => {
  const measures = [distance('untrained', [0.93, 0.9, 0.96]), distance('run', [0.6, 0.5, 0.7])];
  expect(said(measures)).toEqual([
    'On 60 pairs of 40 subjects, in-fold: partners are *nearer than* images of different subjects, by 1 − cosine of ' +
      'the head features: 0.3 against 0.5, 0.600 times, 95 % interval 0.500 to 0.700; 0.930 times with the untrained encoder.',
  ]);
});

test.each([
  [[0.2, 0.1, 0.3], 'agree better than'],
  [[-0.2, -0.3, -0.1], 'agree worse than'],
  [[0.01, -0.1, 0.1], 'are not shown to agree better than'],
] as const)('patches whose agreement is %j above chance %s those of strangers', (difference, words) => {
  const [sentence] = said([agreement(8, difference)]);
  expect(sentence).toContain(`the patches of partners *${words}* those of different subjects`);
});

test('agreement is that of the finest grid of the map in Fig. 5, of all its anchors', () => {
  const measures = [
    agreement(4, [0.2, 0.1, 0.3]),
    agreement(8, [0.3, 0.1, 0.5], { zone: 'inside' }),
    agreement(8, [0.4, 0.3, 0.5]),
    agreement(8, [0.5, 0.4, 0.6], { features: 'map2' }),
    agreement(8, [0.6, 0.5, 0.7], { source: 'pixels', features: 'map3' }),
  ];
  const sentences = said(measures);
  expect(sentences).toHaveLength(1);
  expect(sentences[0]).toContain('on map 3 in 8×8 patches: 0.500 against 0.100, difference +0.400');
});

test('of too few subjects nothing is shown, and the interval is not called one of 95 %', () => {
  const [sentence] = said([distance('run', [0.6, 0.5, 0.7], 3)], { pairs: 3, subjects: 3 });
  expect(sentence).toContain('partners are *not shown to be nearer than* images');
  expect(sentence).toContain('interval over only 3 subjects 0.500 to 0.700');
});

test('two of several modalities are named, and an undefined measure has no sentence', () => {
  const among = ['flair', 't1', 't1c'];
  const [sentence] = said([distance('run', [0.6, 0.5, 0.7])], { modalities: ['flair', 't1'], among });
  expect(sentence).toMatch(/^On 60 pairs of 40 subjects, flair and t1, in-fold: /);
  expect(said([{ ...distance('run', [0.6, 0.5, 0.7]), value: null }])).toEqual([]);
  expect(said([])).toEqual([]);
});
