import { describe, expect, it } from 'vitest';
import { decodeDicom, parseDicom } from '../../../../src/data/formats/dicom/dicom.js';
import { geometryOf } from '../../../../src/data/formats/dicom/geometry.js';
import { dicomFile, image } from '../../handmadeDicom.js';

const file = (more: Parameters<typeof image>[3]) =>
  parseDicom(dicomFile(image(2, 1, Buffer.from([1, 2]), more)), 'made.dcm');

describe('windows whose centres and widths differ in number', () => {
  const windows = async (centres: string | undefined, widths: string | undefined) =>
    (await decodeDicom(file({ '0028,1050 DS': centres, '0028,1051 DS': widths }), undefined)).windows;

  it('are the pairs that are whole', async () => {
    const [first, second] = (await windows('40\\300', '400\\50'))!;
    expect(await windows('40\\300', '400')).toEqual([first]);
    expect(await windows('40', '400\\50')).toEqual([first]);
    expect(await windows('40\\300', '\\50')).toEqual([second]);
    expect(await windows('\\300\\1', 'x\\50')).toEqual([second]);
    for (const [centres, widths] of [
      ['40', undefined],
      [undefined, '400'],
      ['', '400'],
      ['40', ''],
    ]) {
      expect(await windows(centres, widths)).toEqual([]);
    }
  });
});

it('takes a place or a spacing of too few numbers for none', () => {
  const more = { '0020,0032 DS': '1\\2', '0020,0037 DS': '1\\0\\0', '0028,0030 DS': '0.5' };
  const { position, orientation, spacing } = geometryOf(file(more).dataSet, 0);
  expect({ position, orientation, spacing }).toEqual({});
});

it('refuses a lookup table whose descriptor is cut off', async () => {
  const table = { '0028,3002 US': [2, 0], '0028,3006 US': [5, 9] };
  await expect(decodeDicom(file({ '0028,3000 SQ': [table] }), undefined)).rejects.toThrow(
    'a lookup table has no descriptor',
  );
});

it('says in words that a header has no Bits Allocated', async () => {
  await expect(decodeDicom(file({ '0028,0100 US': undefined }), undefined)).rejects.toThrow(
    'has no bits allocated of MONOCHROME2, expected 8 or 16',
  );
});
