import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../../src/data/formats/image.js';
import { readImageSize, readPixels } from '../../../src/data/formats/index.js';
import { mapPixels } from '../../../src/data/images/mapPixels.js';
import { DataError } from '../../../src/errors.js';
import { GRAY, GRAY_ALPHA, PALETTE, png, RGB, RGB_ALPHA, tiff, words } from '../handmadeImages.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'image-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What becomes of a file when nothing is asked. */
async function mapped(bytes: Uint8Array) {
  return mapPixels(await decodeImage(bytes, 'test'), {}, { name: 'test', modality: 'a' });
}

async function decoded(bytes: Uint8Array) {
  const { width, height, channels, data } = await mapped(bytes);
  return { size: [width, height], channels, data: [...data] };
}

/** 32×24 pixels that no codec finds easy. */
function noisy() {
  const data = Buffer.from(Array.from({ length: 32 * 24 * 3 }, (_, i) => ((i * 7919) >> 3) & 255));
  return sharp(data, { raw: { width: 32, height: 24, channels: 3 } });
}

describe('decodeImage with 8 bits', () => {
  it('reads gray, and RGB in its channel order', async () => {
    expect(await decoded(png(3, 8, GRAY, [[0, 7, 255]]))).toEqual({
      size: [3, 1],
      channels: 1,
      data: [0, 7, 255],
    });
    expect(
      await decoded(
        png(1, 8, RGB, [
          [1, 2, 3],
          [4, 5, 6],
        ]),
      ),
    ).toEqual({
      size: [1, 2],
      channels: 3,
      data: [1, 2, 3, 4, 5, 6],
    });
  });

  it('reads 1-, 2- and 4-bit gray over the full range', async () => {
    expect((await decoded(png(4, 1, GRAY, [[0b01010000]]))).data).toEqual([0, 255, 0, 255]);
    expect((await decoded(png(4, 2, GRAY, [[0b00011011]]))).data).toEqual([0, 85, 170, 255]);
    expect((await decoded(png(4, 4, GRAY, [[0x0f, 0x37]]))).data).toEqual([0, 255, 51, 119]);
  });

  it('looks palettes up, also 1-bit ones', async () => {
    const colours: [string, number[]] = ['PLTE', [255, 0, 0, 0, 255, 0, 7, 7, 7]];
    const paletted = await decoded(png(3, 8, PALETTE, [[2, 0, 1]], [colours]));
    expect(paletted).toMatchObject({ channels: 3, data: [7, 7, 7, 255, 0, 0, 0, 255, 0] });
    const twoGrays = png(4, 1, PALETTE, [[0b01010000]], [['PLTE', [10, 10, 10, 200, 200, 200]]]);
    expect(await decoded(twoGrays)).toMatchObject({ channels: 1, data: [10, 200, 10, 200] });
  });

  it('gives one channel where R = G = B everywhere, three where one pixel differs', async () => {
    expect(await decoded(png(2, 8, RGB, [[9, 9, 9, 80, 80, 80]]))).toMatchObject({
      channels: 1,
      data: [9, 80],
    });
    expect((await decoded(png(2, 8, RGB, [[9, 9, 9, 80, 80, 81]]))).channels).toBe(3);
  });

  it('composites alpha onto black', async () => {
    expect(await decoded(png(3, 8, GRAY_ALPHA, [[100, 255, 100, 128, 100, 0]]))).toMatchObject({
      channels: 1,
      data: [100, 50, 0],
    });
    const colour = await decoded(png(2, 8, RGB_ALPHA, [[200, 100, 50, 51, 9, 8, 7, 255]]));
    expect(colour).toMatchObject({ channels: 3, data: [40, 20, 10, 9, 8, 7] });
    const transparent = png(
      2,
      8,
      PALETTE,
      [[0, 1]],
      [
        ['PLTE', [90, 80, 70, 6, 5, 4]],
        ['tRNS', [0]],
      ],
    );
    expect((await decoded(transparent)).data).toEqual([0, 0, 0, 6, 5, 4]);
  });

  it('leaves values alone whatever gamma or profile a gray PNG claims', async () => {
    expect((await decoded(png(2, 8, GRAY, [[100, 200]], [['gAMA', [0, 1, 0x86, 0xa0]]]))).data).toEqual([
      100, 200,
    ]);
    const profiled = await noisy().withIccProfile('p3').png().toBuffer();
    const plain = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
    expect((await decoded(profiled)).data).toEqual([...plain]);
  });
});

describe('decodeImage with 16 bits', () => {
  it('maps 0 … 65535 linearly and rounds exactly, which sharp by itself does not', async () => {
    const values = [0, 384, 639, 0x8000, 0xfeff, 0xffff];
    const expected = values.map((value) => Math.round(value / 257));
    const bigEndian = values.flatMap((value) => [value >> 8, value & 255]);
    expect((await decoded(png(6, 16, GRAY, [bigEndian]))).data).toEqual(expected);
    expect((await decoded(png(2, 16, RGB, [bigEndian]))).data).toEqual(expected);
    expect((await decoded(tiff(words(...values), { bits: 16, channels: 1, photometric: 1 }))).data).toEqual(
      expected,
    );
    const colour = await decoded(tiff(words(...values), { bits: 16, channels: 3, photometric: 2 }));
    expect(colour).toMatchObject({ size: [2, 1], channels: 3, data: expected });
  });

  it('turns gray where 0 is white the right way round', async () => {
    const inverted = tiff(words(0, 65535, 257 * 55), { bits: 16, channels: 1, photometric: 0 });
    expect((await decoded(inverted)).data).toEqual([255, 0, 200]);
  });

  it('composites 16-bit alpha onto black', async () => {
    const halfSeen = png(2, 16, GRAY_ALPHA, [[128, 0, 255, 255, 128, 0, 128, 0]]);
    expect(await decoded(halfSeen)).toMatchObject({ channels: 1, data: [128, 64] });
  });
});

