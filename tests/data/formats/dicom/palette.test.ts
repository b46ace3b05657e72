import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeDicom, parseDicom } from '../../../../src/data/formats/dicom/dicom.js';
import { expandSegments } from '../../../../src/data/formats/dicom/segmentedTable.js';
import { dicomFile, type FileOptions, image } from '../../handmadeDicom.js';

const golden: readonly {
  readonly bits: 8 | 16;
  readonly stored: readonly number[];
  readonly expanded: readonly number[];
}[] = JSON.parse(readFileSync(new URL('../../../golden/palettes.json', import.meta.url), 'utf8'));

const BIG = { syntax: '1.2.840.10008.1.2.2', bigEndian: true };
const CHANNELS = ['1', '2', '3'];

/** An image of the indices 0, 1, 2, … that shows the colours of a palette, the same for red, green and blue. */
function shown(more: (channel: string) => Parameters<typeof image>[3], options: FileOptions = {}) {
  const elements = image(256, 1, Buffer.from(Array.from({ length: 256 }, (_, i) => i)), {
    '0028,0004 CS': 'PALETTE COLOR',
    ...Object.assign({}, ...CHANNELS.map(more)),
  });
  return decodeDicom(parseDicom(dicomFile(elements, options), 'palette.dcm'), undefined);
}

/** Words of the file's byte order; 8-bit numbers two to a word, the lower byte first. */
function words(numbers: readonly number[], bits: 8 | 16): readonly number[] {
  if (bits === 16) return numbers;
  return numbers.flatMap((low, i) => (i % 2 === 0 ? [low | ((numbers[i + 1] ?? 0) << 8)] : []));
}

describe('a palette in segments', () => {
  it('is expanded as pydicom does it', () => {
    for (const { bits, stored, expanded } of golden) {
      expect(expandSegments(stored, bits, expanded.length)).toEqual(expanded);
    }
  });

  it('copies segments by the byte at which they begin, as the standard says', () => {
    const first = [0, 2, 100, 200, 1, 4, 400];
    const line = [250, 300, 350, 400];
    expect(expandSegments([...first, 2, 1, 8, 0], 16, 10)).toEqual([100, 200, ...line, 400, 400, 400, 400]);
    expect(expandSegments([...first, 2, 2, 0, 0], 16, 12)).toEqual([
      100,
      200,
      ...line,
      100,
      200,
      250,
      300,
      350,
      400,
    ]);
  });

  it('shows its colours in both byte orders', async () => {
    for (const { bits, stored, expanded } of golden) {
      for (const options of [{}, BIG]) {
        const { data } = await shown(
          (c) => ({
            [`0028,110${c} US`]: [expanded.length, 0, bits],
            [`0028,122${c} OW`]: words(stored, bits),
          }),
          options,
        );
        const colours = Array.from({ length: 256 }, (_, i) => expanded[i] ?? expanded.at(-1)!);
        expect([...data]).toEqual(colours.flatMap((value) => [value, value, value]));
      }
    }
  });

  it('is refused where it leads nowhere', () => {
    expect(() => expandSegments([1, 3, 9], 8, 3)).toThrow('begins with a line from nowhere');
    expect(() => expandSegments([0, 5, 1, 2], 8, 5)).toThrow('goes on after its end');
    expect(() => expandSegments([0, 1, 7, 9, 1, 4], 8, 3)).toThrow('of kind 9');
    expect(() => expandSegments([0, 1, 7, 2, 1, 3, 0, 0, 0], 8, 3)).toThrow('of kind 2 within a copy');
    expect(() => expandSegments([0, 1, 7, 2, 1, 90, 0, 0, 0], 8, 3)).toThrow('copied from nowhere');
    expect(() => expandSegments([0, 1, 7, 2, 1, 91, 0], 16, 3)).toThrow('copied from nowhere');
  });
});

describe('a palette', () => {
  it('of packed bytes is read in both byte orders', async () => {
    const entries = Array.from({ length: 256 }, (_, i) => (i * 3) % 256);
    for (const options of [{}, BIG]) {
      const { data } = await shown(
        (c) => ({ [`0028,110${c} US`]: [256, 0, 8], [`0028,120${c} OW`]: words(entries, 8) }),
        options,
      );
      expect([...data]).toEqual(entries.flatMap((value) => [value, value, value]));
    }
  });

  it('that is empty is named', async () => {
    const empty = (c: string) => ({ [`0028,110${c} US`]: [256, 0, 8], [`0028,120${c} OW`]: [] });
    await expect(shown(empty)).rejects.toThrow('its colours are those of a palette that it does not hold');
  });
});
