import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  readDicomHeader,
  readImageSize,
  readPixels,
  readVolumeHeader,
} from '../../../src/data/formats/index.js';
import type { FileSource, ImagePart } from '../../../src/data/sample.js';
import { DataError } from '../../../src/errors.js';
import { dicomFile, encapsulated, image, offsets } from '../handmadeDicom.js';
import { bmp, GRAY, png, tiff, words } from '../handmadeImages.js';

const golden = fileURLToPath(new URL('../../golden/', import.meta.url));
const dicom = readdirSync(join(golden, 'dicom')).filter((name) => name.endsWith('.dcm'));
const nifti = readdirSync(join(golden, 'nifti')).filter((name) => name.includes('.nii'));

let path: string;
beforeAll(() => {
  path = join(mkdtempSync(join(tmpdir(), 'fuzz-')), 'image');
});
afterAll(() => rmSync(join(path, '..'), { recursive: true }));

// Decoders in C++ print of their own accord; nothing of it may reach the user.
let written: { mock: { calls: unknown[] } }[];
beforeEach(() => {
  written = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockReturnValue(true));
});
afterEach(() => {
  const calls = written.flatMap(({ mock }) => mock.calls);
  vi.restoreAllMocks();
  expect(calls).toEqual([]);
});

/** A file cut short, with bits turned over, or with bytes of extreme values; sometimes only its first bytes stay. */
function damaged(whole: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.nat(whole.length - 1);
  return fc.oneof(
    at.map((end) => whole.subarray(0, end)),
    fc.array(fc.tuple(at, fc.nat(7)), { minLength: 1, maxLength: 8 }).map((flips) => {
      const bytes = Buffer.from(whole);
      for (const [place, bit] of flips) bytes[place]! ^= 1 << bit;
      return bytes;
    }),
    fc
      .array(fc.tuple(at, fc.constantFrom(0, 1, 127, 128, 255)), { minLength: 1, maxLength: 4 })
      .map((values) => {
        const bytes = Buffer.from(whole);
        for (const [place, value] of values) bytes[place] = value;
        return bytes;
      }),
    fc
      .tuple(at, fc.uint8Array({ maxLength: 400 }))
      .map(([end, rest]) => Buffer.concat([whole.subarray(0, end), rest])),
  );
}

/** Either an image of the size it declares, or a DataError. */
async function readsOrRefuses(bytes: Buffer, part: ImagePart | undefined): Promise<void> {
  writeFileSync(path, bytes);
  const source: FileSource = { kind: 'file', path, part };
  const pixels = await refusing(readPixels(source));
  if (pixels !== undefined) {
    expect(pixels.width * pixels.height).toBeGreaterThan(0);
    expect(pixels.data).toHaveLength(pixels.width * pixels.height * pixels.channels);
  }
  await refusing(readImageSize(source));
  await refusing(readDicomHeader(path));
  await refusing(readVolumeHeader(path));
}

async function refusing<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  try {
    return await reading;
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return undefined;
  }
}

async function fuzz(files: readonly Buffer[], part: fc.Arbitrary<ImagePart | undefined>, numRuns: number) {
  const cases = fc.constantFrom(...files).chain((whole) => fc.tuple(damaged(whole), part));
  await fc.assert(
    fc.asyncProperty(cases, ([bytes, of]) => readsOrRefuses(bytes, of)),
    { numRuns },
  );
}

const frame = fc.option(fc.record({ kind: fc.constant('frame' as const), index: fc.nat(3) }), {
  nil: undefined,
});
const slice = fc.record({
  kind: fc.constant('slice' as const),
  axis: fc.constantFrom(0 as const, 1 as const, 2 as const),
  index: fc.nat(5),
});

