import { describe, expect, it } from 'vitest';
import { findDuplicates } from '../../../../src/data/audit/measures/duplicates.js';
import { resize } from '../../../../src/data/images/resize.js';
import { changed, drawnDataset, raster, spots } from '../drawnPairs.js';

/** `count` unrelated pictures, then the given ones. */
function among(count: number, ...last: ReturnType<typeof spots>[]) {
  return drawnDataset([
    ...Array.from({ length: count }, (_, i) => ({ images: { a: spots(`other ${i}`) } })),
    ...last.map((a) => ({ images: { a } })),
  ]);
}

describe('findDuplicates', () => {
  const original = spots('original');

  it('finds the same pixels, whatever the number of samples', async () => {
    const copy = { ...original, data: original.data.slice() };
    expect(await findDuplicates(among(3, original, copy))).toEqual([
      { kind: 'exact', modality: 'a', members: [3, 4] },
    ]);
    expect(await findDuplicates(among(40, original, copy, copy))).toEqual([
      { kind: 'exact', modality: 'a', members: [40, 41, 42] },
    ]);
  });

  it.each([
    ['brightness and contrast', changed(original, (value) => 20 + 0.7 * value)],
    ['noise as of a compressor', changed(original, (value, x, y) => value + ((7 * x + 13 * y) % 9) - 4)],
    ['another size', resize(original, 120, 100)],
    ['a mark drawn on it', changed(original, (value, x, y) => (x > 60 && x < 100 && y === 80 ? 255 : value))],
    ['a line cut off each side', resize(cropped(original, 2), 160, 160)],
    [
      'a picture-wide shading',
      changed(original, (value, x) => value * (0.6 + 0.4 * Math.sin((Math.PI * x) / 160))),
    ],
  ])('finds a copy that differs by %s', async (_, copy) => {
    const groups = await findDuplicates(among(40, original, copy));
    expect(groups).toEqual([{ kind: 'near', modality: 'a', members: [40, 41] }]);
  });

  it('takes an inverted, turned or other picture for no copy', async () => {
    const inverted = changed(original, (value) => 255 - value);
    const turned = raster(160, 160, (x, y) => original.data[x * 160 + (159 - y)]!);
    expect(await findDuplicates(among(60, original, inverted, turned))).toEqual([]);
  });

  it('judges likeness by what the other pictures have in common', async () => {
    // One strong outline in all of them, as a skull: without the mean taken off they would all be alike.
    const framed = (key: string) => {
      const inside = spots(key);
      return raster(160, 160, (x, y) => {
        const radius = Math.hypot(x - 80, y - 80);
        return radius > 70 ? 0 : radius > 55 ? 255 : 100 + (inside.data[y * 160 + x]! - 128) / 3;
      });
    };
    const heads = Array.from({ length: 40 }, (_, i) => ({ images: { a: framed(`head ${i}`) } }));
    const copy = { images: { a: changed(framed('head 7'), (value) => 0.9 * value) } };
    expect(await findDuplicates(drawnDataset([...heads, copy]))).toEqual([
      { kind: 'near', modality: 'a', members: [7, 40] },
    ]);
  });

  it('looks at each modality for itself, and at no blank image', async () => {
    const black = raster(160, 160, (x, y) => (x + y) % 3);
    const dataset = drawnDataset([
      { images: { a: spots('1'), b: black } },
      { images: { a: spots('2'), b: black } },
      { images: { a: spots('3'), b: spots('1') } },
      { images: { a: spots('4'), b: spots('1') } },
    ]);
    expect(await findDuplicates(dataset)).toEqual([{ kind: 'exact', modality: 'b', members: [2, 3] }]);
  });

  it('counts the exact copies of a near one in', async () => {
    const annotated = changed(original, (value, x, y) => (x === 80 && y > 70 && y < 90 ? 255 : value));
    expect(await findDuplicates(among(40, original, annotated, original))).toEqual([
      { kind: 'exact', modality: 'a', members: [40, 42] },
      { kind: 'near', modality: 'a', members: [40, 41, 42] },
    ]);
  });

  it('tells its progress and stops when asked', async () => {
    const seen: [number, number][] = [];
    await findDuplicates(among(3), { onProgress: (...progress) => seen.push(progress) });
    expect(seen).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    await expect(findDuplicates(among(3), { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    );
  });
});

function cropped({ width, height, data }: ReturnType<typeof spots>, margin: number) {
  return raster(width - 2 * margin, height - 2 * margin, (x, y) => data[(y + margin) * width + x + margin]!);
}
