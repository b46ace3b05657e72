import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeDicom, parseDicom } from '../../../../src/data/formats/dicom/dicom.js';
import { pixelDataOf } from '../../../../src/data/formats/dicom/pixelData.js';
import { DataError } from '../../../../src/errors.js';
import { dicomFile, encapsulated, image, offsets } from '../../handmadeDicom.js';

const golden = fileURLToPath(new URL('../../../golden/dicom/', import.meta.url));
const [COLUMNS, ROWS] = [18, 13];

interface Coded {
  readonly syntax: string;
  /** One compressed image for each frame, all different. */
  readonly streams: readonly Buffer[];
}

/** The compressed images of a golden file, one for each fragment. */
function streamsOf(name: string): Buffer[] {
  const bytes = readFileSync(join(golden, `${name}.dcm`));
  const streams: Buffer[] = [];
  const tag = Buffer.from([0xe0, 0x7f, 0x10, 0x00]);
  for (let at = bytes.indexOf(tag) + 12; bytes.readUInt32LE(at) === 0xe000fffe; ) {
    const length = bytes.readUInt32LE(at + 4);
    streams.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return streams.slice(1);
}

const coded: Record<string, Coded> = {};
beforeAll(async () => {
  const jpeg = await Promise.all(
    [40, 120, 200].map((level) => {
      const pixels = Buffer.alloc(COLUMNS * ROWS, level).fill(255 - level, 60, 150);
      return sharp(pixels, { raw: { width: COLUMNS, height: ROWS, channels: 1 } })
        .toColourspace('b-w')
        .jpeg({ progressive: level === 120 })
        .toBuffer();
    }),
  );
  const [, near] = [streamsOf('jpeg-ls-gray8')[0]!, streamsOf('jpeg-ls-near-gray8')[0]!];
  const parts = streamsOf('frames-fragments-without-table');
  const whole = [0, 3, 6].map((from) => Buffer.concat(parts.slice(from, from + 3)));
  Object.assign(coded, {
    jpeg: { syntax: '1.2.840.10008.1.2.4.50', streams: jpeg },
    'JPEG-LS': { syntax: '1.2.840.10008.1.2.4.80', streams: [streamsOf('jpeg-ls-gray8')[0]!, near] },
    'JPEG 2000': { syntax: '1.2.840.10008.1.2.4.90', streams: whole },
    RLE: { syntax: '1.2.840.10008.1.2.5', streams: streamsOf('frames-rle') },
    'JPEG lossless': {
      syntax: '1.2.840.10008.1.2.4.70',
      streams: [streamsOf('jpeg-lossless-gray8')[0]!, losslessOf(jpeg.length)],
    },
  });
});

/** A lossless image of one level: every difference to its neighbour is nothing but for the first. */
function losslessOf(level: number): Buffer {
  const segment = (marker: number, ...body: number[]) => [0xff, marker, 0, body.length + 2, ...body];
  const bits = `1${level.toString(2).padStart(2, '0')}`; // category 2 for the first, category 0 for all others
  const data = (bits + '0'.repeat(COLUMNS * ROWS - 1)).padEnd(Math.ceil((COLUMNS * ROWS + 2) / 8) * 8, '1');
  return Buffer.from([
    ...[0xff, 0xd8],
    ...segment(0xc4, 0, 2, ...new Array(15).fill(0), 0, 2),
    ...segment(0xc3, 8, 0, ROWS, 0, COLUMNS, 1, 1, 0x11, 0),
    ...segment(0xda, 1, 1, 0, 1, 0, 0),
    ...(data.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)),
    ...[0xff, 0xd9],
  ]);
}

const even = (stream: Buffer, pad: readonly number[] = [0]) =>
  Buffer.concat([stream, Buffer.from(pad), Buffer.alloc((stream.length + pad.length) % 2)]);

function file(pixels: Buffer, syntax: string, frames: string | undefined) {
  const elements = image(COLUMNS, ROWS, pixels, { '0028,0008 IS': frames });
  return parseDicom(dicomFile(elements, { syntax }), 'made.dcm');
}

type File = ReturnType<typeof file>;

async function notesOf(made: File) {
  const bytes = made.dataSet.byteArray as Buffer;
  const { frames, notes } = await pixelDataOf(made, (at, length) => bytes.subarray(at, at + length));
  return { frames, notes: notes.map(({ detail }) => detail) };
}

async function valuesOf(made: File, frame: number) {
  return [...(await decodeDicom(made, frame)).data];
}

/** What each stream shows as the only frame of a file. */
async function shown({ syntax, streams }: Coded) {
  return Promise.all(
    streams.map((stream) => valuesOf(file(encapsulated([even(stream)]), syntax, undefined), 0)),
  );
}

const KINDS = ['jpeg', 'JPEG-LS', 'JPEG 2000', 'RLE', 'JPEG lossless'] as const;

