import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../../src/data/formats/image.js';
import { readTiffLayout } from '../../../src/data/formats/tiffLayout.js';
import { tiff, words } from '../handmadeImages.js';

const [GRAY, RGB] = [1, 2];
const [UNSPECIFIED, PREMULTIPLIED, ALPHA] = [0, 1, 2];

async function values(bytes: Uint8Array) {
  const { channels, data } = await decodeImage(bytes, 'x.tif');
  return { channels, values: [...data] };
}

describe('decodeImage of a TIFF with samples beyond the colours', () => {
  it('leaves out samples of unspecified meaning: 8 and 16 bits, gray and RGB, one to three', async () => {
    const two = tiff(Buffer.from([10, 20, 30, 0, 9, 40, 50, 60, 128, 1]), {
      ...{ bits: 8, channels: 5, photometric: RGB, extras: [UNSPECIFIED, UNSPECIFIED] },
    });
    expect(await values(two)).toEqual({ channels: 3, values: [10, 20, 30, 40, 50, 60] });
    const three = { bits: 8, channels: 6, photometric: RGB, extras: [0, 0, 0] };
    expect(await values(tiff(Buffer.from([1, 2, 3, 4, 5, 6]), three))).toEqual({
      channels: 3,
      values: [1, 2, 3],
    });
    const gray = { bits: 8, channels: 2, photometric: GRAY, extras: [UNSPECIFIED] };
    expect(await values(tiff(Buffer.from([100, 0, 200, 7]), gray))).toEqual({
      channels: 1,
      values: [100, 200],
    });
    const wide = { bits: 16, channels: 2, photometric: GRAY, extras: [UNSPECIFIED] };
    expect(await values(tiff(words(1000, 0, 60000, 5), wide))).toEqual({
      channels: 1,
      values: [1000, 60000],
    });
    const grayOfThree = { bits: 16, channels: 3, photometric: GRAY, extras: [UNSPECIFIED, UNSPECIFIED] };
    expect(await values(tiff(words(1000, 2, 3, 4000, 5, 6), grayOfThree))).toEqual({
      channels: 1,
      values: [1000, 4000],
    });
    const wideColour = { bits: 16, channels: 4, photometric: RGB, extras: [UNSPECIFIED] };
    expect(await values(tiff(words(1000, 2000, 3000, 9), wideColour))).toEqual({
      channels: 3,
      values: [1000, 2000, 3000],
    });
  });

  it('composites an alpha onto black once, and keeps colours that are multiplied by it already', async () => {
    const alpha = { bits: 8, channels: 4, photometric: RGB, extras: [ALPHA] };
    expect((await values(tiff(Buffer.from([200, 100, 50, 51]), alpha))).values).toEqual([40, 20, 10]);
    const wide = { bits: 16, channels: 2, photometric: GRAY, extras: [ALPHA] };
    expect((await values(tiff(words(50000, 13107), wide))).values).toEqual([10000]);
    // 7/13 and the like have no exact quotient, so a decoder that divides and multiplies again is off by one.
    const premultiplied = { bits: 8, channels: 4, photometric: RGB, extras: [PREMULTIPLIED] };
    const samples = [1, 7, 12, 13, 100, 101, 102, 103];
    expect((await values(tiff(Buffer.from(samples), premultiplied))).values).toEqual([
      1, 7, 12, 100, 101, 102,
    ]);
    const wideGray = { bits: 16, channels: 2, photometric: GRAY, extras: [PREMULTIPLIED] };
    expect((await values(tiff(words(7001, 7013, 5, 60001), wideGray))).values).toEqual([7001, 5]);
  });

  it('finds the alpha behind a sample of unspecified meaning', async () => {
    const shape = { bits: 8, channels: 5, photometric: RGB, extras: [UNSPECIFIED, ALPHA] };
    expect((await values(tiff(Buffer.from([200, 100, 50, 3, 51]), shape))).values).toEqual([40, 20, 10]);
  });

  it('reads planes of colours, and refuses a gray plane beside others', async () => {
    const planes = Buffer.from([1, 4, 2, 5, 3, 6, 0, 0]);
    const colour = { bits: 8, channels: 4, photometric: RGB, extras: [UNSPECIFIED], planar: true };
    expect((await values(tiff(planes, colour))).values).toEqual([1, 2, 3, 4, 5, 6]);
    const gray = { bits: 8, channels: 2, photometric: GRAY, extras: [UNSPECIFIED], planar: true };
    await expect(values(tiff(Buffer.from([1, 2, 3, 4]), gray))).rejects.toThrow(
      'x.tif: is a gray TIFF with 1 more plane, expected interleaved samples',
    );
  });

  it('refuses samples that the file does not explain, and two alphas', async () => {
    const unexplained = tiff(Buffer.from([1, 2, 3, 4]), { bits: 8, channels: 4, photometric: RGB });
    await expect(values(unexplained)).rejects.toThrow(
      'x.tif: a pixel of this TIFF has 4 samples, of which 1 are no colours, and the tag ExtraSamples, which says what ' +
        'they are, names 0.',
    );
    const twoAlphas = { bits: 8, channels: 5, photometric: RGB, extras: [PREMULTIPLIED, ALPHA] };
    await expect(values(tiff(Buffer.from([1, 2, 3, 4, 5]), twoAlphas))).rejects.toThrow(
      'x.tif: this TIFF says that 2 samples of a pixel are alpha, expected one',
    );
  });

  it('says that a compression is not read, instead of calling the file damaged', async () => {
    const bytes = tiff(Buffer.from([5, 6, 7]), { bits: 8, channels: 1, photometric: GRAY });
    // The value of the tag Compression stands eight bytes after its number.
    bytes.writeUInt16LE(34925, bytes.indexOf(Buffer.from([3, 1, 3, 0])) + 8);
    await expect(values(bytes)).rejects.toThrow('x.tif: is compressed by LZMA, which is not read.');
  });

  it('reads a sound TIFF of which libtiff only warns', async () => {
    const unsorted = tiff(Buffer.from([5, 6, 7]), {
      bits: 8,
      channels: 1,
      photometric: GRAY,
      unsorted: true,
    });
    expect((await values(unsorted)).values).toEqual([5, 6, 7]);
  });
});

