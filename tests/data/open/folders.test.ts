import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FaultGroup } from '../../../src/data/faults.js';
import { readFolders } from '../../../src/data/open/folders.js';

let a: string;
let b: string;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folders-'));
  a = join(folder, 'A');
  b = join(folder, 'B');
  mkdirSync(a);
  mkdirSync(b);
});
afterEach(() => rmSync(folder, { recursive: true }));

function fill(names: Record<string, string[]>) {
  for (const [where, files] of Object.entries(names)) {
    for (const name of files) writeFileSync(join(folder, where, name), '');
  }
}

describe('readFolders', () => {
  it('pairs by name without ending, in the order of the names', async () => {
    fill({ A: ['p2.png', 'p1.x.PNG', '.hidden.png', 'notes.txt'], B: ['p1.x.jpg', 'p2.TIFF', 'Thumbs.db'] });
    mkdirSync(join(a, 'sub.png'));
    expect((await readFolders(a, b)).samples).toEqual([
      {
        id: 'p1.x',
        subject: 'p1.x',
        images: {
          a: { kind: 'file', path: join(a, 'p1.x.PNG') },
          b: { kind: 'file', path: join(b, 'p1.x.jpg') },
        },
      },
      expect.objectContaining({ id: 'p2' }),
    ]);
  });

  it('leaves out images without a mate on either side and lists them', async () => {
    fill({ A: ['1.png', '2.png'], B: ['2.png', '3.jpg'] });
    const { samples, faults } = await readFolders(a, b);
    expect(samples.map(({ id }) => id)).toEqual(['2']);
    const [{ headline, faulty }] = faults as [FaultGroup];
    expect(headline(2)).toBe('2 images have no mate of the same name');
    expect(headline(1)).toBe('1 image has no mate of the same name');
    expect(faulty).toEqual([
      { kind: 'missing-mate', id: '1', problems: [`${join(a, '1.png')}: no mate in ${b}`] },
      { kind: 'missing-mate', id: '3', problems: [`${join(b, '3.jpg')}: no mate in ${a}`] },
    ]);
  });

  it('matches scan.nii.gz, scan.bmp and scan.DCM by "scan"', async () => {
    fill({ A: ['1.nii.gz', '2.DCM', '3.bmp'], B: ['1.nii', '2.png', '3.NII.GZ'] });
    expect((await readFolders(a, b)).samples.map(({ id }) => id)).toEqual(['1', '2', '3']);
  });

  it('refuses two images of one name, a folder without images, an absent one, and the same one twice', async () => {
    fill({ A: ['1.png'], B: ['1.png', '1.jpg'] });
    await expect(readFolders(a, b)).rejects.toThrow(`${join(b, '1')}: 1.jpg and 1.png`);
    await expect(readFolders(a, a)).rejects.toThrow('given for both modalities');
    await expect(readFolders(folder, b)).rejects.toThrow('It has the sub-folders A, B: name one');
    await expect(readFolders(a, join(folder, 'C'))).rejects.toThrow('no such folder');
  });
});
