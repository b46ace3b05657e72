import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../../src/data/formats/image.js';
import { mendJpeg } from '../../../src/data/formats/jpegMend.js';
import { DataError } from '../../../src/errors.js';

let good: Buffer;
let progressive: Buffer;
let gray: Buffer;
let optimised: Buffer;
beforeAll(async () => {
  const data = Buffer.from(Array.from({ length: 48 * 48 * 3 }, (_, i) => ((i * 7919) >> 6) & 255));
  const picture = sharp(data, { raw: { width: 48, height: 48, channels: 3 } });
  good = await picture.clone().jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
  progressive = await picture.clone().jpeg({ progressive: true }).toBuffer();
  gray = await picture.clone().toColourspace('b-w').jpeg().toBuffer();
  optimised = await picture.clone().jpeg({ mozjpeg: true }).toBuffer();
});

/** The content of a JFIF segment, version 7.1. */
const JFIF_7 = [...Buffer.from('JFIF\0'), 7, 1, 0, 0, 1, 0, 1, 0, 0];

/** Puts bytes before the first marker of a kind. */
function withBytes(jpeg: Buffer, marker: number, bytes: readonly number[]): Buffer {
  const at = jpeg.indexOf(Buffer.from([0xff, marker]));
  return Buffer.concat([jpeg.subarray(0, at), Buffer.from(bytes), jpeg.subarray(at)]);
}

function changed(jpeg: Buffer, at: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(jpeg);
  copy.set(bytes, at);
  return copy;
}

/** The position of the three bytes that end the header of the first scan. */
function endOfScanHeader(jpeg: Buffer): number {
  const start = jpeg.indexOf(Buffer.from([0xff, 0xda]));
  return start + 2 + jpeg.readUInt16BE(start + 2) - 3;
}

describe('decodeImage of a JPEG whose headers break the rules', () => {
  it('reads what every viewer reads, to the same pixels', async () => {
    const { data } = await decodeImage(good, 'good.jpg');
    const sound = {
      'bytes between segments': withBytes(good, 0xdb, [1, 2, 3]),
      'bytes before the scan': withBytes(good, 0xda, [0, 0]),
      'a sequential scan of no coefficients': changed(good, endOfScanHeader(good), 0, 0, 0),
      'a sequential scan with successive approximation': changed(good, endOfScanHeader(good), 0, 63, 0x11),
      'an unknown version of JFIF': withBytes(good, 0xdb, [0xff, 0xe0, 0, 16, ...JFIF_7]),
      'bytes after the end': Buffer.concat([good, Buffer.from('junk')]),
      'an EXIF segment that is none': withBytes(good, 0xdb, [
        0xff,
        0xe1,
        0,
        10,
        ...Buffer.from('Exif\0\0??'),
      ]),
    };
    for (const [what, bytes] of Object.entries(sound)) {
      expect((await decodeImage(bytes, what)).data, what).toEqual(data);
    }
  });

  it('leaves progressive scans as they are', async () => {
    const { data } = await decodeImage(progressive, 'good.jpg');
    const padded = withBytes(progressive, 0xc4, [9]);
    expect((await decodeImage(padded, 'padded.jpg')).data).toEqual(data);
    expect(mendJpeg(progressive)).toBeUndefined();
  });

  it('reads what lacks the end marker alone, and says so', async () => {
    for (const whole of [good, progressive, gray, optimised]) {
      const { data, note } = await decodeImage(whole, 'good.jpg');
      expect(note).toBeUndefined();
      for (const lacking of [1, 2]) {
        const read = await decodeImage(whole.subarray(0, -lacking), 'unended.jpg');
        expect(read.data).toEqual(data);
        expect(read.note).toContain('lacks its last two bytes');
      }
    }
  });

  it('refuses what lacks more than the end marker: bits, a row, a scan', async () => {
    for (const whole of [good, progressive, gray, optimised]) {
      for (const lacking of [3, 4, 5, 8, 20, 100]) {
        const cut = whole.subarray(0, -lacking);
        await expect(decodeImage(cut, 'cut.jpg'), String(lacking)).rejects.toThrow(DataError);
      }
    }
    // Nobody can tell whether an arithmetic code goes on.
    const arithmetic = changed(good, good.indexOf(Buffer.from([0xff, 0xc0])) + 1, 0xc9);
    expect(mendJpeg(arithmetic.subarray(0, -2))).toBeUndefined();
    for (const several of [progressive, optimised]) {
      const lastScan = several.subarray(0, several.lastIndexOf(Buffer.from([0xff, 0xda])));
      await expect(decodeImage(lastScan, 'cut.jpg')).rejects.toThrow(DataError);
    }
  });

  it('refuses what is cut off, also where its headers could be mended, in plain words', async () => {
    for (const whole of [good, withBytes(good, 0xdb, [1, 2]), progressive]) {
      for (const share of [0.3, 0.6, 0.9]) {
        const cut = whole.subarray(0, Math.floor(whole.length * share));
        await expect(decodeImage(cut, 'cut.jpg')).rejects.toThrow(DataError);
        await expect(decodeImage(cut, 'cut.jpg')).rejects.not.toThrow(/failOn/);
      }
    }
  });
});