describe('decodeImage with formats other than PNG', () => {
  it('reads lossless TIFF and WebP to the bit, JPEG closely', async () => {
    const truth = await noisy().raw().toBuffer();
    expect((await decoded(await noisy().tiff({ compression: 'lzw' }).toBuffer())).data).toEqual([...truth]);
    expect((await decoded(await noisy().webp({ lossless: true }).toBuffer())).data).toEqual([...truth]);
    const flat = sharp({
      create: { width: 16, height: 16, channels: 3, background: { r: 200, g: 100, b: 50 } },
    });
    const jpeg = await mapped(await flat.jpeg({ quality: 100 }).toBuffer());
    expect(Math.abs(jpeg.data[0]! - 200)).toBeLessThan(3);
    expect(await decoded(await flat.clone().grayscale().jpeg().toBuffer())).toMatchObject({ channels: 1 });
  });

  it('reads CMYK JPEG as the colours that were meant, not as their negative', async () => {
    const background = { r: 180, g: 120, b: 90 };
    const flat = sharp({ create: { width: 16, height: 16, channels: 3, background } });
    const cmyk = await flat.toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const { channels, data } = await mapped(cmyk);
    expect(channels).toBe(3);
    for (const [c, value] of [180, 120, 90].entries()) expect(Math.abs(data[c]! - value)).toBeLessThan(12);
  });

  it('honours EXIF orientation', async () => {
    const upright = png(2, 8, GRAY, [
      [10, 20],
      [30, 40],
      [50, 60],
    ]);
    const turned = await sharp(upright).withMetadata({ orientation: 6 }).png().toBuffer();
    expect(await decoded(turned)).toEqual({ size: [3, 2], channels: 1, data: [50, 30, 10, 60, 40, 20] });
  });
});

describe('decodeImage of a file that it refuses', () => {
  it('names a truncated or damaged file of every format', async () => {
    for (const format of ['png', 'jpeg', 'tiff', 'webp'] as const) {
      const whole = await noisy()[format]().toBuffer();
      for (const part of [0.1, 0.6, 0.97]) {
        const cut = whole.subarray(0, Math.floor(whole.length * part));
        await expect(decodeImage(cut, `scan.${format}`)).rejects.toThrow(DataError);
        await expect(decodeImage(cut, `scan.${format}`)).rejects.toThrow(`scan.${format}: cannot be decoded`);
      }
    }
    const flipped = await noisy().png().toBuffer();
    flipped[Math.floor(flipped.length / 2)]! ^= 0x55;
    await expect(decodeImage(flipped, 'flipped.png')).rejects.toThrow('flipped.png: cannot be decoded');
  });

  it('says what an empty file, text, GIF, float or several pages are', async () => {
    await expect(decodeImage(new Uint8Array(0), 'x.png')).rejects.toThrow('x.png: is empty (0 bytes)');
    await expect(decodeImage(Buffer.from('hello'), 'x.png')).rejects.toThrow('x.png: cannot be decoded');
    await expect(decodeImage(await noisy().gif().toBuffer(), 'x.gif')).rejects.toThrow(
      'x.gif: is gif, expected PNG, JPEG, TIFF or WebP',
    );
    const floats = Buffer.from(Float32Array.of(0, 0.5, 1).buffer);
    const float = tiff(floats, { bits: 32, channels: 1, photometric: 1, format: 3 });
    await expect(decodeImage(float, 'x.tif')).rejects.toThrow('x.tif: the pixels are float');
    const signed = tiff(words(1, 2, 3), { bits: 16, channels: 1, photometric: 1, format: 2 });
    await expect(decodeImage(signed, 'x.tif')).rejects.toThrow('x.tif: the pixels are short');
    const frames = await sharp([await noisy().png().toBuffer(), await noisy().negate().png().toBuffer()], {
      join: { animated: true },
    })
      .webp()
      .toBuffer();
    await expect(decodeImage(frames, 'x.webp')).rejects.toThrow('x.webp: holds 2 pages or frames');
  });
});

describe('readPixels', () => {
  it('takes names with brackets and spaces, and sees a file that was replaced', async () => {
    const path = join(folder, 'scan [page=2] (1).png');
    writeFileSync(path, png(2, 8, GRAY, [[1, 2]]));
    expect([...(await readPixels({ kind: 'file', path })).data]).toEqual([1, 2]);
    writeFileSync(path, png(2, 8, GRAY, [[3, 4]]));
    expect([...(await readPixels({ kind: 'file', path })).data]).toEqual([3, 4]);
    expect(await readImageSize({ kind: 'file', path })).toEqual({ width: 2, height: 1 });
  });

  it('tells a volume in two files from a damaged image, and reads a PNG of any name', async () => {
    const path = join(folder, 'brain.img');
    writeFileSync(path, Buffer.alloc(500, 7));
    await expect(readPixels({ kind: 'file', path })).rejects.toThrow(
      `${path}: a volume in two files, .hdr and .img (Analyze or NIfTI), is not read. Convert it to .nii.gz`,
    );
    writeFileSync(path, png(2, 8, GRAY, [[1, 2]]));
    expect([...(await readPixels({ kind: 'file', path })).data]).toEqual([1, 2]);
  });

  it('names a missing file', async () => {
    await expect(readPixels({ kind: 'file', path: join(folder, 'none.png') })).rejects.toThrow(
      `${join(folder, 'none.png')}: cannot be read: no such file`,
    );
  });
});
