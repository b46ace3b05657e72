import { describe, expect, it } from 'vitest';
import { decodeDicom, parseDicom } from '../../../../src/data/formats/dicom/dicom.js';
import { pixelDataOf } from '../../../../src/data/formats/dicom/pixelData.js';
import { dicomFile, image } from '../../handmadeDicom.js';

const [COLUMNS, ROWS] = [6, 5];
const PIXELS = COLUMNS * ROWS;
const COLOURS = { '0028,0002 US': 3, '0028,0006 US': 0 };

const noise = (length: number) =>
  Buffer.from(Array.from({ length }, (_, i) => 100 + ((i * 7 + (i >> 3)) % 50)));

function made(pixels: Buffer, more: Parameters<typeof image>[3] = {}) {
  return parseDicom(dicomFile(image(COLUMNS, ROWS, pixels, more)), 'made.dcm');
}

type File = ReturnType<typeof made>;

async function told(file: File) {
  const bytes = file.dataSet.byteArray as Buffer;
  const { frames, layout, notes } = await pixelDataOf(file, (at, length) => bytes.subarray(at, at + length));
  return {
    frames,
    photometric: layout.photometric,
    notes: notes.map(({ what, detail }) => `${what}: ${detail}`),
  };
}

const values = async (file: File, frame?: number) => [...(await decodeDicom(file, frame)).data];

describe('pixel data labelled YBR_FULL_422', () => {
  const labelled = (photometric: string, bytes: number, frames?: string, more = {}) =>
    made(noise(bytes), { ...COLOURS, '0028,0004 CS': photometric, '0028,0008 IS': frames, ...more });

  it('are read as YBR_FULL where each pixel has colours of its own, and this is told', async () => {
    for (const frames of [undefined, '3']) {
      const count = Number(frames ?? 1);
      const wrong = labelled('YBR_FULL_422', 3 * PIXELS * count, frames);
      expect(await told(wrong)).toEqual({
        frames: count,
        photometric: 'YBR_FULL',
        notes: [expect.stringMatching(/^labelled YBR_FULL_422, but every pixel has colours of its own/)],
      });
      const right = labelled('YBR_FULL', 3 * PIXELS * count, frames);
      expect(await values(wrong, count - 1)).toEqual(await values(right, count - 1));
    }
  });

  it('are read plane by plane where these are', async () => {
    const planar = { '0028,0006 US': 1 };
    const wrong = labelled('YBR_FULL_422', 3 * PIXELS, undefined, planar);
    expect(await values(wrong)).toEqual(await values(labelled('YBR_FULL', 3 * PIXELS, undefined, planar)));
  });

  it('stay what they are where two pixels share their colours', async () => {
    const right = labelled('YBR_FULL_422', 2 * PIXELS * 3, '3');
    expect(await told(right)).toEqual({ frames: 3, photometric: 'YBR_FULL_422', notes: [] });
    const [first, second] = [(await values(right, 0)).slice(0, 3), (await values(right, 0)).slice(3, 6)];
    // Cb and Cr are shared, so colours differ by their luma alone.
    expect(new Set(first.map((value, i) => value - second[i]!)).size).toBe(1);
  });

  it('are read as YBR_FULL_422 where the label of one image is wrong the other way round', async () => {
    const wrong = labelled('YBR_FULL', 2 * PIXELS);
    expect(await told(wrong)).toEqual({
      frames: 1,
      photometric: 'YBR_FULL_422',
      notes: [expect.stringMatching(/^labelled YBR_FULL, but two pixels share their colours/)],
    });
    expect(await values(wrong)).toEqual(await values(labelled('YBR_FULL_422', 2 * PIXELS)));
  });

  it('are told by a number of bytes that only one of the two explains', async () => {
    // Two frames of 4:4:4 where the header says one; one of 4:2:2 and a few bytes.
    expect(await told(labelled('YBR_FULL_422', 3 * PIXELS + 4))).toMatchObject({ photometric: 'YBR_FULL' });
    expect(await told(labelled('YBR_FULL_422', 4 * PIXELS))).toMatchObject({ photometric: 'YBR_FULL_422' });
    expect(await told(labelled('YBR_FULL_422', 9 * PIXELS))).toMatchObject({ photometric: 'YBR_FULL' });
    expect(await told(labelled('YBR_FULL_422', 2 * PIXELS + 4))).toMatchObject({
      photometric: 'YBR_FULL_422',
    });
  });

  it('stay what they are where the length does for all frames of the header', async () => {
    // As long as three frames of 4:4:4, and as four of 4:2:2 and 30 bytes.
    expect(await told(labelled('YBR_FULL_422', 9 * PIXELS, '4'))).toEqual({
      frames: 4,
      photometric: 'YBR_FULL_422',
      notes: [expect.stringContaining('says "4" frames, holds 4 and 30 bytes')],
    });
    // Planes are of 4:4:4 alone, of which there are too few.
    await expect(told(labelled('YBR_FULL_422', 9 * PIXELS, '4', { '0028,0006 US': 1 }))).rejects.toThrow(
      'fit neither that nor YBR_FULL',
    );
  });

  it('are refused where both explain it', async () => {
    // Three frames of 4:2:2 or two of 4:4:4.
    for (const frames of [undefined, '4']) {
      await expect(told(labelled('YBR_FULL_422', 6 * PIXELS, frames))).rejects.toThrow(
        `labelled YBR_FULL_422, and the ${6 * PIXELS} bytes of its pixel data fit neither that nor YBR_FULL`,
      );
    }
  });
});

