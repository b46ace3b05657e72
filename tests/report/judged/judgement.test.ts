import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../../src/errors.js';
import { predictionsOf, readPredictions } from '../../../src/evaluation/results/predictions.js';
import { calibrationFigure } from '../../../src/report/figures/calibrationFigure.js';
import { calibrationOf } from '../../../src/report/figures/calibrationOf.js';
import { confusionFigure } from '../../../src/report/figures/confusionFigure.js';
import { type Figure, standaloneSvg, svgToPng } from '../../../src/report/figures/figure.js';
import { forestPlot } from '../../../src/report/figures/forestPlot.js';
import { labelEfficiencyFigure } from '../../../src/report/figures/labelEfficiency.js';
import { rocBand } from '../../../src/report/figures/rocBand.js';
import { rocFigure } from '../../../src/report/figures/rocFigure.js';
import { withoutIdentities } from '../../../src/report/judged/failureSection.js';
import { failuresAmong, scoreFigures } from '../../../src/report/judged/judgement.js';

const count = ({ svg }: Figure, selector: string) =>
  parseHTML(`<html><body>${svg}</body></html>`).document.querySelectorAll(selector).length;

const bootstrap = { replicates: 300, confidence: 0.95, seed: 0 };
const about = { id: 'x', title: 'T', of: 'a <b>row</b>' };

describe('the band of an ROC curve', () => {
  const at = [0, 0.25, 0.5, 1];

  it('is the curve itself where every subject is alike', () => {
    // Each subject has a positive of 0.9 and one of 0.2, a negative of 0.5 and one of 0.1: whoever is drawn, the
    // curve is (0, 1/2), (1/2, 1/2), (1/2, 1), (1, 1).
    const subjects = ['s', 't', 'u'].flatMap((name) => [name, name, name, name]);
    const scores = subjects.map((_, i) => [0.9, 0.2, 0.5, 0.1][i % 4]!);
    const positive = subjects.map((_, i) => i % 4 < 2);
    const band = rocBand(scores, positive, subjects, { ...bootstrap, at });
    expect(band.map(({ low, high }) => [low, high])).toEqual([
      [0.5, 0.5],
      [0.5, 0.5],
      [1, 1],
      [1, 1],
    ]);
  });

  it('slopes through ties, and does not exist for one subject or one class', () => {
    const tied = rocBand([1, 1, 1, 1], [true, false, true, false], ['s', 's', 't', 't'], {
      ...bootstrap,
      at,
    });
    expect(tied.map(({ low, high }) => [low, high])).toEqual(at.map((rate) => [rate, rate]));
    expect(rocBand([0.1, 0.9], [false, true], ['s', 's'], { ...bootstrap, at })).toEqual([]);
    expect(rocBand([0.1, 0.9], [true, true], ['s', 't'], { ...bootstrap, at })).toEqual([]);
  });

  it('is wider where subjects differ', () => {
    const subjects = ['s', 's', 't', 't', 'u', 'u'];
    const scores = [0.9, 0.1, 0.8, 0.2, 0.3, 0.7];
    const positive = [true, false, true, false, true, false];
    const [first] = rocBand(scores, positive, subjects, { ...bootstrap, replicates: 3000, at: [0] });
    // One draw in 27 is u alone, which finds nothing before its false alarm; any without u finds all.
    expect(first).toMatchObject({ low: 0, high: 1 });
  });
});

