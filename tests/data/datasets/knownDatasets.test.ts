import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { knownDatasets } from '../../../src/data/datasets/index.js';
import type { DataFault } from '../../../src/data/faults.js';
import { KNOWN_DATASETS, WHAT_DATA_IS } from '../../../src/data/open/dataNames.js';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import { makeSplits } from '../../../src/data/splits/splits.js';
import { DataError, UsageError } from '../../../src/errors.js';
import { LAYOUTS, layOut, numbered } from './layouts.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'known-'));
});
afterEach(() => rmSync(root, { recursive: true }));

async function open(spec: Partial<DatasetSpec> = {}) {
  const warnings: string[] = [];
  const dataset = await openDataset(
    { path: root, ...spec },
    { onWarning: (warning) => warnings.push(warning) },
  );
  return { ...dataset, warnings: warnings.join('\n') };
}

async function faultsIn(spec: Partial<DatasetSpec> = {}) {
  const faults: DataFault[] = [];
  const dataset = await openDataset({ path: root, ...spec }, { onFault: (fault) => faults.push(fault) });
  return { faults, ids: dataset.samples.map(({ id }) => id) };
}

const labels = ({ samples }: Awaited<ReturnType<typeof open>>) =>
  samples.map(({ id, label }) => `${id}: ${label}`);

it('each known data set is listed wherever the program says what data may be', () => {
  expect(knownDatasets.map(({ name }) => name)).toEqual(KNOWN_DATASETS);
  for (const name of KNOWN_DATASETS) expect(WHAT_DATA_IS).toContain(name);
});

describe('US-SWE composites', () => {
  it('are halves of one file, in the published folds, with the class by the letter', async () => {
    layOut(root, [...LAYOUTS.composite, '1A/Thumbs.db']);
    const dataset = await open();
    expect(dataset).toMatchObject({
      name: 'US-SWE',
      modalities: ['a', 'b'],
      positive: 'malignant',
      colourCoded: ['b'],
      published: { samples: 3474 },
    });
    expect(dataset.samples).toHaveLength(15);
    const file = join(root, '3B/p 3.jpg');
    expect(dataset.samples.find(({ id }) => id === '3B/p 3')).toEqual({
      id: '3B/p 3',
      subject: '3B/p 3',
      images: {
        a: { kind: 'file', path: file, part: { kind: 'half', side: 'left' } },
        b: { kind: 'file', path: file, part: { kind: 'half', side: 'right' } },
      },
      label: 'malignant',
      fold: 2,
    });
    expect(dataset.samples.filter(({ label }) => label === 'benign')).toHaveLength(10);
    expect(dataset.warnings).toContain('15 samples found, 3474 are published');
    expect(dataset.warnings).toContain(
      'US-SWE: the files name no patients, so every sample counts as a patient',
    );
    expect(makeSplits(dataset)).toMatchObject({ k: 5, source: 'published' });
  });

  it('come without their folds where these are not wanted', async () => {
    layOut(root, LAYOUTS.composite);
    const dataset = await open({ columns: { fold: null } });
    expect(dataset.samples.filter((sample) => 'fold' in sample)).toEqual([]);
    expect(makeSplits(dataset, { folds: 3 })).toMatchObject({ k: 3, source: 'generated' });
    await expect(open({ columns: { label: 'x' } })).rejects.toThrow(UsageError);
  });

  it('are refused with a folder missing', async () => {
    layOut(
      root,
      LAYOUTS.composite.filter((path) => !/^(4B|2A)/.test(path)),
    );
    await expect(open()).rejects.toThrow('has no folder 2A, 4B');
  });
});