describe('decodeImage of a TIFF whose strips or tiles do not hold its pixels', () => {
  const [SHORT, LONG] = [3, 4];
  const [HEIGHT, STRIPS, ROWS, STRIP_BYTES] = [257, 273, 278, 279];
  const [TILE_WIDTH, TILE_ROWS, TILES, TILE_BYTES] = [322, 323, 324, 325];
  const rows = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]);
  /** Four rows of two pixels in strips at these places. */
  const strips = (places: number[], bytes: number[], perStrip: number[]) =>
    tiff(rows, {
      ...{ bits: 8, channels: 1, photometric: GRAY },
      tags: [
        ...([
          [256, LONG, [2]],
          [HEIGHT, LONG, [4]],
          [ROWS, LONG, perStrip],
        ] as const),
        ...([
          [STRIPS, LONG, places],
          [STRIP_BYTES, LONG, bytes],
        ] as const),
      ],
    });
  /** Of a tile of 16×16 pixels, 1×1. */
  const tile = (length: number, { place = 8, bytes = 256, type = LONG, compression = 1 } = {}) =>
    tiff(Buffer.alloc(length, 7), {
      ...{ bits: 8, channels: 1, photometric: GRAY },
      tags: [
        ...([
          [256, LONG, [1]],
          [259, SHORT, [compression]],
          [STRIPS, LONG, []],
          [ROWS, LONG, []],
        ] as const),
        ...([
          [STRIP_BYTES, LONG, []],
          [TILE_WIDTH, LONG, [16]],
          [TILE_ROWS, LONG, [16]],
        ] as const),
        ...([
          [TILES, LONG, [place]],
          [TILE_BYTES, type, [bytes]],
        ] as const),
      ],
    });

  it('reads sound ones, and a last strip of fewer rows', async () => {
    expect((await values(strips([8, 12], [4, 4], [2]))).values).toEqual([...rows]);
    expect((await values(strips([8, 14], [6, 2], [3]))).values).toEqual([...rows]);
    expect((await values(strips([8], [8], []))).values).toEqual([...rows]);
    expect((await values(tile(256))).values).toEqual([7]);
  });

  it.each([
    ['a short strip', strips([8, 12], [3, 4], [2]), 'holds 3 bytes in strip 0, but its 2 rows need 4'],
    ['a short only strip', strips([8], [2], [4]), 'holds 2 bytes in strip 0, but its 4 rows need 8'],
    ['a strip too few', strips([8], [4], [2]), 'lists 1 strips, but its size asks for 2'],
    ['strips without RowsPerStrip', strips([8, 12], [4, 4], []), 'lists 2 strips, but its size asks for 1'],
    ['a short tile', tile(256, { bytes: 100 }), 'holds 100 bytes in tile 0, but its 16 rows need 256'],
    ['a tile whose length is a byte', tile(256, { bytes: 255, type: 1 }), 'holds 255 bytes in tile 0'],
    ['a tile behind the end', tile(256, { place: 400 }), 'cannot be decoded'],
    ['a damaged compressed tile', tile(256, { compression: 8 }), 'cannot be decoded'],
  ])('refuses %s', async (_, bytes, problem) => {
    await expect(values(bytes)).rejects.toThrow(
      `x.tif: ${problem.startsWith('cannot') ? '' : 'this TIFF '}${problem}`,
    );
  });
});

describe('readTiffLayout', () => {
  it('reads BigTIFF of either byte order, and gives undefined for what ends early', () => {
    const big = Buffer.alloc(16 + 8 + 20 + 8);
    big.write('MM');
    big.writeUInt16BE(43, 2);
    big.writeUInt16BE(8, 4);
    big.writeBigUInt64BE(16n, 8);
    big.writeBigUInt64BE(1n, 16);
    big.writeUInt16BE(338, 24);
    big.writeUInt16BE(3, 26);
    big.writeBigUInt64BE(2n, 28);
    big.writeUInt16BE(0, 36);
    big.writeUInt16BE(2, 38);
    expect(readTiffLayout(big)).toMatchObject({
      extras: ['unspecified', 'alpha'],
      extrasAt: [
        [36, 38],
        [38, 40],
      ],
    });
    expect(readTiffLayout(big.subarray(0, 30))).toBeUndefined();
    expect(readTiffLayout(Buffer.from('II'))).toBeUndefined();
  });
});
