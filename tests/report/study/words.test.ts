import { describe, expect, test } from 'vitest';
import { shownProtocol } from '../../../src/experiments/print/layout.js';
import { forestPlot } from '../../../src/report/figures/forestPlot.js';
import type { StudyFamily, StudyTable } from '../../../src/report/judged/study.js';
import { studyVerdicts } from '../../../src/report/study/words.js';
import { fixed, probability, signed } from '../../../src/text/numbers.js';

const table: StudyTable = {
  title: 'AUC, pooled features',
  metric: 'AUC',
  caption: '',
  images: ['a+b'],
  besideMetrics: [],
  rows: [
    {
      name: 'Ours',
      source: 'run',
      values: { 'a+b': { value: 0.8, low: 0.7, high: 0.9, deviation: null, seeds: 1 } },
      against: {},
      beside: {},
    },
  ],
};

const family = (holm: number | null, on?: string): StudyFamily => ({
  title: '',
  on,
  caption: '',
  missing: [],
  comparisons: [
    { name: 'Ours − SimCLR', value: 0.1, low: 0.01, high: 0.2, minimumDetectable: 0.15, pValue: 0.04, holm },
  ],
});

describe('what a study says in short', () => {
  test('p after correction decides, whatever the interval of one comparison by itself', () => {
    const said = (holm: number | null) => studyVerdicts([table], [family(holm)])[1];
    expect(said(0.2)).toMatchObject({ strong: 'not shown to differ' });
    expect(said(0.2)!.after).toContain('p\u00a00.200 after Holm’s correction');
    expect(said(0.01)).toMatchObject({ strong: 'higher' });
    expect(said(null)).toMatchObject({ strong: 'higher' });
  });

  test('comparisons on other patients are told apart', () => {
    const said = studyVerdicts([table], [family(0.01, 'Set aside'), family(0.01)]);
    expect(said.slice(1).map(({ before }) => before)).toEqual([
      'Set aside: Ours − SimCLR: ',
      'Ours − SimCLR: ',
    ]);
  });

  test('no p is 0', () => {
    expect([0, 0.0005, 0.001, 1, null].map(probability)).toEqual([
      '< 0.001',
      '< 0.001',
      '0.001',
      '1.000',
      '–',
    ]);
  });
});

test('what rounds to 0 has no sign, and a difference else has one', () => {
  expect([-0.0004, -0.0006, 0].map((value) => fixed(value))).toEqual(['0.000', '−0.001', '0.000']);
  expect([-0.0004, 0.0004, 0.0006, -0.1, null].map((value) => signed(value))).toEqual([
    ...['0.000', '0.000', '+0.001', '−0.100', '–'],
  ]);
});

test('names of protocols in words', () => {
  expect(shownProtocol('logreg')).toBe('logistic regression (primary probe)');
  expect(shownProtocol('logreg labels 0.1')).toBe('logistic regression, 10 % of the training labels');
  expect(shownProtocol('finetune hu')).toBe('finetuning of the whole encoder (preset hu)');
  expect(shownProtocol('my own')).toBe('my own');
});

test('names and numbers of a forest plot are filled, over a halo', () => {
  const figure = forestPlot([{ name: 'Ours', value: 0.1, low: 0, high: 0.2 }], {
    id: 'x',
    title: 'x',
    of: 'x',
    reading: 'x',
    label: 'x',
  })!;
  const halo = [...figure.svg.matchAll(/<g[^>]*stroke="var\(--paper, #ffffff\)"[^>]*>/g)].map(([tag]) => tag);
  expect(halo).toHaveLength(2);
  for (const tag of halo) expect(tag).not.toContain('fill="none"');
});