describe('Fundus-FFA', () => {
  const order = (names: readonly string[]) => writeFileSync(join(root, 'random_list.txt'), names.join('\n'));

  it('pairs photographs and synthesised angiographies, and tells AMD by the first letter', async () => {
    layOut(root, LAYOUTS.fundusAmd);
    const dataset = await open();
    expect(dataset).toMatchObject({ name: 'Fundus-FFA-AMD', positive: 'AMD', simulated: ['b'] });
    expect(dataset.samples).toHaveLength(11);
    expect(dataset.samples[0]).toEqual({
      id: 'A0001',
      subject: 'A0001',
      images: {
        a: { kind: 'file', path: join(root, 'resized_image_320/A0001.jpg') },
        b: { kind: 'file', path: join(root, 'resized_image_syn/A0001.png') },
      },
      label: 'AMD',
      extra: { letter: 'A' },
    });
    expect(dataset.samples.filter(({ label }) => label === 'non-AMD')).toHaveLength(9);
  });

  it('has P against H and N for PM, also one folder further out', async () => {
    const names = ['P0001', 'H0001', 'N0001'];
    layOut(
      join(root, 'PAML'),
      names.flatMap((n) => [`resized_image_320/${n}.jpg`, `resized_image_syn/${n}.png`]),
    );
    const dataset = await open();
    expect(dataset).toMatchObject({ name: 'Fundus-FFA-PM', positive: 'PM' });
    expect(labels(dataset)).toEqual(['H0001: non-PM', 'N0001: non-PM', 'P0001: PM']);
  });

  it('takes folds from the list, as fifths in its order, with the rest and A0012 in the last one', async () => {
    const names = numbered(12, (n) => `A${n}`);
    const reversed = [...names].reverse();
    layOut(
      root,
      names.flatMap((n) => [`resized_image_320/${n}.jpg`, `resized_image_syn/${n}.png`]),
    );
    order(reversed.map((name) => `${name}.jpg`));
    const { samples, warnings } = await open();
    // 11 names without A0012, so fifths of 2: A0011 A0010 | A0009 A0008 | … | A0003 A0002, then A0001.
    expect(Object.fromEntries(samples.map(({ id, fold }) => [id, fold]))).toEqual({
      ...{ A0011: 0, A0010: 0, A0009: 1, A0008: 1, A0007: 2, A0006: 2, A0005: 3, A0004: 3 },
      ...{ A0003: 4, A0002: 4, A0001: 4, A0012: 4 },
    });
    expect(warnings).not.toContain('random_list');
    order(reversed.slice(2).map((name) => `AMD/${name}.jpg`));
    expect((await open()).warnings).toContain('does not name 1 of the 12 pairs');
    order([...reversed, 'A0999']);
    await expect(open()).rejects.toThrow(/1 of the names in .*random_list.txt have no images.*"A0999"/s);
    expect((await faultsIn()).faults).toEqual([
      expect.objectContaining({ kind: 'missing-file', id: 'A0999' }),
    ]);
  });

  it('refuses a photograph alone and a letter it does not know, or leaves them out', async () => {
    layOut(root, [...LAYOUTS.fundusAmd, 'resized_image_320/N0077.jpg']);
    await expect(open()).rejects.toThrow(/1 image has no mate.*N0077\.jpg: no mate in .*resized_image_syn/s);
    layOut(root, ['resized_image_320/X0001.jpg', 'resized_image_syn/X0001.png']);
    const { faults, ids } = await faultsIn();
    expect(faults.map(({ kind, id }) => [kind, id])).toEqual([
      ['missing-mate', 'N0077'],
      ['bad-row', 'X0001'],
    ]);
    expect(ids).toHaveLength(11);
    rmSync(join(root, 'resized_image_320/N0077.jpg'));
    await expect(open()).rejects.toThrow('1 names tell no class');
    await expect(open()).rejects.toThrow('X0001.jpg: begins with neither A nor N');
  });

  it('is refused without the angiographies, and with both tasks in one folder', async () => {
    layOut(
      root,
      LAYOUTS.fundusAmd.filter((path) => path.startsWith('resized_image_320')),
    );
    await expect(open()).rejects.toThrow('has no folder "resized_image_syn"');
    layOut(root, [...LAYOUTS.fundusAmd, 'resized_image_320/P0001.jpg', 'resized_image_syn/P0001.png']);
    await expect(open()).rejects.toThrow('holds images of both tasks');
    // An image without a mate comes first, as it may be why the task cannot be told.
    layOut(root, ['resized_image_320/N0077.jpg']);
    await expect(open()).rejects.toThrow('1 image has no mate');
    await expect(faultsIn()).rejects.toThrow('holds images of both tasks');
  });

  it('is refused for the images without a mate where no pair is left', async () => {
    layOut(root, ['resized_image_320/A0001.jpg', 'resized_image_syn/N0002.png']);
    await expect(open()).rejects.toThrow('2 images have no mate');
    await expect(faultsIn()).rejects.toThrow('holds images of no task');
  });
});

