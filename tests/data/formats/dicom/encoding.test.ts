import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeDicom, parseDicom } from '../../../../src/data/formats/dicom/dicom.js';
import { fileKind } from '../../../../src/data/formats/fileKind.js';
import { readDicomHeader } from '../../../../src/data/formats/index.js';
import { dicomFile, EXPLICIT, type FileOptions, IMPLICIT, image } from '../../handmadeDicom.js';

const BIG_ENDIAN = '1.2.840.10008.1.2.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const wide = Uint16Array.of(1, 258, 40000, 77, 5, 65535);
const sixteen = { '0028,0100 US': 16, '0028,0101 US': 16, '0028,0102 US': 15, '0010,0020 LO': 'ann' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'encoding-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function made(options: FileOptions): Buffer {
  const pixels = Buffer.from(wide.slice().buffer);
  return dicomFile(image(3, 2, options.bigEndian ? pixels.swap16() : pixels, sixteen), options);
}

const encodings = [
  { explicit: true, bigEndian: false },
  { explicit: false, bigEndian: false },
  { explicit: true, bigEndian: true },
];
const syntaxes = [null, EXPLICIT, IMPLICIT, BIG_ENDIAN, `${IMPLICIT} `, '1.2.840.10008.1.2.4.50'];

describe('the encoding of a data set', () => {
  it('is the one found, whatever transfer syntax the file names', async () => {
    for (const encoding of encodings) {
      for (const syntax of [...syntaxes, DEFLATED]) {
        for (const begins of ['preamble', 'meta'] as const) {
          // Only explicit elements show that they are not deflated.
          if (syntax === DEFLATED && !encoding.explicit) continue;
          const name = JSON.stringify([encoding, syntax, begins]);
          const bytes = made({ ...encoding, syntax, begins });
          const { data } = await decodeDicom(parseDicom(bytes, name), undefined);
          expect([...data], name).toEqual([...wide]);
          writeFileSync(join(folder, 'file'), bytes);
          expect(await fileKind(join(folder, 'file')), name).toBe('dicom');
          expect(await readDicomHeader(join(folder, 'file')), name).toMatchObject({
            rows: 2,
            patientId: 'ann',
          });
        }
      }
    }
  });

  it('is told without any meta information', async () => {
    for (const encoding of encodings) {
      const bytes = made({ ...encoding, begins: 'data set' });
      writeFileSync(join(folder, 'bare'), bytes);
      expect(await fileKind(join(folder, 'bare'))).toBe('dicom');
      expect([...(await decodeDicom(parseDicom(bytes, 'bare'), undefined)).data]).toEqual([...wide]);
    }
  });

  it('is deflated where the file says so', async () => {
    const bytes = made({ syntax: DEFLATED, deflated: true });
    expect([...(await decodeDicom(parseDicom(bytes, 'deflated'), undefined)).data]).toEqual([...wide]);
    expect(() => parseDicom(bytes.subarray(0, -4), 'cut')).toThrow('cut: cannot be read as DICOM');
  });
});

it('names a file that is no DICOM', () => {
  expect(() => parseDicom(Buffer.from('id,subject,a,b\n'), 'pairs.csv')).toThrow(
    'pairs.csv: does not begin as a DICOM file does',
  );
});
