import { describe, expect, it } from 'vitest';
import { decodeDicom, parseDicom } from '../../../../src/data/formats/dicom/dicom.js';
import { mapPixels } from '../../../../src/data/images/mapPixels.js';
import { dicomFile, type Elements, image } from '../../handmadeDicom.js';

const pixels = Buffer.from([0, 1, 2, 3]);
const where = { name: 'lut.dcm', modality: 'a' };
const RESCALE = { '0028,1052 DS': '-10', '0028,1053 DS': '2' };

function decoded(more: Parameters<typeof image>[3], items: readonly Elements[], sequence: string) {
  const elements = image(2, 2, pixels, { ...more, [`${sequence} SQ`]: items });
  return decodeDicom(parseDicom(dicomFile(elements), 'lut.dcm'), undefined);
}

const [MODALITY, VOI] = ['0028,3000', '0028,3010'];

/** What programs leave behind that fill a template in part. */
const EMPTY: readonly Elements[][] = [
  [],
  [{}],
  [{ '0028,3002 US': [], '0028,3006 US': [] }],
  [{ '0028,3002 US': [4, 0, 16] }],
  [{ '0028,3002 US': [4, 0, 16], '0028,3006 OW': [] }],
];
const TABLE: Elements = { '0028,3002 US': [4, 0, 8], '0028,3006 US': [9, 60, 90, 255] };
const DAMAGED: Elements = { '0028,3002 US': [6, 0, 16], '0028,3006 US': [1, 2] };

describe('a lookup table without data', () => {
  it('is no modality table, so values are rescaled', async () => {
    for (const items of EMPTY) {
      expect([...(await decoded(RESCALE, items, MODALITY)).data]).toEqual([-10, -8, -6, -4]);
      expect((await decoded({}, items, MODALITY)).fullScale).toEqual([0, 255]);
    }
    expect([...(await decoded(RESCALE, [TABLE], MODALITY)).data]).toEqual([9, 60, 90, 255]);
  });

  it('is no window, so the next one is the first', async () => {
    const window = { '0028,1050 DS': '2', '0028,1051 DS': '4' };
    for (const items of EMPTY) {
      expect((await decoded({}, items, VOI)).windows).toEqual([]);
      expect((await decoded(window, items, VOI)).windows).toEqual([{ kind: 'linear', low: 0, high: 3 }]);
      expect((await decoded(window, [...items, TABLE], VOI)).windows?.[0]).toMatchObject({ kind: 'table' });
    }
  });
});

it('takes a table of packed bytes as one of 8 bits, whatever its descriptor says', async () => {
  const packed: Elements = { '0028,3002 US': [4, 0, 16], '0028,3006 OW': Buffer.from([9, 60, 90, 255]) };
  const [table] = (await decoded({}, [packed], VOI)).windows ?? [];
  expect(table).toMatchObject({ white: 255, output: Uint16Array.of(9, 60, 90, 255) });
});

describe('a damaged lookup table', () => {
  it('is an error where values go through it', async () => {
    await expect(decoded({}, [DAMAGED], MODALITY)).rejects.toThrow(
      'lut.dcm: cannot be read as DICOM (a lookup table of 6 entries with 16 bits is 4 bytes long)',
    );
  });

  it('is told as a window only where the window is asked for', async () => {
    const damaged = await decoded({}, [DAMAGED], VOI);
    expect([...mapPixels(damaged, { intensity: { kind: 'minmax' } }, where).data]).toEqual([0, 85, 170, 255]);
    expect([...mapPixels(damaged, {}, where).data]).toEqual([0, 1, 2, 3]);
    expect(() => mapPixels(damaged, { intensity: { kind: 'file-window' } }, where)).toThrow(
      'lut.dcm: the first window that it carries cannot be read (a lookup table of 6 entries with 16 bits is 4 bytes long)',
    );
  });
});