describe('a DataError or an image of the declared size comes of', () => {
  it('damaged DICOM in all transfer syntaxes', async () => {
    await fuzz(
      dicom.map((name) => readFileSync(join(golden, 'dicom', name))),
      frame,
      350,
    );
  });

  it('DICOM of fragments, tables, lengths and numbers that do not go together', async () => {
    const number = fc.oneof(fc.nat(20), fc.constantFrom(0, 1, 3, 8, 16, 255, 65535));
    const text = fc.constantFrom('', '0', '1', '2', '3', '-1', '1e9', '4294967295', 'x', undefined);
    const starts = ['', '\xff\xd8\xff', '\xff\x4f\xff\x51', '\xff\xd9', '\x01\0\0\0\x40\0\0\0'];
    const bytes = fc
      .tuple(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 90 }), fc.constantFrom('', '\xff\xd9'))
      .map(([a, b, c]) => Buffer.concat([Buffer.from(a, 'latin1'), b, Buffer.from(c, 'latin1')]));
    const fragments = fc
      .tuple(fc.array(bytes, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 5 }), fc.boolean())
      .map(([parts, table, ends]) => encapsulated(parts, offsets(...table), ends));
    const header = fc.record({
      '0028,0002 US': fc.constantFrom(1, 3, undefined),
      '0028,0004 CS': fc.constantFrom('MONOCHROME2', 'PALETTE COLOR', 'YBR_FULL_422', 'YBR_FULL', 'RGB'),
      '0028,0008 IS': text,
      '0028,0100 US': fc.constantFrom(8, 16),
      '0028,0101 US': number,
      '0028,1101 US': fc.tuple(number, number, fc.constantFrom(8, 16)),
      '0028,1221 OW': fc.uint8Array({ maxLength: 30 }).map((data) => Buffer.from(data)),
      '0028,3010 SQ': fc.constantFrom([], [{}], [{ '0028,3002 US': [] }]),
    });
    const options = fc.record({
      syntax: fc.constantFrom(null, '1.2.840.10008.1.2', '1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.4.50'),
      explicit: fc.boolean(),
      deflated: fc.constantFrom(false, false, true),
      begins: fc.constantFrom('preamble', 'meta', 'data set'),
    } as const);
    const cases = fc
      .tuple(number, number, fc.oneof(bytes, fragments), header, options)
      .map(([columns, rows, pixels, more, how]) => dicomFile(image(columns, rows, pixels, more), how));
    await fc.assert(
      fc.asyncProperty(cases, frame, (made, part) => readsOrRefuses(made, part)),
      { numRuns: 400 },
    );
  });

  it('damaged NIfTI, gzipped and not', async () => {
    await fuzz(
      nifti.map((name) => readFileSync(join(golden, 'nifti', name))),
      slice,
      250,
    );
  });

  it('damaged BMP, PNG and TIFF', async () => {
    const palette = [
      [0, 0, 255, 0],
      [7, 7, 7, 0],
    ];
    const files = [
      bmp({ width: 5, height: 3, bits: 24 }, new Array(48).fill(100)),
      bmp({ width: 9, height: 2, bits: 1, palette }, new Array(8).fill(0b10101010)),
      bmp({ width: 2, height: -2, bits: 8, palette }, [0, 1, 0, 0, 1, 0, 0, 0]),
      bmp(
        { width: 2, height: 1, bits: 32, masks: [0xff0000, 0xff00, 0xff, 0xff000000] },
        [1, 2, 3, 4, 5, 6, 7, 8],
      ),
      png(4, 8, GRAY, [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
      ]),
      tiff(words(1, 2, 3, 4), { bits: 16, channels: 1, photometric: 1 }),
    ];
    await fuzz(files, fc.constantFrom(undefined, { kind: 'half', side: 'left' } as const), 200);
  });

  it('bytes that are nothing, alone or after the beginning of something', async () => {
    const preamble = Buffer.alloc(132);
    preamble.write('DICM', 128);
    const beginnings = ['', 'BM', '\x1f\x8b\x08', '\x5c\x01\0\0', '\x08\0\x05\0CS', '\x89PNG\r\n\x1a\n'].map(
      (text) => Buffer.from(text, 'latin1'),
    );
    const cases = fc.tuple(
      fc.constantFrom(preamble, ...beginnings),
      fc.uint8Array({ maxLength: 700 }),
      frame,
    );
    await fc.assert(
      fc.asyncProperty(cases, ([beginning, rest, part]) =>
        readsOrRefuses(Buffer.concat([beginning, rest]), part),
      ),
      { numRuns: 200 },
    );
  });

  it('members of an archive that point anywhere', async () => {
    const bytes = png(4, 8, GRAY, [[0, 1, 2, 3]]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2 ** 40),
        fc.nat(2 ** 40),
        fc.nat(200),
        fc.nat(200),
        async (far, long, near, short) => {
          writeFileSync(path, bytes);
          for (const [offset, length] of [
            [near, short],
            [far, short],
            [near, long],
          ] as const) {
            const member = { kind: 'member', path, name: 'm', offset, length } as const;
            await refusing(readPixels(member));
            await refusing(readImageSize(member));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