/** Two zeros, spaces or FFs, a whole line of garbage, and none. */
const paddings = [[], [0], [0xff], [0x20], [0xff, 0xff, 0xff], [0xd9, 0x12, 0xff, 0x00, 0xff, 0xd0, 0x7f]];

describe.each(KINDS)('frames of %s', (kind) => {
  it('are all different images', async () => {
    const frames = await shown(coded[kind]!);
    expect(new Set(frames.map(String)).size).toBe(frames.length);
  });

  it('are read whatever fills them up', async () => {
    const { syntax, streams } = coded[kind]!;
    const expected = await shown(coded[kind]!);
    for (const pad of paddings) {
      const made = file(encapsulated(streams.map((one) => even(one, pad))), syntax, String(streams.length));
      for (const [i, values] of expected.entries()) expect(await valuesOf(made, i)).toEqual(values);
    }
  });

  it('are found by their markers however they are cut up and whatever the offset tables say', async () => {
    const { syntax, streams } = coded[kind]!;
    const expected = await shown(coded[kind]!);
    // Fragments of RLE are whole frames by the standard; beginnings are told apart all the same.
    const cut = fc.tuple(
      fc.array(fc.array(fc.integer({ min: 40, max: 300 }), { maxLength: 3 }), { minLength: 3, maxLength: 3 }),
      fc.array(fc.constantFrom(...paddings), { minLength: 3, maxLength: 3 }),
      fc.oneof(
        fc.constant(Buffer.alloc(0)),
        fc.array(fc.nat(2000), { minLength: 1, maxLength: 4 }).map((numbers) => offsets(0, ...numbers)),
        fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
      ),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(cut, async ([places, pads, table, ends]) => {
        const fragments = streams.flatMap((stream, i) => pieces(even(stream, pads[i]), places[i]!));
        const made = file(encapsulated(fragments, table, ends), syntax, String(streams.length));
        for (const [frame, values] of expected.entries()) {
          expect(await valuesOf(made, frame)).toEqual(values);
        }
        expect(await notesOf(made)).toEqual({ frames: streams.length, notes: [] });
      }),
      { numRuns: 20 },
    );
  });
});

/** Cuts a stream at some places, of which no piece but the first begins an image. */
function pieces(stream: Buffer, places: readonly number[]): Buffer[] {
  const cuts = [...new Set(places.map((at) => 2 * at))]
    .filter((at) => at < stream.length)
    .sort((a, b) => a - b);
  return [0, ...cuts].map((at, i) => stream.subarray(at, cuts[i]));
}

describe('a number of frames that the fragments contradict', () => {
  const made = (count: number, frames: string | undefined, table?: Buffer, ends?: boolean) => {
    const { syntax, streams } = coded['JPEG 2000']!;
    return file(
      encapsulated(
        streams.slice(0, count).map((one) => even(one)),
        table,
        ends,
      ),
      syntax,
      frames,
    );
  };

  it('is told, and those that are there are read', async () => {
    expect(await notesOf(made(3, '5'))).toEqual({ frames: 3, notes: ['says "5" frames, holds 3'] });
    expect(await notesOf(made(3, '2'))).toEqual({ frames: 2, notes: ['says "2" frames, holds 3'] });
    expect(await notesOf(made(3, '0'))).toEqual({ frames: 3, notes: ['says "0" frames, holds 3'] });
    expect(await notesOf(made(3, ''))).toEqual({ frames: 3, notes: ['says "" frames, holds 3'] });
    expect(await notesOf(made(3, 'many'))).toEqual({ frames: 3, notes: ['says "many" frames, holds 3'] });
    expect(await notesOf(made(1, '0'))).toEqual({ frames: 1, notes: ['says "0" frames, holds 1'] });
    const said = ['names no number of frames, holds 3'];
    expect(await notesOf(made(3, undefined))).toEqual({ frames: 1, notes: said });
    const expected = await shown(coded['JPEG 2000']!);
    expect(await valuesOf(made(3, undefined), 0)).toEqual(expected[0]);
    expect(await valuesOf(made(3, '5'), 2)).toEqual(expected[2]);
  });

  it('is told whatever the offset table holds, but for one that names frames that are not there', async () => {
    for (const table of [offsets(7, 3), offsets(0, 4), offsets(0, 90, 12, 99, 5), Buffer.from('odd')]) {
      expect(await notesOf(made(3, '5', table))).toEqual({ frames: 3, notes: ['says "5" frames, holds 3'] });
    }
    const lengths = coded['JPEG 2000']!.streams.map((one) => even(one).length + 8);
    const starts = [0, lengths[0]!, lengths[0]! + lengths[1]!, 90_000, 99_000];
    expect(await notesOf(made(3, '5', offsets(...starts)))).toMatchObject({ frames: 3 });
    const elsewhere = offsets(...starts.map((start, i) => start + 2 * Number(i > 0)));
    await expect(notesOf(made(3, '5', elsewhere))).rejects.toThrow('cannot be told apart');
  });

  it('is told where one image is cut into as many fragments', async () => {
    const { syntax, streams } = coded.jpeg!;
    const stream = even(streams[0]!);
    const cut = file(encapsulated([stream.subarray(0, 200), stream.subarray(200)]), syntax, '2');
    expect(await notesOf(cut)).toEqual({ frames: 1, notes: ['says "2" frames, holds 1'] });
    expect(await valuesOf(cut, 0)).toEqual((await shown(coded.jpeg!))[0]);
  });

  it('is an error where the file ends before its last frame', async () => {
    await expect(notesOf(made(2, '3', undefined, false))).rejects.toThrow('go on after the end of the file');
  });

  it('never puts one frame in the place of another that is damaged', async () => {
    const { syntax, streams } = coded['JPEG 2000']!;
    const [first, second, third] = streams.map((one) => even(one)) as [Buffer, Buffer, Buffer];
    const halves = (stream: Buffer) => [stream.subarray(0, 100), stream.subarray(100)];
    const headless = Buffer.from(second).fill(0, 0, 4);
    const expected = await shown(coded['JPEG 2000']!);
    // A fragment a frame: the damaged one is refused, its neighbours are not.
    const each = file(encapsulated([first, headless, third]), syntax, '3');
    expect(await valuesOf(each, 0)).toEqual(expected[0]);
    await expect(valuesOf(each, 1)).rejects.toThrow(DataError);
    expect(await valuesOf(each, 2)).toEqual(expected[2]);
    // Several fragments a frame: only a table tells them apart, if it fits.
    const all = [first, headless, third].flatMap(halves);
    await expect(notesOf(file(encapsulated(all), syntax, '3'))).rejects.toThrow('cannot be told apart');
    const length = (stream: Buffer) => stream.length + 16;
    const right = offsets(0, length(first), length(first) + length(second));
    const told = file(encapsulated(all, right), syntax, '3');
    await expect(valuesOf(told, 1)).rejects.toThrow(DataError);
    expect(await valuesOf(told, 2)).toEqual(expected[2]);
    const wrong = offsets(0, length(first) + 2, length(first) + length(second));
    await expect(notesOf(file(encapsulated(all, wrong), syntax, '3'))).rejects.toThrow(
      'cannot be told apart',
    );
  });
});

