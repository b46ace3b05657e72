import { describe, expect, it } from 'vitest';
import { bmpSize, decodeBmp, isBmp } from '../../../src/data/formats/bmp.js';
import { bmp, coreBmp } from '../handmadeImages.js';

describe('decodeBmp', () => {
  it('reads 24 bits, bottom row first and padded to four bytes', () => {
    // Rows as stored, blue first.
    const rows = [
      [30, 20, 10, 60, 50, 40, 0, 0],
      [3, 2, 1, 6, 5, 4, 0, 0],
    ];
    const stored = bmp({ width: 2, height: 2, bits: 24 }, rows.flat());
    expect(decodeBmp(stored, 'x.bmp')).toMatchObject({
      width: 2,
      height: 2,
      channels: 3,
      fullScale: [0, 255],
    });
    expect([...decodeBmp(stored, 'x.bmp').data]).toEqual([1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]);
    const topDown = bmp({ width: 2, height: -2, bits: 24 }, rows.flat());
    expect([...decodeBmp(topDown, 'x.bmp').data]).toEqual([10, 20, 30, 40, 50, 60, 1, 2, 3, 4, 5, 6]);
    expect(bmpSize(topDown, 'x.bmp')).toEqual({ width: 2, height: 2 });
  });

  it('looks 8, 4 and 1 bits up in the palette', () => {
    const palette = [
      [0, 0, 255, 0],
      [7, 7, 7, 0],
      [90, 80, 70, 0],
    ];
    const [red, gray, brown] = [
      [255, 0, 0],
      [7, 7, 7],
      [70, 80, 90],
    ];
    const eight = bmp({ width: 3, height: 1, bits: 8, palette }, [2, 0, 1, 0]);
    expect([...decodeBmp(eight, 'x.bmp').data]).toEqual([...brown!, ...red!, ...gray!]);
    const four = bmp({ width: 3, height: 1, bits: 4, palette }, [0x12, 0x00, 0, 0]);
    expect([...decodeBmp(four, 'x.bmp').data]).toEqual([...gray!, ...brown!, ...red!]);
    const one = bmp(
      { width: 9, height: 1, bits: 1, palette: palette.slice(0, 2) },
      [0b01000000, 0b10000000, 0, 0],
    );
    const indices = [0, 1, 0, 0, 0, 0, 0, 0, 1];
    expect([...decodeBmp(one, 'x.bmp').data]).toEqual(indices.flatMap((i) => (i === 0 ? red! : gray!)));
  });

  it('finds pixels whose place the header leaves 0 behind header and palette', () => {
    const stored = bmp({ width: 2, height: 1, bits: 24 }, [30, 20, 10, 60, 50, 40, 0, 0]);
    stored.writeUInt32LE(0, 10);
    expect([...decodeBmp(stored, 'x.bmp').data]).toEqual([10, 20, 30, 40, 50, 60]);
    const palette = Array.from({ length: 256 }, (_, i) => [i, 255 - i, 7, 0]);
    const indexed = bmp({ width: 2, height: 1, bits: 8, palette }, [3, 200, 0, 0]);
    indexed.writeUInt32LE(0, 10);
    expect([...decodeBmp(indexed, 'x.bmp').data]).toEqual([7, 252, 3, 7, 55, 200]);
    const inside = bmp({ width: 2, height: 1, bits: 24 }, [30, 20, 10, 60, 50, 40, 0, 0]);
    inside.writeUInt32LE(20, 10);
    expect(() => decodeBmp(inside, 'x.bmp')).toThrow(
      'x.bmp: the pixels begin at byte 20, within the header of 54 bytes',
    );
  });

  it('reads 32 bits, and alpha only where the header names it', () => {
    const pixels = [30, 20, 100, 51, 3, 2, 1, 0];
    const ignored = bmp({ width: 2, height: 1, bits: 32 }, pixels);
    expect([...decodeBmp(ignored, 'x.bmp').data]).toEqual([100, 20, 30, 1, 2, 3]);
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    const alpha = bmp({ width: 2, height: 1, bits: 32, masks }, pixels);
    expect([...decodeBmp(alpha, 'x.bmp').data]).toEqual([20, 4, 6, 0, 0, 0]);
  });

  it('reads the short header of OS/2, with its palette of three bytes, and the long one', () => {
    const colour = coreBmp({ width: 1, height: 2, bits: 24 }, [30, 20, 10, 0, 3, 2, 1, 0]);
    expect(isBmp(colour)).toBe(true);
    expect([...decodeBmp(colour, 'x.bmp').data]).toEqual([1, 2, 3, 10, 20, 30]);
    const palette = [
      [0, 0, 255],
      [90, 80, 70],
    ];
    const paletted = coreBmp({ width: 2, height: 1, bits: 8, palette }, [1, 0, 0, 0]);
    expect([...decodeBmp(paletted, 'x.bmp').data]).toEqual([70, 80, 90, 255, 0, 0]);
    expect(bmpSize(paletted, 'x.bmp')).toEqual({ width: 2, height: 1 });
    const long = Buffer.concat([
      bmp({ width: 1, height: 1, bits: 24 }, []),
      Buffer.from(`${'0'.repeat(24)}abc0`),
    ]);
    long.writeUInt32LE(78, 10);
    long.writeUInt32LE(64, 14);
    expect(isBmp(long)).toBe(true);
    expect([...decodeBmp(long, 'x.bmp').data]).toEqual([...Buffer.from('cba')]);
  });

  it('refuses what is compressed, cut off or damaged', () => {
    expect(() => decodeBmp(bmp({ width: 4, height: 1, bits: 8, compression: 1 }, [4, 0]), 'x.bmp')).toThrow(
      'x.bmp: is a BMP of 8 bits a pixel with compression 1, expected 1, 4, 8, 24 or 32 bits',
    );
    expect(() => decodeBmp(bmp({ width: 2, height: 9, bits: 24 }, [0, 0, 0, 0]), 'x.bmp')).toThrow(
      'x.bmp: is 58 bytes long, but 2×9 pixels of 24 bits need 126',
    );
    expect(() =>
      decodeBmp(bmp({ width: 1, height: 1, bits: 8, palette: [[0, 0, 0, 0]] }, [9, 0, 0, 0]), 'x.bmp'),
    ).toThrow('x.bmp: a pixel has colour 9 of a palette of 1');
  });
});
