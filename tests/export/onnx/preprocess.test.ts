import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resize, resizeValues } from '../../../src/data/images/resize.js';
import type { Raster } from '../../../src/data/sample.js';
import { exportOnnx } from '../../../src/export/onnx/exportOnnx.js';
import { Graph } from '../../../src/export/onnx/graph.js';
import { squash } from '../../../src/export/onnx/preprocess.js';
import { Random, tidy } from '../../../src/tensor/index.js';
import { prepared } from '../../../src/use/checkOnnx.js';
import { open, run } from './differences.js';

const [SIZE, CACHE] = [32, 64];

/** The square alone, as whole numbers 0..255. */
function squareModel(): Uint8Array {
  const graph = new Graph('square');
  const { square } = squash(graph, graph.input('image', 'u8', ['height', 'width', 'channels']), CACHE);
  graph.output('square', square, 'f64', ['channels', 'side', 'side']);
  return graph.encode({ name: 'test', version: '0' }, {});
}

/** What comes out of the preprocessing, as the network is given it. */
const inputModel = (): Uint8Array =>
  exportOnnx((images) => ({ pixels: images.mul(1) }), {
    imageShape: [3, SIZE, SIZE],
    preprocess: { size: SIZE, cacheSize: CACHE },
  });

function noise(width: number, height: number, channels: 1 | 3): Raster {
  const random = new Random('image', width, height, channels);
  const data = Uint8Array.from({ length: width * height * channels }, () => random.below(256));
  return { width, height, channels, data };
}

/** Smaller than the square, of its size, larger; odd, oblong, a single pixel; with and without halves in the sums. */
const sizes: readonly [number, number][] = [
  [1, 1],
  [20, 17],
  [32, 32],
  [48, 96],
  [64, 64],
  [63, 65],
  [64, 200],
  [128, 128],
  [160, 80],
  [131, 97],
  [301, 33],
  [256, 512],
];
const images = sizes.flatMap(([width, height]) => [noise(width, height, 1), noise(width, height, 3)]);

type Session = Awaited<ReturnType<typeof open>>;

describe('images of any size inside the model, beside the product’s own preprocessing', () => {
  let square: Session;
  let input: Session;
  beforeAll(async () => {
    square = await open(squareModel());
    input = await open(inputModel());
  });
  afterAll(async () => {
    await square.release();
    await input.release();
  });

  async function comparedSquares(image: Raster): Promise<{ pixels: number; otherHalves: number }> {
    const { width, height, channels, data } = image;
    const side = Math.min(CACHE, width, height);
    const found = (await run(square, data, [height, width, channels])).square!;
    expect(found.shape).toEqual([channels, side, side]);
    const expected = resize(image, side, side).data;
    const exact = resizeValues(data, image, side, side);
    let otherHalves = 0;
    for (const [i, value] of expected.entries()) {
      const other = found.data[(i % channels) * side * side + Math.floor(i / channels)]!;
      if (other === value) continue;
      // Sums are added up in another order: 1e-11 is far above their rounding. Only halves may become their other
      // neighbour.
      expect(Math.abs(other - value)).toBe(1);
      expect(Math.abs(exact[i]! - (other + value) / 2)).toBeLessThan(1e-11);
      otherHalves += 1;
    }
    return { pixels: expected.length, otherHalves };
  }

  test.each(images)('$width × $height × $channels: the same 8-bit values, but for halves', async (image) => {
    await comparedSquares(image);
  });

  test('fewer than one pixel in 4,000 is a half that becomes its other neighbour, of images of any size', async () => {
    const random = new Random('sizes');
    let [pixels, otherHalves] = [0, 0];
    for (let i = 0; i < 300; i += 1) {
      const [width, height] = [1 + random.below(200), 1 + random.below(200)];
      const compared = await comparedSquares(noise(width, height, i % 2 === 0 ? 1 : 3));
      pixels += compared.pixels;
      otherHalves += compared.otherHalves;
    }
    expect(pixels).toBeGreaterThan(1e6);
    expect(otherHalves).toBeLessThan(pixels / 4000);
  });

  test.each(images)('$width × $height × $channels: the input of the network', async (image) => {
    const { width, height, channels, data } = image;
    const { otherHalves } = await comparedSquares(image);
    const found = (await run(input, data, [height, width, channels])).pixels!;
    expect(found.shape).toEqual([1, 3, SIZE, SIZE]);
    const expected = tidy(() => prepared(image, { size: SIZE, cacheSize: CACHE }).toArray()) as Float32Array;
    // Each pixel is a mean of at most 16 in f32, in values up to 1; a half that became the other adds its weight.
    const tolerance = 3e-7 + (otherHalves > 0 ? 1 / 255 : 0);
    for (const [i, value] of expected.entries()) {
      expect(Math.abs(found.data[i]! - value)).toBeLessThanOrEqual(tolerance);
    }
  });

  test('white stays 1 and black 0', async () => {
    for (const value of [0, 255]) {
      const data = new Uint8Array(77 * 131 * 3).fill(value);
      const { pixels } = await run(input, data, [77, 131, 3]);
      expect(Math.max(...pixels!.data)).toBeLessThanOrEqual(value / 255);
      expect(Math.min(...pixels!.data)).toBeGreaterThanOrEqual(value / 255 - 2e-7);
    }
  });
});
