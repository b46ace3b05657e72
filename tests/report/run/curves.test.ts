import { parseHTML } from 'linkedom';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../../../src/config/index.js';
import { standaloneSvg, svgToPng } from '../../../src/report/figures/figure.js';
import { type CurveContext, curves } from '../../../src/report/run/curves.js';
import { loggedLines } from '../storedRun.js';

const context: CurveContext = {
  method: resolveConfig({}).method,
  weights: { consistency: 1, global: 3 },
  collapse: 0.01,
  pairs: 256,
};
const lines = loggedLines(60);
const figures = curves(lines, context);
const figure = (id: string) => figures.find((one) => one.id === id)!;

/** From pixels back to data, by nothing but the axis a reader sees. */
function axis(svg: ReturnType<typeof parse>, name: 'x' | 'y', log = false) {
  const texts = [...svg.querySelectorAll(`g[aria-label="${name}-axis tick label"] text`)];
  const ticks = texts.map((text) => {
    const [, x, y] = /translate\(([\d.-]+),([\d.-]+)\)/.exec(text.getAttribute('transform')!)!;
    const value = numberOf(text.textContent!);
    return { pixel: Number(name === 'x' ? x : y), value: log ? Math.log(value) : value };
  });
  const [first, last] = [ticks[0]!, ticks.at(-1)!];
  return (pixel: number): number => {
    const share = (pixel - first.pixel) / (last.pixel - first.pixel);
    const value = first.value + share * (last.value - first.value);
    return log ? Math.exp(value) : value;
  };
}

/** `−0.5` and `10⁻⁴`, as the axes have them. */
function numberOf(text: string): number {
  const power = /^10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹])$/.exec(text);
  if (power === null) return Number(text.replace('−', '-'));
  return 10 ** ((power[1] === '' ? 1 : -1) * '⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(power[2]!));
}

function parse(svg: string) {
  return parseHTML(`<html><body>${svg}</body></html>`).document;
}

/** The points of the line that a description names. */
function line(svg: ReturnType<typeof parse>, description: string): [number, number][] {
  const path = svg.querySelector(`g[aria-description="${description}"] path`)!.getAttribute('d')!;
  return path
    .split(/[ML]/)
    .slice(1)
    .map((pair: string) => pair.split(',').map(Number) as [number, number]);
}

function readBack(id: string, description: string, log = false): [number, number][] {
  const svg = parse(figure(id).svg);
  const [x, y] = [axis(svg, 'x'), axis(svg, 'y', log)];
  return line(svg, description).map(([left, top]) => [x(left), y(top)]);
}

test('a curve shows the logged values', () => {
  const read = readBack('loss-global', 'L_Glo, as logged');
  expect(read).toHaveLength(60);
  read.forEach(([step, value], i) => {
    expect(step).toBeCloseTo(lines[i]!.step, 1);
    expect(value).toBeCloseTo(lines[i]!.global as number, 1);
  });
});

test('chance is a dashed line at its own values', () => {
  const read = readBack('loss-consistency', 'strangers');
  expect(read.at(-1)![0]).toBeCloseTo(60, 1);
  expect(read.at(-1)![1]).toBeCloseTo(0.14, 3);
  const group = parse(figure('loss-global').svg).querySelector('g[aria-description="guessing"]')!;
  expect(group.getAttribute('stroke-dasharray')).toBe('5 4');
  expect(readBack('loss-global', 'guessing')[0]![1]).toBeCloseTo(4 * Math.log(8), 1);
});

test('gradient ratios are read off a logarithmic axis', () => {
  const read = readBack('gradient-ratio', 'map 4, as logged', true);
  expect(read[0]![1] / 0.3).toBeCloseTo(1, 1);
  expect(read.at(-1)![1] / (0.3 / 60)).toBeCloseTo(1, 1);
});

test('a smoothed curve stands beside the raw one, and a schedule is not smoothed', () => {
  expect(readBack('loss-global', 'L_Glo, smoothed')).toHaveLength(60);
  expect(figure('learning-rate').svg).not.toContain('smoothed');
  expect(readBack('learning-rate', 'rate, as logged')[0]![1]).toBeCloseTo(0.03, 3);
});

