import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TAGS } from '../../../src/data/formats/dicom/tags.js';
import { fileKind } from '../../../src/data/formats/fileKind.js';
import { readDicomHeader, readImageSize, readPixels } from '../../../src/data/formats/index.js';
import { mapPixels } from '../../../src/data/images/mapPixels.js';
import { DataError } from '../../../src/errors.js';

interface Case {
  readonly channels: 1 | 3;
  /** Index into `arrays`. */
  readonly values: number;
  readonly tolerance?: number;
  readonly white?: number;
  readonly inverted?: boolean;
  /** Index into `arrays`: what pydicom shows, 0 … 1. */
  readonly view?: number;
}

const folder = fileURLToPath(new URL('../../golden/dicom/', import.meta.url));
const golden: {
  readonly width: number;
  readonly height: number;
  readonly arrays: readonly (readonly number[])[];
  readonly cases: Readonly<Record<string, Case>>;
} = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));

/** `frames-rle#2` is frame 2 of frames-rle.dcm. */
function read(name: string) {
  const [file, frame] = name.split('#');
  const path = join(folder, `${file}.dcm`);
  const part = frame === undefined ? undefined : ({ kind: 'frame', index: Number(frame) } as const);
  return readPixels({ kind: 'file', path, part });
}

function furthest(values: ArrayLike<number>, expected: readonly number[]): number {
  expect(values).toHaveLength(expected.length);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - values[i]!)), 0);
}

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'dicom-'));
});
afterAll(() => rm(scratch, { recursive: true }));

/** A fixture with some of its bytes changed. */
function changed(name: string, change: (bytes: Buffer) => Buffer): string {
  const path = join(scratch, `${name}.dcm`);
  writeFileSync(path, change(readFileSync(join(folder, `${name}.dcm`))));
  return path;
}

describe('DICOM pixels', () => {
  it.each(Object.entries(golden.cases))('%s', async (name, { channels, values, tolerance = 0, ...more }) => {
    const pixels = await read(name);
    expect(pixels).toMatchObject({ width: golden.width, height: golden.height, channels });
    expect(furthest(pixels.data, golden.arrays[values]!)).toBeLessThanOrEqual(tolerance);
    expect(pixels.inverted ?? false).toBe(more.inverted ?? false);
    if (more.white !== undefined) expect(pixels.fullScale).toEqual([0, more.white]);
    if (more.view !== undefined) {
      const shown = mapPixels(pixels, { intensity: { kind: 'file-window' } }, { name, modality: 'a' });
      const expected = golden.arrays[more.view]!.map((share) => Math.max(0, Math.min(1, share)) * 255);
      // Half a step of rounding, and pydicom's last digit.
      expect(furthest(shown.data, expected)).toBeLessThan(0.501);
    }
  });

  it('has every fixture in use', () => {
    const files = readdirSync(folder).filter((file) => file.endsWith('.dcm') && !file.startsWith('refused-'));
    const used = Object.keys(golden.cases).map((name) => `${name.split('#')[0]}.dcm`);
    expect(new Set(used)).toEqual(new Set(files));
  });

  it('keeps the full scale of 8 bits and gives none to wider or rescaled values', async () => {
    expect((await read('rle-gray8')).fullScale).toEqual([0, 255]);
    for (const name of [
      'explicit-gray12',
      'explicit-gray16',
      'explicit-signed12',
      'rescaled',
      'modality-table',
    ]) {
      expect((await read(name)).fullScale, name).toBeUndefined();
    }
  });

  it('turns MONOCHROME1 round when it is mapped, after any window', async () => {
    const pixels = await read('monochrome1');
    const image = { name: 'm', modality: 'a' };
    expect([...mapPixels(pixels, {}, image).data]).toEqual([...pixels.data].map((value) => 255 - value));
    const window = { kind: 'window', low: 0, high: 765 } as const;
    const windowed = mapPixels(pixels, { intensity: window }, image).data;
    expect([...windowed]).toEqual([...pixels.data].map((value) => Math.round(255 - value / 3)));
  });

  it('finds the region of tissue, clipped to the image', async () => {
    const pixels = await read('regions');
    const region = { left: 5, top: 3, width: golden.width - 5, height: 9 };
    expect(pixels.regions).toEqual([region]);
    const cropped = mapPixels(pixels, { crop: { kind: 'ultrasound-region' } }, { name: 'r', modality: 'a' });
    expect(cropped).toMatchObject({ width: region.width, height: region.height, channels: 3 });
    expect([...cropped.data.subarray(0, 3)]).toEqual([
      ...pixels.data.subarray((3 * golden.width + 5) * 3, (3 * golden.width + 5) * 3 + 3),
    ]);
  });
});

