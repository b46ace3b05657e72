import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/openDataset.js';
import { dicomFile, type Elements, image } from '../handmadeDicom.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'planes-'));
  mkdirSync(join(folder, 'A'));
  mkdirSync(join(folder, 'B'));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Header = Parameters<typeof image>[3];
const PLANE: Header = {
  '0028,0030 DS': '0.5\\0.5',
  '0020,0037 DS': '1\\0\\0\\0\\1\\0',
  '0020,0032 DS': '0\\0\\10',
  '0020,0052 UI': '1.2.3',
};

/** The error of a pair of these headers; undefined where they go together. */
async function refusal(a: Header, b: Header, size: readonly [number, number] = [40, 30]) {
  const write = (side: string, header: Header, [columns, rows]: readonly [number, number]) =>
    writeFileSync(
      join(folder, side, '1.dcm'),
      dicomFile(image(columns, rows, Buffer.alloc(columns * rows), header)),
    );
  write('A', a, [40, 30]);
  write('B', b, size);
  const opened = openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') });
  return opened.then(
    () => undefined,
    (error: Error) => error.message,
  );
}

describe('DICOM mates are refused', () => {
  it('where their pixels are of another size', async () => {
    expect(await refusal(PLANE, { ...PLANE, '0028,0030 DS': '0.9\\0.9' })).toContain(
      `"1": a and b are not co-registered: by their headers ${join(folder, 'A/1.dcm')} has 40×30 pixels of 0.5×0.5 mm, ` +
        `${join(folder, 'B/1.dcm')} 40×30 pixels of 0.9×0.9 mm, and their corners lie up to 20 mm apart.`,
    );
    // The first number is between rows.
    expect(await refusal(PLANE, { ...PLANE, '0028,0030 DS': '0.7\\0.5' })).toContain(
      '40×30 pixels of 0.5×0.7 mm',
    );
    const alone = (spacing: string) => ({ '0018,1164 DS': spacing });
    expect(await refusal(alone('0.1\\0.1'), alone('0.2\\0.2'))).toContain('not co-registered');
  });

  it('where they lie elsewhere, or the other way round', async () => {
    for (const other of [
      { '0020,0032 DS': '0\\0\\11' },
      { '0020,0032 DS': '3\\0\\10' },
      { '0020,0037 DS': '-1\\0\\0\\0\\1\\0' },
      { '0020,0037 DS': '1\\0\\0\\0\\0\\-1' },
    ]) {
      expect(await refusal(PLANE, { ...PLANE, ...other })).toContain('not co-registered');
    }
  });

  it('where only the last frame of a file lies elsewhere', async () => {
    const frames = (last: string): Header => ({
      '0028,0008 IS': '2',
      '5200,9229 SQ': [
        {
          '0020,9116 SQ': [{ '0020,0037 DS': '1\\0\\0\\0\\1\\0' }],
          '0028,9110 SQ': [{ '0028,0030 DS': '0.5\\0.5' }],
        },
      ],
      '5200,9230 SQ': ['0\\0\\0', last].map(
        (position): Elements => ({ '0020,9113 SQ': [{ '0020,0032 DS': position }] }),
      ),
    });
    const write = (side: string, header: Header) =>
      writeFileSync(join(folder, side, '1.dcm'), dicomFile(image(4, 3, Buffer.alloc(24), header)));
    const open = () => openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') });
    write('A', frames('0\\0\\5'));
    write('B', frames('0\\0\\5'));
    expect((await open()).samples).toHaveLength(2);
    write('B', frames('0\\0\\-5'));
    await expect(open()).rejects.toThrow('not co-registered');
  });

  it('where ultrasound screens of one size are of another scale', async () => {
    const screen = (centimetres: number, ...more: Elements[]): Header => {
      const delta = Buffer.alloc(8);
      delta.writeDoubleLE(centimetres);
      const region = {
        '0018,6024 US': 3,
        '0018,6026 US': 3,
        '0018,602C FD': delta,
        '0018,602E FD': delta,
      };
      return { '0018,6011 SQ': [region, ...more] };
    };
    expect(await refusal(screen(0.01), screen(0.02))).toContain('40×30 pixels of 0.1×0.1 mm');
    expect(await refusal(screen(0.01), screen(0.01))).toBeUndefined();
    // Several regions may each have a scale of their own, and screens of other sizes show other parts.
    expect(await refusal(screen(0.01), screen(0.02, { '0018,6024 US': 3 }))).toBeUndefined();
    expect(await refusal(screen(0.01), screen(0.02), [30, 30])).toBeUndefined();
  });
});

describe('DICOM mates are taken', () => {
  it('where nothing that both say contradicts', async () => {
    const { '0020,0032 DS': _, ...unplaced } = PLANE;
    const { '0028,0030 DS': __, ...unmeasured } = PLANE;
    for (const other of [
      PLANE,
      unplaced,
      unmeasured,
      {},
      { '0018,1164 DS': '0.9\\0.9' },
      { ...PLANE, '0028,0030 DS': '', '0020,0032 DS': '' },
      { ...PLANE, '0020,0052 UI': '1.2.4', '0020,0032 DS': '90\\0\\0' },
    ]) {
      expect(await refusal(PLANE, other)).toBeUndefined();
    }
  });

  it('where numbers are rounded, or the same region has other pixels', async () => {
    const rounded = { ...PLANE, '0028,0030 DS': '0.501\\0.499', '0020,0032 DS': '0.1\\0\\10.1' };
    expect(await refusal(PLANE, rounded)).toBeUndefined();
    const half = { ...PLANE, '0028,0030 DS': '1\\1' };
    expect(await refusal(PLANE, half, [20, 15])).toBeUndefined();
    expect(await refusal(PLANE, { ...half, '0020,0032 DS': '0.25\\0.25\\10' }, [20, 15])).toBeUndefined();
    expect(await refusal(PLANE, half, [30, 15])).toContain('not co-registered');
  });
});