test('every figure says in words what it shows, and has axes with names', () => {
  expect(figures.map(({ id }) => id)).toEqual([
    'loss-consistency',
    'loss-global',
    'gradient-ratio',
    'retrieval',
    'knn-auc',
    'feature-deviation',
    'alignment',
    'uniformity',
    'learning-rate',
  ]);
  for (const { alt, svg, reading } of figures) {
    expect(alt).toMatch(/ at step /);
    expect(reading).not.toBe('');
    expect(svg).toContain('role="img"');
    expect(svg).toContain('>step</text>');
    expect(svg).not.toMatch(/NaN|undefined/);
  }
  expect(figure('retrieval').alt).toContain('a→b goes from 0 at step 1 to 98.3 at step 60');
});

describe('the words for a loss fit its settings', () => {
  const reading = (id: string, ...set: string[]) => {
    const { method } = resolveConfig({ set });
    const { svg, reading } = curves(lines, { ...context, method }).find((one) => one.id === id)!;
    return `${parse(svg).querySelector('svg')!.textContent} ${reading}`;
  };

  test.each([
    ['correlation', 'L_C, squared difference of affinities', '0 is no difference'],
    ['normed', 'L_C, squared difference of affinity shares', '0 is no difference'],
    ['kl', 'L_C, symmetric KL divergence, nats', '0 is no difference'],
    ['local-contrast', 'L_C, InfoNCE of patches, nats', 'it does not reach 0'],
    ['cka', 'L_C, 1 − CKA', '0 is the same layout, 1 nothing in common'],
    ['transport', 'L_C, squared difference of affinities after transport', 'it does not quite reach 0'],
    ['alignment-free', 'L_C, squared difference of sorted affinities', '0 is no difference'],
  ])('L_C of relation %s is named', (relation, unit, zero) => {
    const words = reading('loss-consistency', `method.relation=${relation}`);
    expect(words).toContain(unit);
    expect(words).toContain(zero);
  });

  test('L_C at the best shift says how far it may be', () => {
    const words = reading('loss-consistency', 'method.consistencyShift=1');
    expect(words).toContain('L_C, squared difference of affinities at the best shift');
    expect(words).toContain('at the best shift of up to 1 patch; 0 is no difference');
    expect(reading('loss-consistency', 'method.consistencyShift=0')).not.toContain('shift');
  });

  test('L_C may be a Frobenius distance, and L_Glo is guessed with the positive once or twice', () => {
    const frobenius = reading('loss-consistency', 'method.distance=frobenius');
    expect(frobenius).toContain('L_C, Frobenius distance of affinities');
    expect(reading('loss-global', 'method.positive=once')).toContain('4·ln N for');
    expect(reading('loss-global', 'method.positive=twice')).toContain('4·ln(N + 1) for');
  });
});

test('retrieval tells among how many pairs partners were sought, and draws the line of guessing', () => {
  const retrieval = (some: typeof lines) => curves(some, context).find(({ id }) => id === 'retrieval')!;
  const told = retrieval(
    lines.map((line) => ('retrieval/a-to-b' in line ? { ...line, retrievalPairs: 92 } : line)),
  );
  expect(told.reading).toContain('among the 92 pairs looked at (the dashed line is guessing, 1 in 92)');
  expect(told.alt).toContain('guessing at 1.09');
  // A run of an older version does not say how many.
  expect(retrieval(lines).reading).toContain('at most 256');
  expect(retrieval(lines).alt).not.toContain('guessing at');
});

test('a run of one step has figures too, and without labels there is no kNN', () => {
  const { 'knnAuc/a': _, 'knnAuc/both': __, ...first } = loggedLines(1)[0]!;
  const one = curves([first], context);
  expect(one.map(({ id }) => id)).not.toContain('knn-auc');
  for (const { svg } of one) expect(svg).not.toMatch(/NaN|undefined/);
});

test('the files of figures are SVG without a page and PNG that is not blank', async () => {
  const svg = standaloneSvg({ ...figure('alignment'), title: 'a < b' });
  expect(svg).toMatch(/^<\?xml/);
  expect(svg).toContain('<title>a &lt; b</title>');
  const png = sharp(await svgToPng(svg));
  expect(await png.metadata()).toMatchObject({ format: 'png', width: 840, height: 480 });
  const { channels } = await png.stats();
  expect(channels[0]!.max).toBe(255);
  expect(channels[0]!.min).toBeLessThan(60);
});
