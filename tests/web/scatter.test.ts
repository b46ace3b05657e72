import { describe, expect, it } from 'vitest';
import { heat, imagePlace, inside, WHOLE, zoomed } from '../../web/heat.js';
import { colouring, dropList, nearest, placed, samplesWithin } from '../../web/scatter.js';

describe('a map of cases', () => {
  const points = placed([
    [[0, 0], [4, 2], null],
    [[2, 1], null, [0, 2]],
  ]);

  it('lies in a square with its proportions, up being up', () => {
    expect(points.map(({ sample, modality }) => [sample, modality])).toEqual([
      [0, 0],
      [1, 0],
      [0, 1],
      [2, 1],
    ]);
    const [origin, far, middle, high] = points;
    expect(origin!.x).toBeCloseTo(0.03, 9);
    expect(far!.x).toBeCloseTo(0.97, 9);
    expect(middle).toMatchObject({ x: expect.closeTo(0.5, 9), y: expect.closeTo(0.5, 9) });
    expect(far!.x - origin!.x).toBeCloseTo(2 * (origin!.y - far!.y), 9);
    expect(high!.y).toBeLessThan(origin!.y);
    expect(placed([[[1, 1]]])[0]).toMatchObject({ x: 0.5, y: 0.5 });
    expect(placed([])).toEqual([]);
  });

  it('knows which point is nearest, and which samples a lasso holds', () => {
    expect(nearest(points, { x: 0.05, y: 0.75 }, 0.1)).toBe(points[0]);
    expect(nearest(points, { x: 0.3, y: 0.9 }, 0.1)).toBeUndefined();
    const left = [
      { x: 0, y: 0 },
      { x: 0.2, y: 0 },
      { x: 0.2, y: 1 },
      { x: 0, y: 1 },
    ];
    expect(samplesWithin(points, left)).toEqual([0, 2]);
    const all = left.map(({ x, y }) => ({ x: 5 * x, y }));
    expect(samplesWithin(points, all)).toEqual([0, 1, 2]);
    expect(samplesWithin(points, [])).toEqual([]);
  });

  const legend = (column: string, words: readonly string[]) =>
    colouring(column, words).legend.map((one) => one.words);

  it('is coloured by names, a colour each while they are few', () => {
    const few = colouring('device', ['b', 'a', 'b', '']);
    expect(few.legend.map(({ words }) => words)).toEqual(['none', 'a', 'b']);
    expect(few.colours[0]).toBe(few.colours[2]);
    expect(few.colours[0]).not.toEqual(few.colours[1]);
    expect(legend('device', ['scan 10', 'scan 9'])).toEqual(['scan 9', 'scan 10']);
    const many = colouring(
      'device',
      Array.from({ length: 20 }, (_, i) => `p${i}`),
    );
    expect(many.legend).toEqual([]);
    expect(many.colours).not.toContainEqual(heat(0));
    // No sample has a word.
    expect(legend('', ['', ''])).toEqual(['none']);
  });

  it('is coloured by a scale where a column of the manifest holds numbers, be they many or few', () => {
    const many = colouring(
      'age',
      Array.from({ length: 20 }, (_, i) => String(i)),
    );
    expect(many.legend).toEqual([
      { words: '0', colour: heat(0) },
      { words: '19', colour: heat(1) },
    ]);
    const few = colouring('grade', ['10', '2', '6', '2']);
    expect(few.legend).toEqual([
      { words: '2', colour: heat(0) },
      { words: '6', colour: heat(0.5) },
      { words: '10', colour: heat(1) },
    ]);
    expect(few.colours.map((colour) => colour.join())).toEqual(
      [1, 0, 0.5, 0].map((share) => heat(share).join()),
    );
    expect(legend('seed', ['7', '7'])).toEqual(['7']);
    // One of twenty is a word, and some have none.
    const ages = [...Array.from({ length: 19 }, (_, i) => String(i % 3)), 'unknown', ''];
    expect(legend('age', ages)).toEqual(['0', '1', '2', 'no number']);
    expect(legend('age', ['1', '2', 'unknown'])).toEqual(['1', '2', 'unknown']);
  });

  it('takes labels, subjects and folds for names, also where they are numbers', () => {
    for (const column of ['label', 'subject', 'fold']) {
      expect(legend(column, ['10', '2', '1'])).toEqual(['1', '2', '10']);
      const { colours } = colouring(column, ['10', '2', '1']);
      expect(new Set(colours.map((colour) => colour.join())).size).toBe(3);
      expect(colours).not.toContainEqual(heat(0));
    }
    const subjects = Array.from({ length: 20 }, (_, i) => String(i));
    expect(legend('subject', subjects)).toEqual([]);
  });

  it('gives a list that may be read as CSV, whatever is in an id', () => {
    expect(dropList(['a', 'b,"c"'])).toBe(
      'id,reason\na,chosen on the map of cases\n"b,""c""",chosen on the map of cases\n',
    );
  });
});

describe('a look', () => {
  it('keeps the place that is pointed at while it enlarges, and shows nothing beside the image', () => {
    const panel = { x: 0.25, y: 0.6 };
    const around = imagePlace(WHOLE, panel);
    const near = zoomed(WHOLE, 2, around);
    expect(near.zoom).toBe(2);
    expect(imagePlace(near, panel)).toMatchObject({ x: expect.closeTo(0.25, 9), y: expect.closeTo(0.6, 9) });
    expect(zoomed(near, 0.01, around)).toEqual(WHOLE);
    expect(inside({ x: 0, y: 2, zoom: 2 })).toEqual({ x: 0.25, y: 0.75, zoom: 2 });
    expect(zoomed(WHOLE, 1000, around).zoom).toBe(16);
  });

  it('has colours from dark to light', () => {
    const light = ([red, green, blue]: readonly [number, number, number]) => 2 * red + 5 * green + blue;
    const shares = Array.from({ length: 21 }, (_, i) => light(heat(i / 20)));
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(heat(-1)).toEqual(heat(0));
    expect(heat(2)).toEqual(heat(1));
    expect(heat(Number.NaN)).toEqual(heat(0));
  });
});
