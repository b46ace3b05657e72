import { expect, test } from 'vitest';
import {
  type Augmentation,
  type Draw,
  type DrawOptions,
  drawAugmentation,
  recipes,
} from '../../src/augment/index.js';
import { golden } from './golden.js';

const key: DrawOptions = { seed: 7, epoch: 3, id: 'p12', modality: 'a', source: 128 };
const { simclr } = recipes;
const shared: Augmentation = { ...simclr, geometry: 'shared' };

function many(augmentation: Augmentation, count: number, options: Partial<DrawOptions> = {}): Draw[] {
  return Array.from({ length: count }, (_, i) =>
    drawAugmentation(augmentation, { ...key, id: `s${i}`, ...options }),
  );
}

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

test.each(golden.crops.cases)(
  'boxes of scale $scale are distributed as torchvision’s',
  ({ scale, moments }) => {
    const count = 8000;
    const { side } = golden.crops;
    const boxes = many({ ...simclr, crop: { scale, ratio: [3 / 4, 4 / 3] } }, count, { source: side }).map(
      (draw) => draw.box,
    );
    const measured: Record<string, number[]> = {
      area: boxes.map((box) => (box.height * box.width) / side ** 2),
      logRatio: boxes.map((box) => Math.log(box.width / box.height)),
      top: boxes.map((box) => box.top / side),
      left: boxes.map((box) => box.left / side),
      height: boxes.map((box) => box.height / side),
    };
    for (const [name, [mean, deviation]] of Object.entries(moments)) {
      const values = measured[name]!;
      const ourMean = average(values);
      // Five standard errors of the difference, both samples being finite.
      expect(Math.abs(ourMean - mean), name).toBeLessThan(5 * deviation * Math.sqrt(1 / count + 1 / 40000));
      const ourDeviation = Math.sqrt(average(values.map((value) => (value - ourMean) ** 2)));
      expect(Math.abs(ourDeviation / deviation - 1), name).toBeLessThan(0.04);
    }
    for (const { top, left, height, width } of boxes) {
      expect(Math.min(top, left, height - 1, width - 1)).toBeGreaterThanOrEqual(0);
      expect(Math.max(top + height, left + width)).toBeLessThanOrEqual(side);
    }
  },
);

test.each(golden.crops.fallbacks)(
  'a draw falls back as torchvision does where no box of ratio $ratio fits',
  ({ side, ratio, box }) => {
    const [top, left, height, width] = box;
    const augmentation: Augmentation = { ...simclr, crop: { scale: [1, 1], ratio } };
    expect(drawAugmentation(augmentation, { ...key, source: side }).box).toEqual({
      top,
      left,
      height,
      width,
    });
  },
);

test('decisions come as often as the recipe says, and jitter factors fill their ranges', () => {
  const count = 4000;
  const draws = many(simclr, count);
  const share = (test: (draw: Draw) => boolean): number => draws.filter(test).length / count;
  expect(share((draw) => draw.flip)).toBeCloseTo(0.5, 1);
  expect(share((draw) => draw.grayscale)).toBeCloseTo(0.2, 1);
  expect(share((draw) => draw.jitter !== null)).toBeCloseTo(0.8, 1);
  expect(share((draw) => draw.blurSigma !== null)).toBeCloseTo(0.5, 1);
  const jitters = draws.flatMap((draw) => draw.jitter ?? []);
  const ranges = {
    brightness: [0.2, 1.8],
    contrast: [0.2, 1.8],
    saturation: [0.2, 1.8],
    hue: [-0.2, 0.2],
  } as const;
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const values = jitters.map((jitter) => jitter[name as keyof typeof ranges]);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
    expect(Math.min(...values)).toBeLessThan(low + 0.01);
    expect(Math.max(...values)).toBeLessThan(high);
    expect(Math.max(...values)).toBeGreaterThan(high - 0.01);
    expect(Math.abs(average(values) - (low + high) / 2)).toBeLessThan(0.05 * (high - low));
  }
  const sigmas = draws.flatMap((draw) => draw.blurSigma ?? []);
  expect(Math.min(...sigmas)).toBeGreaterThanOrEqual(0.1);
  expect(average(sigmas)).toBeCloseTo(1.05, 1);
  const orders = new Map<string, number>();
  for (const { order } of jitters) orders.set(order.join(), (orders.get(order.join()) ?? 0) + 1);
  expect(orders.size).toBe(24);
  expect(Math.max(...orders.values())).toBeLessThan(1.6 * Math.min(...orders.values()));
});