describe('BUSI', () => {
  it('is benign against malignant unless asked for more; masks are no images', async () => {
    layOut(root, LAYOUTS.busi);
    const two = await open();
    expect(two).toMatchObject({ name: 'BUSI', modalities: ['a'], positive: 'malignant' });
    expect(labels(two)).toEqual(['benign (1): benign', 'benign (10): benign', 'malignant (2): malignant']);
    expect(two.warnings).toContain(
      'samples of the class normal are left out, as is usual (1). For all say --classes benign malignant normal.',
    );
    const three = await open({ classes: ['benign', 'malignant', 'normal'] });
    expect(three.positive).toBeUndefined();
    expect(three.samples.at(-1)).toEqual({
      id: 'normal (7)',
      subject: 'normal (7)',
      images: { a: { kind: 'file', path: join(root, 'normal/normal (7).png') } },
      label: 'normal',
    });
    expect(three.warnings).not.toContain('left out');
    await expect(open({ classes: ['benign', 'malignent'] })).rejects.toThrow('Did you mean "malignant"?');
  });

  it('is found one folder further out, behind a link, whatever the case of its folders', async () => {
    const apart = mkdtempSync(join(tmpdir(), 'apart-'));
    try {
      layOut(
        apart,
        LAYOUTS.busi.map((path) => path.replace(/^benign\//, 'Benign/')),
      );
      mkdirSync(join(root, 'outer'));
      symlinkSync(apart, join(root, 'outer/Dataset_BUSI_with_GT'));
      expect((await open()).samples).toHaveLength(3);
    } finally {
      rmSync(apart, { recursive: true });
    }
  });

  it('is refused without one of its two classes; without normal it is whole', async () => {
    layOut(
      root,
      LAYOUTS.busi.filter((path) => !path.startsWith('malignant')),
    );
    await expect(open()).rejects.toThrow('looks like BUSI, but has no folder "malignant"');
    rmSync(join(root, 'normal'), { recursive: true });
    layOut(root, ['malignant/malignant (2).png']);
    expect((await open()).samples).toHaveLength(3);
    await expect(open({ classes: ['normal'] })).rejects.toThrow('the classes are "benign", "malignant"');
  });
});

describe('iChallenge', () => {
  it('PM is labelled by the first letter, which is kept, and other images are left out', async () => {
    layOut(join(root, 'PALM-Training400/PALM-Training400'), LAYOUTS.pm);
    layOut(join(root, 'PALM-Validation400'), ['V0001.jpg']);
    const dataset = await open();
    expect(dataset).toMatchObject({ name: 'iChallenge-PM', modalities: ['a'], positive: 'PM' });
    expect(labels(dataset)).toEqual([
      ...['H0001: non-PM', 'N0001: non-PM', 'N0002: non-PM', 'P0001: PM', 'P0002: PM'],
    ]);
    expect(dataset.samples.map(({ extra }) => extra!.letter).join('')).toBe('HNNPP');
    expect((await open({ classes: ['non-PM'] })).positive).toBeUndefined();
    expect(await open({ path: join(root, 'PALM-Training400/PALM-Training400') })).toMatchObject({
      samples: dataset.samples,
    });
  });

  it('PM leaves out validation images, which have no labels, with a warning', async () => {
    layOut(root, [...LAYOUTS.pm, 'V0001.jpg', 'V0002.jpg', 'mask.png']);
    const { samples, warnings } = await open();
    expect(samples).toHaveLength(5);
    expect(warnings).toContain('2 validation images');
  });

  it('PM is refused without a class', async () => {
    layOut(root, ['H0001.jpg', 'N0001.jpg']);
    await expect(open()).rejects.toThrow('looks like iChallenge-PM, but holds no PM image');
  });

  it('AMD is labelled by folder', async () => {
    layOut(join(root, 'Training400'), LAYOUTS.amd);
    const dataset = await open();
    expect(dataset).toMatchObject({ name: 'iChallenge-AMD', modalities: ['a'], positive: 'AMD' });
    expect(labels(dataset)).toEqual(['A0001: AMD', 'N0001: non-AMD', 'N0002: non-AMD']);
    rmSync(join(root, 'Training400/AMD'), { recursive: true });
    await expect(open()).rejects.toThrow('looks like iChallenge-AMD, but has no folder "AMD"');
  });
});

it('a folder with several known data sets, or none, is refused', async () => {
  layOut(join(root, 'one'), LAYOUTS.busi);
  layOut(join(root, 'two/deep'), LAYOUTS.pm);
  await expect(open()).rejects.toThrow('BUSI in one, iChallenge-PM in two/deep');
  await expect(open()).rejects.toThrow(DataError);
  rmSync(join(root, 'one'), { recursive: true });
  rmSync(join(root, 'two'), { recursive: true });
  layOut(root, ['benign/notes.txt', 'N0001/deeper/image.png']);
  await expect(open()).rejects.toThrow('no data set that is known by its layout');
});
