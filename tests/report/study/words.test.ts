import { describe, expect, test } from 'vitest';
import { forestPlot } from '../../../src/report/figures/forestPlot.js';
import type { StudyFamily, StudyResults } from '../../../src/report/judged/study.js';
import { studyVerdicts } from '../../../src/report/study/words.js';
import { fixed, probability, signed } from '../../../src/text/numbers.js';

const results: StudyResults = {
  title: 'AUC, pooled features',
  metric: 'AUC',
  caption: '',
  images: ['a+b'],
  rows: [
    {
      name: 'Ours',
      source: 'run',
      values: { 'a+b': { value: 0.8, low: 0.7, high: 0.9, deviation: null, seeds: 1, foldMean: null } },
      against: { untrained: {}, thumbnail: {} },
      marks: {},
    },
  ],
};

const family = (holm: number | null, on?: string): StudyFamily => ({
  on,
  table: { columns: [], rows: [] },
  comparisons: [{ name: 'Ours − SimCLR', value: 0.1, low: 0.01, high: 0.2, minimumDetectable: 0.15, holm }],
});

describe('the short summary of a study', () => {
  test('decides by the corrected p-value, even against the interval of the comparison', () => {
    const said = (holm: number | null) => studyVerdicts([results], [family(holm)])[1];
    expect(said(0.2)).toMatchObject({ strong: 'not shown to differ' });
    expect(said(0.2)!.after).toContain('p\u00a00.200 after Holm’s correction');
    expect(said(0.01)).toMatchObject({ strong: 'higher' });
    expect(said(null)).toMatchObject({ strong: 'higher' });
  });

  test('takes the corrected p-value of the evaluation where no comparison was planned', () => {
    const untrained = {
      value: -0.1,
      low: -0.2,
      high: -0.01,
      deviation: null,
      seeds: 1,
      minimumDetectable: 0.15,
    };
    const said = (holm?: number) => {
      const rows = results.rows.map((row) => ({
        ...row,
        against: { untrained: { 'a+b': { ...untrained, holm } }, thumbnail: {} },
      }));
      return studyVerdicts([{ ...results, rows }], []).at(-1)!;
    };
    expect(said(0.135)).toMatchObject({ strong: 'not shown to differ' });
    expect(said(0.01)).toMatchObject({ strong: 'lower' });
    expect(said().strong).toBe('lower');
  });

  test('tells a comparison on other patients apart by their name', () => {
    const said = studyVerdicts([results], [family(0.01, 'Set aside'), family(0.01)]);
    expect(said.slice(1).map(({ before }) => before)).toEqual([
      'Set aside: Ours − SimCLR: ',
      'Ours − SimCLR: ',
    ]);
  });

  test('never shows a p-value as 0', () => {
    expect([0, 0.0005, 0.001, 1, null].map(probability)).toEqual([
      '< 0.001',
      '< 0.001',
      '0.001',
      '1.000',
      '–',
    ]);
  });
});

test('gives a difference a sign unless it rounds to 0', () => {
  expect([-0.0004, -0.0006, 0].map((value) => fixed(value))).toEqual(['0.000', '−0.001', '0.000']);
  expect([-0.0004, 0.0004, 0.0006, -0.1, null].map((value) => signed(value))).toEqual([
    ...['0.000', '0.000', '+0.001', '−0.100', '–'],
  ]);
});

test('the names and numbers of a forest plot are filled letters over a halo', () => {
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