describe('the offset table', () => {
  it('may be left out, item and all', async () => {
    const { syntax, streams } = coded.jpeg!;
    const bare = encapsulated(streams.map((one) => even(one))).subarray(8);
    const made = file(bare, syntax, '3');
    expect(await valuesOf(made, 2)).toEqual((await shown(coded.jpeg!))[2]);
  });

  it('may be an extended one, whose value representation dicom-parser does not know', async () => {
    const { syntax, streams } = coded.jpeg!;
    const pixels = encapsulated(streams.map((one) => even(one)));
    const elements = image(COLUMNS, ROWS, pixels, {
      '0028,0008 IS': '3',
      '7FE0,0001 OV': Buffer.alloc(24, 1),
      '7FE0,0002 OV': Buffer.alloc(24, 2),
    });
    const made = parseDicom(dicomFile(elements, { syntax }), 'made.dcm');
    expect(await valuesOf(made, 1)).toEqual((await shown(coded.jpeg!))[1]);
  });
});

describe('the compression of an image', () => {
  it('is that of its own bytes, whatever the transfer syntax says', async () => {
    for (const kind of KINDS) {
      const [stream] = coded[kind]!.streams;
      const [values] = await shown(coded[kind]!);
      for (const other of KINDS) {
        const made = file(encapsulated([even(stream!)]), coded[other]!.syntax, undefined);
        expect(await valuesOf(made, 0), `${kind} labelled ${other}`).toEqual(values);
      }
      const plain = file(encapsulated([even(stream!)]), '1.2.840.10008.1.2.1', undefined);
      expect(await valuesOf(plain, 0)).toEqual(values);
      expect(await notesOf(plain)).toMatchObject({ notes: ['1.2.840.10008.1.2.1, compressed'] });
    }
  });
});

it('takes colours as RGB where the header says so and the image only has a segment that is too short to say it', async () => {
  const [stream] = streamsOf('jpeg-rgb-unnamed') as [Buffer];
  const short = Buffer.from([0xff, 0xee, 0, 12, ...Buffer.from('Adobe'), 0, 0, 0, 0, 0]);
  const colours = (jpeg: Buffer) => {
    const elements = image(COLUMNS, ROWS, encapsulated([even(jpeg)]), {
      '0028,0002 US': 3,
      '0028,0004 CS': 'RGB',
      '0028,0006 US': 0,
    });
    return valuesOf(parseDicom(dicomFile(elements, { syntax: coded.jpeg!.syntax }), 'made.dcm'), 0);
  };
  const named = Buffer.concat([stream.subarray(0, 2), short, stream.subarray(2)]);
  expect(await colours(named)).toEqual(await colours(stream));
});