describe('figures of predictions', () => {
  const subjects = Array.from({ length: 40 }, (_, i) => `s${i >> 1}`);
  const labels = subjects.map((_, i) => i % 2);
  const positive = labels.map((label) => label === 1);
  const scores = labels.map((label, i) => 0.35 + 0.2 * label + 0.3 * Math.sin(i));
  const auc = { value: 0.75, low: 0.6, high: 0.9 };

  it('the ROC figure has a curve for each row and one band, and tells its numbers', () => {
    const curve = { scores, positive, subjects, auc };
    const figure = rocFigure(
      [
        { name: 'Ours', ...curve },
        { name: 'Untrained', ...curve },
      ],
      { ...about, bootstrap, between: '95 % interval' },
    )!;
    expect(count(figure, '[aria-description="curve"] path, path[aria-description="curve"]')).toBe(2);
    expect(count(figure, '[aria-description="band"]')).toBeGreaterThan(0);
    expect(figure.alt).toContain('Ours 0.750 (0.600 to 0.900); Untrained 0.750');
    expect(
      rocFigure([{ name: 'one class', ...curve, positive: positive.map(() => true) }], {
        ...about,
        bootstrap,
        between: '95 % interval',
      }),
    ).toBeUndefined();
  });

  it('the confusion figure has a cell for every two classes, and tells the rule', () => {
    const two = confusionFigure(
      {
        probabilities: Float64Array.from([0.9, 0.1, 0.2, 0.8, 0.5, 0.5, 0.3, 0.7]),
        labels: [0, 1, 1, 0],
        classes: ['benign', 'malignant'],
      },
      about,
    )!;
    // 0.5 is not above the threshold.
    expect(two.alt).toContain(
      'benign called benign: 1 (50 %); benign called malignant: 1 (50 %); malignant called benign: 1 (50 %)',
    );
    expect(two.alt).toContain('called malignant where its probability is above 0.5');
    const three = confusionFigure(
      {
        probabilities: Float64Array.from([0.8, 0.1, 0.1, 0.2, 0.7, 0.1]),
        labels: [0, 2],
        classes: ['a', 'b', 'c'],
      },
      about,
    )!;
    expect(three.alt).toContain('c called b: 1 (100 %)');
    expect(three.alt).toContain('b called b: 0 (–)');
    expect(three.alt).toContain('called by the most probable class');
    expect(
      confusionFigure({ probabilities: new Float64Array(0), labels: [], classes: ['a', 'b'] }, about),
    ).toBeUndefined();
  });

  it('the calibration figure has ten bins of all images, and tells slope and intercept', () => {
    const probabilities = Float64Array.from(scores);
    const found = calibrationOf(probabilities, { labels, subjects }, bootstrap);
    expect(found.bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(40);
    for (const { observed, low, high } of found.bins) {
      expect(low).toBeLessThanOrEqual(observed);
      expect(high).toBeGreaterThanOrEqual(observed);
    }
    const figure = calibrationFigure(found, { ...about, positive: 'tumor', between: '95 % interval' })!;
    expect(figure.alt).toMatch(/slope \d\.\d\d, intercept −?\d\.\d\d/);
    expect(count(figure, 'circle')).toBe(found.bins.length);
    // Values outside 0 … 1 are no probabilities.
    const none = calibrationOf(
      Float64Array.from(scores, (s) => 3 * s),
      { labels, subjects },
      bootstrap,
    );
    expect(
      calibrationFigure(none, { ...about, positive: 'tumor', between: '95 % interval' }),
    ).toBeUndefined();
  });

  it('the forest plot has a point for each row, a bar for each interval, and long names on a line of their own', () => {
    const rows = [
      { name: 'Ours', value: 0.05, low: -0.01, high: 0.11 },
      { name: 'SimCLR', value: -0.02, low: null, high: null },
      { name: 'undefined', value: Number.NaN, low: null, high: null },
    ];
    const options = { ...about, reading: '', label: 'difference', differences: true } as const;
    const figure = forestPlot(rows, options)!;
    expect(figure.alt).toBe('T, a <b>row</b>. Ours +0.050 (−0.010 to +0.110); SimCLR −0.020.');
    expect(count(figure, 'g[aria-label="dot"] path, g[aria-label="dot"] circle')).toBe(2);
    expect(count(figure, 'g[aria-label="rule"] line')).toBe(1);
    const height = ({ svg }: Figure) => Number(/height="(\d+)"/.exec(svg)![1]);
    const long = forestPlot(
      [{ ...rows[0]!, name: 'A name that is far too long for one line' }, rows[1]!],
      options,
    )!;
    expect(height(long)).toBeGreaterThan(height(figure));
    expect(forestPlot([], options)).toBeUndefined();
  });

  it('the figure of few labels has a curve for each method, and needs more than one share', () => {
    const point = (fraction: number) => ({
      fraction,
      samples: 100 * fraction,
      value: 0.6 + fraction / 10,
      low: 0.5,
      high: 0.8,
    });
    const options = { ...about, label: 'AUC', intervals: 'intervals' };
    const figure = labelEfficiencyFigure([{ name: 'Ours', points: [point(1), point(0.1)] }], options)!;
    expect(figure.alt).toContain(
      'Ours: 10 % of the labels 0.610 (0.500 to 0.800), 100 % of the labels 0.700',
    );
    expect(figure.reading).toContain('10 % is 10, 100 % is 100');
    expect(labelEfficiencyFigure([{ name: 'Ours', points: [point(1)] }], options)).toBeUndefined();
  });

  it('every figure is a valid file whatever characters its names have', async () => {
    const samples = { labels, subjects, classes: ['<i>"benign"</i>', 'a & b'] };
    const probabilities = Float64Array.from(scores.flatMap((s) => [1 - s, s]));
    const own = { name: '<script>', source: 'run', probabilities, auc } as const;
    const figures = scoreFigures(samples, own, [], bootstrap, { id: 'x', name: 'y > "z"' });
    expect(figures.map(({ id }) => id)).toEqual(['roc-x', 'calibration-x', 'confusion-x']);
    for (const figure of figures) {
      expect(figure.svg).not.toContain('<i>');
      expect((await svgToPng(standaloneSvg(figure))).length).toBeGreaterThan(1000);
    }
  });

  it('each of three classes has a curve against the rest, and there is no calibration', () => {
    const three = labels.map((_, i) => i % 3);
    const probabilities = Float64Array.from(
      three.flatMap((label) => [0, 1, 2].map((c) => (c === label ? 0.6 : 0.2))),
    );
    const samples = { labels: three, subjects, classes: ['a', 'b', 'c'] };
    const own = { name: 'Ours', source: 'run', probabilities, auc } as const;
    const figures = scoreFigures(samples, own, [], bootstrap, { id: 'x', name: 'y' });
    expect(figures.map(({ id }) => id)).toEqual(['roc-x', 'confusion-x']);
    expect(figures[0]!.alt).toContain('a or not 1.000 (1.000 to 1.000); b or not 1.000');
  });
});

it('the errors that the probe was surest of are listed first', () => {
  const judged = {
    ids: ['p', 'q', 'r', 's'],
    subjects: ['1', '1', '2', '2'],
    folds: [0, 0, 1, 1],
    labels: [0, 0, 1, 1],
    classes: ['no', 'yes'],
  };
  const found = failuresAmong(judged, Float64Array.from([0.4, 0.6, 0.9, 0.1, 0.95, 0.05, 0.2, 0.8]), 5);
  expect(found).toMatchObject({ wrong: 2, samples: 4 });
  expect(found.worst.map(({ id, predicted, probability }) => [id, predicted, probability])).toEqual([
    ['r', 'no', 0.95],
    ['p', 'yes', 0.6],
  ]);
  expect(
    failuresAmong(judged, Float64Array.from([0.4, 0.6, 0.9, 0.1, 0.95, 0.05, 0.2, 0.8]), 1).worst,
  ).toHaveLength(1);
});

it('ids of the data become numbers, and pseudonyms stay', () => {
  const failure = { fold: 0, label: 'no', predicted: 'yes', probability: 0.9 };
  const shown = withoutIdentities([
    { ...failure, id: 'Jane Doe 1', subject: 'Jane Doe' },
    { ...failure, id: 'P-0123456789ab', subject: 'S-0123456789ab' },
    { ...failure, id: 'Jane Doe 2', subject: 'Jane Doe' },
  ]);
  expect(shown.map(({ id, subject }) => [id, subject])).toEqual([
    ['sample 1', 'subject 1'],
    ['P-0123456789ab', 'S-0123456789ab'],
    ['sample 3', 'subject 1'],
  ]);
});

describe('stored predictions', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'predictions-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const read = (
    text: string,
    classes = ['no', 'yes'],
    samples = text.trimEnd().split('\n').length - 1,
    rows: { key: string; judgedOn?: { samples: number } }[] = [],
  ) => {
    const file = join(folder, 'p.csv');
    writeFileSync(file, text);
    return readPredictions(file, { data: { classes, samples }, rows });
  };

  const one = { data: { classes: ['no', 'yes'], samples: 1 }, rows: [] };

  it('have empty cells where a row is not judged, and only there', () => {
    const rows = [{ key: 'run/pooled/b', judgedOn: { samples: 2 } }];
    const text =
      'id,subject,fold,label,run/pooled/a,run/pooled/b\np,s,0,yes,0.75,0.5\nq,t,0,no,0.5,\nr,u,1,no,0.25,0.25\n';
    const found = read(text, ['no', 'yes'], 3, rows)!;
    expect([...found.probabilities.get('run/pooled/b')!]).toEqual([0.5, 0.5, NaN, NaN, 0.75, 0.25]);
    expect(predictionsOf(found, 'run/pooled/b')).toMatchObject({
      ids: ['p', 'r'],
      subjects: ['s', 'u'],
      folds: [0, 1],
      labels: [1, 0],
      probabilities: Float64Array.of(0.5, 0.5, 0.75, 0.25),
    });
    expect(predictionsOf(found, 'run/pooled/a')!.ids).toEqual(['p', 'q', 'r']);
    // An empty cell of a row that judges all samples is a fault, and so is one too many.
    expect(() => read(text)).toThrow('line 3, column "run/pooled/b": "" is no number');
    expect(() => read(text, ['no', 'yes'], 3, [{ key: 'run/pooled/b', judgedOn: { samples: 3 } }])).toThrow(
      'has 2 predictions, and the row was judged on 3 samples',
    );
  });

  it('have both columns of two classes, and all columns of more', () => {
    const two = read('id,subject,fold,label,run/pooled/a\np,s,0,yes,0.75\n')!;
    expect([...two.probabilities.get('run/pooled/a')!]).toEqual([0.25, 0.75]);
    expect(two.labels).toEqual([1]);
    const three = read('id,subject,fold,label,k:a,k:b,k:c\np,s,0,b,0.5,0.3,0.2\n', ['a', 'b', 'c'])!;
    expect([...three.probabilities.get('k')!]).toEqual([0.5, 0.3, 0.2]);
    expect(readPredictions(join(folder, 'none.csv'), one)).toBeUndefined();
  });

  it('are refused where lines are missing, with the caller’s remedy', () => {
    const text = 'id,subject,fold,label,k\np,s,0,yes,0.5\nq,t,0,no,0.5\n';
    const missing =
      'p.csv: has the predictions of 2 samples, and the evaluation judged 3; run anatomy evaluate again';
    expect(() => read(text, ['no', 'yes'], 3)).toThrow(missing);
    const file = join(folder, 'p.csv');
    expect(() => readPredictions(file, one, 'delete it')).toThrow('judged 1; delete it');
  });

  it('have no column of a row whose training diverged, and all others', () => {
    const two = read('id,subject,fold,label,run,thumbnail\np,s,0,yes,NaN,0.75\nq,t,0,no,NaN,0.5\n')!;
    expect([...two.probabilities.keys()]).toEqual(['thumbnail']);
    const three = read('id,subject,fold,label,k:a,k:b,k:c\np,s,0,b,NaN,NaN,NaN\n', ['a', 'b', 'c'])!;
    expect(three.probabilities.size).toBe(0);
    expect(() => read('id,subject,fold,label,k\np,s,0,yes,NaN\nq,t,0,no,0.5\n')).toThrow(
      'line 2, column "k": "NaN" is no number',
    );
  });

  it.each([
    ['id,subject,label\n', /begins with the columns "id,subject,label", expected "id,subject,fold,label"/],
    ['id,subject,fold,label,k\np,s,0,maybe,0.5\n', /line 2: label "maybe" is none of the classes no, yes/],
    ['id,subject,fold,label,k\np,s,0,yes,much\n', /line 2, column "k": "much" is no number/],
    ['id,subject,fold,label,k\np,s,0,yes,\n', /line 2, column "k": "" is no number/],
    ['id,subject,fold,label,k\np,s\n', /is not valid CSV/],
  ])('are refused where they are damaged, and the error names the place', (text, message) => {
    expect(() => read(text)).toThrow(DataError);
    expect(() => read(text)).toThrow(message);
  });
});