describe('a number of frames that the length contradicts', () => {
  const frames = (said: string | undefined, bytes: number, more = {}) =>
    made(noise(bytes), { '0028,0008 IS': said, ...more });

  it('is told, and the frames that are there are read', async () => {
    const cases: readonly [string | undefined, number, number, string?][] = [
      [undefined, 1, 1],
      ['3', 3, 3],
      ['0', 1, 1, 'says "0" frames, holds 1'],
      ['0', 3, 3, 'says "0" frames, holds 3'],
      ['', 2, 2, 'says "" frames, holds 2'],
      ['-1', 2, 2, 'says "-1" frames, holds 2'],
      ['2.5', 2, 2, 'says "2.5" frames, holds 2'],
      ['5', 3, 3, 'says "5" frames, holds 3'],
      ['2', 3, 2, 'says "2" frames, holds 3'],
      [undefined, 3, 1, 'names no number of frames, holds 3'],
    ];
    for (const [said, there, read, detail] of cases) {
      const file = frames(said, there * PIXELS);
      const { frames: count, notes } = await told(file);
      expect(count, `${said} of ${there}`).toBe(read);
      expect(notes).toEqual(detail === undefined ? [] : [expect.stringContaining(detail)]);
      const last = [...noise(there * PIXELS).subarray((read - 1) * PIXELS, read * PIXELS)];
      expect(await values(file, read - 1)).toEqual(last);
      await expect(values(file, read)).rejects.toThrow(`has no frame ${read}; it has ${read}`);
    }
  });

  it('tells of bytes beyond the last frame, but for one that fills up', async () => {
    expect((await told(made(noise(PIXELS + 10)))).notes).toEqual([
      expect.stringContaining('names no number of frames, holds 1 and 10 bytes'),
    ]);
    const odd = parseDicom(dicomFile(image(3, 3, noise(10))), 'odd.dcm');
    expect((await told(odd)).notes).toEqual([]);
  });

  it('is an error where the frames do not fill the bytes, or other bits of all of them would', async () => {
    const message = `the pixel data is ${2.5 * PIXELS} bytes long, but 3 × 6×5 pixels of 1 × 8 bits need ${3 * PIXELS}`;
    await expect(told(frames('3', 2.5 * PIXELS))).rejects.toThrow(message);
    // Four frames of words are as long as eight of bytes.
    const words = { '0028,0100 US': 16, '0028,0101 US': 8, '0028,0102 US': 7 };
    await expect(told(frames('8', 8 * PIXELS, words))).rejects.toThrow(`but 8 × 6×5 pixels`);
    const twelve = { '0028,0100 US': 16, '0028,0101 US': 12, '0028,0102 US': 11 };
    expect(await told(frames('8', 8 * PIXELS, twelve))).toMatchObject({ frames: 4 });
    const colours = { ...COLOURS, '0028,0004 CS': 'YBR_FULL' };
    await expect(told(frames('3', 6 * PIXELS, colours))).rejects.toThrow('but 3 × 6×5 pixels');
  });

  it('is an error where the file ends before the frames that it says it holds', async () => {
    const whole = dicomFile(image(COLUMNS, ROWS, noise(3 * PIXELS), { '0028,0008 IS': '3' }));
    const cut = parseDicom(whole.subarray(0, -10), 'cut.dcm');
    await expect(told(cut)).rejects.toThrow('The file is truncated or damaged: copy it again.');
  });
});

it('takes pixels that are not compressed as such, whatever the transfer syntax says', async () => {
  const elements = image(COLUMNS, ROWS, noise(PIXELS));
  const file = parseDicom(dicomFile(elements, { syntax: '1.2.840.10008.1.2.4.70' }), 'made.dcm');
  expect(await values(file)).toEqual([...noise(PIXELS)]);
  expect((await told(file)).notes).toEqual([
    expect.stringContaining('1.2.840.10008.1.2.4.70, not compressed'),
  ]);
});
