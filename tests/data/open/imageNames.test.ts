import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stemOf } from '../../../src/data/formats/fileKind.js';
import { imageNames } from '../../../src/data/open/imageNames.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { dicomFile, type FileOptions, image } from '../handmadeDicom.js';
import { GRAY, png } from '../handmadeImages.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'names-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(files: Readonly<Record<string, Buffer | string>>) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

const slice = (patient: string, options?: FileOptions) =>
  dicomFile(image(4, 2, Buffer.alloc(8, 9), { '0010,0020 LO': patient }), options);
const picture = png(4, 8, GRAY, [[1, 2, 3, 4]]);
const directory = dicomFile({ '0004,1130 CS': 'EXPORT', '0008,0016 UI': '1.2.840.10008.1.3.10' });
/** What exports, systems and people leave beside images. */
const OTHERS = {
  DICOMDIR: directory,
  README: 'Exported on disc',
  LOCKFILE: '',
  'IM000000.json': '{"Modality": "US"}',
  'Thumbs.db': Buffer.from([0xd0, 0xcf, 0x11, 0xe0]),
  '.DS_Store': 'Bud1',
  '._IM000000': slice('nobody'),
  'photo.png.bak': picture,
  'viewer.exe': 'MZ',
};

describe('the images of a folder', () => {
  it('are told by their first bytes where their names do not tell', async () => {
    const images = {
      IM000000: slice('ann'),
      IM000001: slice('ann', { begins: 'data set', explicit: false }),
      '1.2.840.113619.2.1': slice('ann'),
      '1.2.840.113619.2.2': slice('ann', { begins: 'meta' }),
      'i1.MRDC.7': slice('ann'),
      'scan.CT': slice('ann'),
      'slice.IMA': slice('ann'),
      picture: picture,
      'named.png': '',
      'upper.DCM': '',
    };
    write({ ...OTHERS, ...images });
    mkdirSync(join(folder, 'link'));
    symlinkSync(join(folder, 'picture'), join(folder, 'linked'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const names = [...Object.keys(OTHERS), ...Object.keys(images), 'linked', 'pipe'];
    expect(await imageNames(folder, names)).toEqual([...Object.keys(images), 'linked'].sort());
  });

  it('keep the last number of a name without an ending', () => {
    expect(['1.2.840.1', 'scan.007', 'IM0', '1.2.IMA', 'a.nii.gz', 'a.b.dcm'].map(stemOf)).toEqual([
      ...['1.2.840.1', 'scan.007', 'IM0', '1.2', 'a', 'a.b'],
    ]);
  });
});

describe('folders of DICOM files without an ending', () => {
  it('are matched by name and take the patients of the headers', async () => {
    for (const side of ['A', 'B']) {
      const names = side === 'A' ? ['1.2.0', '1.2.1', 'IM2'] : ['1.2.0.IMA', '1.2.1.dcm', 'IM2'];
      write({
        ...Object.fromEntries(Object.entries(OTHERS).map(([name, content]) => [`${side}/${name}`, content])),
        [`${side}/${names[0]}`]: slice('ann'),
        [`${side}/${names[1]}`]: slice('ann'),
        [`${side}/${names[2]}`]: slice('bob'),
      });
    }
    const { samples } = await openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') });
    expect(samples.map(({ id, subject }) => [id, subject])).toEqual([
      ['1.2.0', 'ann'],
      ['1.2.1', 'ann'],
      ['IM2', 'bob'],
    ]);
  });

  it('make a known data set by their layout, with the patients of the headers', async () => {
    for (const fold of [1, 2, 3, 4, 5]) {
      for (const letter of ['A', 'B']) {
        write({
          [`${fold}${letter}/IM000001`]: slice(`patient ${fold}`),
          [`${fold}${letter}/README`]: 'Exported on disc',
        });
      }
    }
    const { samples, name } = await openDataset({ path: folder });
    expect(name).toBe('US-SWE');
    expect(samples.slice(0, 3).map(({ id, subject }) => [id, subject])).toEqual([
      ['1A/IM000001', 'patient 1'],
      ['1B/IM000001', 'patient 1'],
      ['2A/IM000001', 'patient 2'],
    ]);
  });

  it('hold no images where nothing in them is one', async () => {
    write({ 'A/README': 'empty', 'A/DICOMDIR': directory, 'B/1.png': picture });
    await expect(openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') })).rejects.toThrow(
      'holds no images, expected DICOM files of any name, or files ending in .png',
    );
  });
});

it('takes a picture called .dcm as a picture, and DICOM called .png as DICOM', async () => {
  write({ 'A/1.dcm': picture, 'B/1.dcm': picture, 'A/2.png': slice('ann'), 'B/2.png': slice('ann') });
  const { samples } = await openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') });
  expect(samples.map(({ id, subject }) => [id, subject])).toEqual([
    ['1', '1'],
    ['2', 'ann'],
  ]);
});