test('a strength above 1 does not make factors negative', () => {
  const jitter = { brightness: 1.5, contrast: 1.5, saturation: 1.5, hue: 0, probability: 1 };
  for (const draw of many({ ...simclr, jitter }, 300)) {
    expect(
      Math.min(draw.jitter!.brightness, draw.jitter!.contrast, draw.jitter!.saturation),
    ).toBeGreaterThanOrEqual(0);
  }
});

test('the same key draws the same, any other key something else', () => {
  const draw = drawAugmentation(simclr, key);
  expect(drawAugmentation(simclr, { ...key })).toEqual(draw);
  const others: Partial<DrawOptions>[] = [
    { seed: 8 },
    { epoch: 4 },
    { id: 'p13' },
    { modality: 'b' },
    { view: 1 },
  ];
  for (const other of others)
    expect(drawAugmentation(simclr, { ...key, ...other }).box).not.toEqual(draw.box);
  expect(drawAugmentation(simclr, { ...key, view: 0 })).toEqual(draw);
});

test('modalities of shared geometry agree on box and flip, but not on photometry, and views still differ', () => {
  const a = many(shared, 50);
  const b = many(shared, 50, { modality: 'b' });
  const geometry = ({ box, flip }: Draw) => ({ box, flip });
  expect(b.map(geometry)).toEqual(a.map(geometry));
  expect(b.map((draw) => draw.jitter)).not.toEqual(a.map((draw) => draw.jitter));
  expect(b.map((draw) => draw.blurSigma)).not.toEqual(a.map((draw) => draw.blurSigma));
  expect(many(shared, 50, { view: 1 }).map(geometry)).not.toEqual(a.map(geometry));
  const independent = (modality: string): boolean[] =>
    many(simclr, 50, { modality }).map((draw) => draw.flip);
  expect(independent('b')).not.toEqual(independent('a'));
});

test('switching one decision off leaves the others as they were', () => {
  const draw = drawAugmentation(simclr, key);
  const off = drawAugmentation({ ...simclr, crop: null, grayscale: 0, blur: null }, key);
  expect(off.flip).toBe(draw.flip);
  expect(off.jitter).toEqual(draw.jitter);
  expect(off.box).toEqual({ top: 0, left: 0, height: 128, width: 128 });
  const still = many({ ...simclr, jitter: null, flip: 0 }, 50);
  expect(still.map((d) => d.blurSigma)).toEqual(many(simclr, 50).map((d) => d.blurSigma));
  expect(still.every((d) => d.jitter === null && !d.flip)).toBe(true);
});

test('colour-coded images keep hue, saturation and colour, and share brightness and contrast with the others', () => {
  const plain = many(recipes.authors, 200);
  const kept = many(recipes.authors, 200, { keepColours: true });
  expect(plain.some((draw) => draw.grayscale)).toBe(true);
  kept.forEach((draw, i) => {
    expect(draw.grayscale).toBe(false);
    expect(draw.jitter).toEqual({ ...plain[i]!.jitter!, saturation: 1, hue: 0 });
    expect(draw.box).toEqual(plain[i]!.box);
  });
});

test('the authors lose colour before the jitter, SimCLR after it', () => {
  expect(drawAugmentation(recipes.authors, key).grayscaleFirst).toBe(true);
  expect(drawAugmentation(recipes.simclr, key).grayscaleFirst).toBe(false);
});

test('numbers that make no sense are named', () => {
  const wrong: [Partial<Augmentation>, RegExp][] = [
    [{ flip: 1.5 }, /flip is 1.5, expected 0..1/],
    [{ grayscale: Number.NaN }, /grayscale is NaN/],
    [
      { crop: { scale: [0.5, 0.2], ratio: [1, 1] } },
      /crop.scale is \[0.5, 0.2\], expected \[low, high\] above 0, up to 1/,
    ],
    [{ crop: { scale: [0, 1], ratio: [1, 1] } }, /crop.scale is \[0, 1\]/],
    [{ crop: { scale: [0.5, 1], ratio: [-1, 1] } }, /crop.ratio/],
    [{ jitter: { ...simclr.jitter!, hue: 0.7 } }, /jitter.hue is 0.7, expected 0..0.5/],
    [{ jitter: { ...simclr.jitter!, contrast: -1 } }, /jitter.contrast is -1, expected ≥ 0/],
    [
      { blur: { probability: 0.5, sigma: [0, 2] } },
      /blur.sigma is \[0, 2\], expected \[low, high\] above 0$/,
    ],
  ];
  for (const [change, message] of wrong) {
    expect(() => drawAugmentation({ ...simclr, ...change }, key)).toThrow(message);
    expect(() => drawAugmentation({ ...simclr, ...change }, key)).toThrow(RangeError);
  }
  expect(() => drawAugmentation(simclr, { ...key, source: 0 })).toThrow(/source is 0/);
});
