import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { decodeDicom, parseDicom } from '../../../../src/data/formats/dicom/dicom.js';
import { dicomFile, encapsulated, image } from '../../handmadeDicom.js';

const EXTENDED = '1.2.840.10008.1.2.4.51';
const LOSSLESS = '1.2.840.10008.1.2.4.70';

const segment = (marker: number, ...body: number[]) => [0xff, marker, 0, body.length + 2, ...body];

/** A JPEG of 2×1 gray pixels with a Huffman table of two codes: 0 for nothing, 1 for `category`. */
function jpeg(process: number, precision: number, category = 8): Buffer {
  return Buffer.from([
    ...[0xff, 0xd8],
    ...segment(0xc4, 0, 2, ...new Array(15).fill(0), 0, category),
    ...segment(process, precision, 0, 1, 0, 2, 1, 1, 0x11, 0),
    ...segment(0xda, 1, 1, 0, 1, 0, 0),
    ...[0b10100000, 0b01111111, 0xff, 0xd9],
  ]);
}

async function decoded(stream: Buffer, syntax: string) {
  const elements = image(2, 1, encapsulated([stream]));
  return [...(await decodeDicom(parseDicom(dicomFile(elements, { syntax }), 'made.dcm'), undefined)).data];
}

it('refuses lossless JPEG whose Huffman table has differences of more than 16 bits', async () => {
  // The first pixel is 128 before its difference.
  expect(await decoded(jpeg(0xc3, 8, 2), LOSSLESS)).toEqual([126, 126]);
  for (const category of [17, 127, 255]) {
    await expect(decoded(jpeg(0xc3, 8, category), LOSSLESS)).rejects.toThrow('a Huffman table is damaged');
  }
});

it('refuses a compressed image of more bits than the header allots', async () => {
  await expect(decoded(jpeg(0xc3, 16), LOSSLESS)).rejects.toThrow(
    'its samples have 16 bits, and the DICOM header allots 8',
  );
  for (const [name, marker, behind] of [
    ['jpeg-ls-gray8', [0xff, 0xf7], 4],
    ['jpeg2000-gray8', [0xff, 0x4f], 42],
  ] as const) {
    const path = fileURLToPath(new URL(`../../../golden/dicom/${name}.dcm`, import.meta.url));
    const bytes = readFileSync(path);
    const at = bytes.indexOf(Buffer.from(marker)) + behind;
    expect([7, 8], name).toContain(bytes[at]!);
    bytes[at] = bytes[at]! + 10;
    await expect(decodeDicom(parseDicom(bytes, name), undefined), name).rejects.toThrow(
      'its samples have 18 bits, and the DICOM header allots 8',
    );
  }
});

it('says of sound JPEG that has no decoder that it is not read, and does not call it damaged', async () => {
  for (const [stream, what] of [
    [jpeg(0xc1, 12), 'lossy JPEG of 12 bits is not read here'],
    [jpeg(0xc2, 12), 'lossy JPEG of 12 bits is not read here'],
    [jpeg(0xc9, 8), 'JPEG of process c9 is not read here'],
  ] as const) {
    const refused = decoded(stream, EXTENDED);
    await expect(refused).rejects.toThrow(`made.dcm: ${what} (transfer syntax ${EXTENDED}`);
    await expect(refused).rejects.not.toThrow('damaged');
  }
});