describe('DICOM headers', () => {
  it('tells patients and studies apart, and nothing more', async () => {
    expect(await readDicomHeader(join(folder, 'frames-rle.dcm'))).toEqual({
      rows: golden.height,
      columns: golden.width,
      frames: 3,
      bits: 8,
      patientId: 'made-up-1',
      studyId: '2.25.2',
      geometry: [{}, {}],
      notes: [],
    });
    for (const name of ['deflated-gray8', 'big-endian-rgb', 'implicit-gray8', 'bare-implicit', 'jpeg-rgb']) {
      const path = join(folder, `${name}.dcm`);
      expect(await readDicomHeader(path), name).toMatchObject({ patientId: 'made-up-1', frames: 1 });
      expect(await fileKind(path)).toBe('dicom');
      expect(await readImageSize({ kind: 'file', path })).toEqual({
        width: golden.width,
        height: golden.height,
      });
    }
    expect(await fileKind(join(folder, 'expected.json'))).toBe('image');
  });

  it('names no attribute outside the one table, and in it no names, dates or free text', () => {
    const src = fileURLToPath(new URL('../../../src/data/formats/', import.meta.url));
    const naming = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && /'x[0-9a-f]{8}'/.test(readFileSync(join(src, file), 'utf8')))
      .map((file) => file.replaceAll('\\', '/'));
    expect(naming).toEqual(['dicom/tags.ts']);
    // The ID is the one attribute of the patient's group (0010); none of the identifying group (0008) is read.
    const personal = Object.values(TAGS)
      .flat()
      .filter((tag) => /^x00(08|10)/.test(tag));
    expect(personal).toEqual(['x00100020']);
  });

  it('reads headers longer than most', async () => {
    // A private element of 300,000 bytes before the pixel data.
    const long = changed('explicit-gray8', (bytes) => {
      const at = bytes.indexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00]));
      const element = Buffer.alloc(12 + 300_000);
      element.set([0x7f, 0x00, 0x10, 0x10, 0x4f, 0x42]);
      element.writeUInt32LE(300_000, 8);
      return Buffer.concat([bytes.subarray(0, at), element, bytes.subarray(at)]);
    });
    expect(await readDicomHeader(long)).toMatchObject({ rows: golden.height, patientId: 'made-up-1' });
  });
});

describe('DICOM that is refused', () => {
  it('names the transfer syntax and what is expected', async () => {
    await expect(read('refused-mpeg2')).rejects.toThrow(
      /refused-mpeg2.dcm: the compression of the pixels is not read here \(transfer syntax 1.2.840.10008.1.2.4.100 \(MPEG2/,
    );
    await expect(read('refused-jpeg12')).rejects.toThrow(
      'lossy JPEG of 12 bits is not read here (transfer syntax 1.2.840.10008.1.2.4.51',
    );
    await expect(read('refused-32bit')).rejects.toThrow(
      'has 32 bits allocated of MONOCHROME2, expected 8 or 16',
    );
    await expect(read('frames')).rejects.toThrow('holds 3 frames, expected one image');
    await expect(read('frames#3')).rejects.toThrow('has no frame 3; it has 3, counted from 0');
    await expect(
      readPixels({ kind: 'file', path: join(folder, 'expected.json'), part: { kind: 'frame', index: 0 } }),
    ).rejects.toThrow('is no DICOM file, and only those have frames');
  });

  it('says of wide values what they are and which setting maps them', async () => {
    const image = { name: 'ct.dcm', modality: 'a' };
    const pixels = await read('rescaled');
    expect(() => mapPixels(pixels, {}, image)).toThrow(
      'ct.dcm: the values run from -1024 to 1023.5, and nothing says which are black and white ' +
        '(the file suggests -160 … 239, -1350 … 149). Say how they become 8 bits: ' +
        "--set data.preprocess.a.intensity='{kind: percentile, low: 1, high: 99}'",
    );
    const bare = await read('explicit-gray12');
    expect(() => mapPixels(bare, { intensity: { kind: 'file-window' } }, image)).toThrow(
      'ct.dcm: carries no window of its own',
    );
  });

  it('names a file that is cut off, wherever it is cut', async () => {
    for (const name of Object.keys(golden.cases).filter((file) => !file.includes('#'))) {
      const path = changed(name, (bytes) => bytes.subarray(0, Math.floor(bytes.length * 0.85)));
      await expect(readPixels({ kind: 'file', path }), name).rejects.toThrow(DataError);
    }
  });

  it('goes on with the next file after one that a decoder stumbled over', async () => {
    for (const name of ['jpeg-gray8', 'jpeg-ls-gray8', 'jpeg2000-gray8']) {
      for (let round = 0; round < 3; round += 1) {
        // All but the headers and the last marker of the image.
        const path = changed(name, (bytes) => {
          const end = bytes.lastIndexOf(Buffer.from([0xff, 0xd9]));
          return bytes.fill(0xff, end - 150, end);
        });
        await expect(readPixels({ kind: 'file', path }), name).rejects.toThrow('cannot be decoded');
        expect((await read(name)).data).toHaveLength(golden.width * golden.height);
      }
    }
  });

  it('names a compressed image that ends early within a whole file', async () => {
    for (const name of ['jpeg-gray8', 'jpeg-lossless-gray8', 'jpeg-ls-gray8', 'jpeg2000-gray8']) {
      const path = changed(name, (bytes) => {
        const end = bytes.lastIndexOf(Buffer.from([0xff, 0xd9])) + 2;
        return bytes.fill(0, end - 40, end);
      });
      await expect(readPixels({ kind: 'file', path }), name).rejects.toThrow(
        'frame 0 cannot be decoded: the compressed image ends early',
      );
    }
  });
});
