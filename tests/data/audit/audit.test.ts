import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LeveledImage, leveled } from '../../../src/data/align/grayImage.js';
import { similarity } from '../../../src/data/align/transformation.js';
import { type AuditReport, auditDataset, samplesToDrop } from '../../../src/data/audit/audit.js';
import { PairTable } from '../../../src/data/audit/measures/pairTable.js';
import { describePicture, WORKING_SIDE } from '../../../src/data/audit/measures/picture.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset, Raster } from '../../../src/data/sample.js';
import { lying } from '../align/lying.js';
import { GRAY, png } from '../handmadeImages.js';
import { drawn, drawnDataset, spots } from './drawnPairs.js';
import { moved, PLANTED, writePlanted } from './plantedPairs.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function found({ findings }: AuditReport, code: string) {
  return findings.find((one) => one.code === code);
}

function idsOf(report: AuditReport, code: string): string[] {
  return (found(report, code)?.items ?? []).flatMap(({ ids }) => ids);
}

describe('auditDataset on a study with one of each defect', () => {
  let report: AuditReport;
  beforeAll(async () => {
    const dataset = await openDataset(
      { path: await writePlanted(join(folder, 'planted')) },
      { positive: 'optional' },
    );
    report = await auditDataset(dataset);
  });

  it.each(Object.entries(PLANTED))('finds what is %s, and nothing else', (code, ids) => {
    expect(found(report, code)?.count, code).toBeGreaterThan(0);
    expect([...new Set(idsOf(report, code))].sort()).toEqual([...ids].sort());
  });

  it('finds no other kind of defect', () => {
    expect(report.findings.map(({ code }) => code).sort()).toEqual(Object.keys(PLANTED).sort());
  });

  it('measures the shift in pixels', () => {
    const [item] = found(report, 'misaligned')!.items;
    expect(item!.modality).toBe('b');
    // Half a pixel is that of the working size, 128.
    expect(Math.abs(item!.placement!.right - 8)).toBeLessThan(0.5);
    expect(Math.abs(item!.placement!.down + 5)).toBeLessThan(0.5);
    expect(item!.value).toBeCloseTo(Math.hypot(8, 5), 0);
    expect(item!.detail).toMatch(
      /^b lies [78]\.\d px to the right, [45]\.\d px up against a \(± \d\.\d px\), in an image of 128 × 128 (gray|colour)$/,
    );
  });

  it('tells places only apart from details, as these may be shared', () => {
    for (const { items } of report.findings) {
      for (const { detail } of items) expect(detail).not.toMatch(/planted|\.png|breast-0/);
    }
    expect(found(report, 'unreadable')!.items[0]!.place).toContain(
      join(folder, 'planted', 'truncated-a.png'),
    );
  });

  it('lists all of what must go and all but one of equal images', () => {
    const dropped = Object.fromEntries(samplesToDrop(report).map(({ id, reason }) => [id, reason]));
    expect(Object.keys(dropped).sort()).toEqual(
      [
        'truncated',
        'empty',
        'text',
        'blank',
        'cut',
        'same',
        'negative',
        'swapped',
        'copy',
        'disputed',
        'disputing',
        'doubted',
        'doubting',
      ].sort(),
    );
    expect(dropped).toMatchObject({ blank: 'blank (b)', copy: 'exact-duplicates (a, b)' });
  });

  it('counts samples, classes, readable images and errors', () => {
    expect(report).toMatchObject({
      samples: 65,
      classes: { cyst: 1 },
      modalities: [{ readable: 63 }, { readable: 64 }],
    });
    expect(report.counts.error).toBe(8);
  });
});

it('has nothing to say against clean phantoms but that each is a patient of its own', async () => {
  const report = await auditDataset(await openDataset({ path: 'phantom:breast,pairs=40,seed=1' }));
  expect(report.findings.map(({ code }) => code)).toEqual(['one-sample-a-subject']);
  expect(report.suitability).toMatchObject([{ modalities: ['a', 'b'], premise: 'holds', pairs: 40 }]);
  const [alignment] = report.alignment;
  expect(alignment).toMatchObject({ measured: 40, turned: 0 });
  // Aligned pairs are measured to half a pixel, two degrees and two hundredths.
  for (const shift of [alignment!.medianX, alignment!.medianY]) expect(Math.abs(shift)).toBeLessThan(0.5);
  expect(alignment!.turn[0]).toBeLessThan(2);
  expect(alignment!.scale[0]).toBeLessThan(1.02);
  expect(alignment!.uncertainty[0]).toBeLessThan(1);
});

/** Pairs whose second image is a darker copy of the first with noise of its own. */
function mates(count: number, second: (b: Raster, i: number) => Raster = (b) => b): Dataset {
  return drawnDataset(
    Array.from({ length: count }, (_, i) => {
      const a = spots(`a ${i}`, 64);
      const grain = spots(`grain ${i}`, 64);
      const b = { ...a, data: a.data.map((value, at) => 200 - 0.6 * value + 0.2 * (grain.data[at]! - 128)) };
      return { images: { a, b: second(b, i) } };
    }),
  );
}

describe('auditDataset', () => {
  it('finds a shift that all pairs share, and each of them', async () => {
    const report = await auditDataset(mates(24, (b) => moved(b, -3, 0)));
    expect(found(report, 'common-shift')!.items[0]!.detail).toMatch(
      /^b lies (2\.[6-9]|3\.[0-4]) px to the left(, 0\.\d px (up|down))? against a, in the median pair$/,
    );
    expect(report.alignment[0]!.medianX).toBeCloseTo(-3, 0);
    expect(report.alignment[0]!.medianY).toBeCloseTo(0, 0);
    expect(idsOf(report, 'misaligned')).toHaveLength(24);
  });

  it('finds no common shift where only some are shifted', async () => {
    const report = await auditDataset(mates(24, (b, i) => (i < 8 ? moved(b, 0, 5) : b)));
    expect(found(report, 'common-shift')).toBeUndefined();
    expect(idsOf(report, 'misaligned').sort()).toEqual(Array.from({ length: 8 }, (_, i) => `sample-${i}`));
  });

  it('names a pair that is off by (10, −16) px of 224, and the worst first', async () => {
    const [across, down] = [(10 * 64) / 224, (-16 * 64) / 224];
    const report = await auditDataset(
      mates(3, (b, i) =>
        lying(b, similarity(i === 0 ? { right: 2 } : i === 1 ? { right: across, down } : {}, b)),
      ),
    );
    const { items } = found(report, 'misaligned')!;
    expect(items.map(({ ids }) => ids[0])).toEqual(['sample-1', 'sample-0']);
    expect(items[0]!.placement!.right).toBeCloseTo(across, 0);
    expect(items[0]!.placement!.down).toBeCloseTo(down, 0);
  });

  it('names what is turned and scaled in words, and leaves out what is not', async () => {
    const report = await auditDataset(
      mates(2, (b, i) => lying(b, similarity(i === 0 ? { degrees: -9 } : { scale: 1.1 }, b))),
    );
    expect(
      found(report, 'misaligned')!
        .items.map(({ ids, detail }) => [ids[0], detail])
        .sort(),
    ).toEqual([
      [
        'sample-0',
        expect.stringMatching(/^b lies turned (8|9)\.\d° counterclockwise against a \(± 0\.\d px\)/),
      ],
      ['sample-1', expect.stringMatching(/^b lies 1\.(09|10|11) times as large against a \(± 0\.\d px\)/)],
    ]);
  });

  it('names single pairs that are mirrored or turned, and does not call them misaligned', async () => {
    const report = await auditDataset(
      mates(24, (b, i) =>
        lying(b, similarity(i === 3 ? { degrees: 180, mirrored: true } : i === 7 ? { degrees: 90 } : {}, b)),
      ),
    );
    expect(
      Object.fromEntries(found(report, 'turned')!.items.map(({ ids, detail }) => [ids[0], detail])),
    ).toEqual({
      'sample-3': expect.stringMatching(/^b is mirrored left to right against a \(± /),
      'sample-7': expect.stringMatching(/^b is turned 90° clockwise against a \(± /),
    });
    expect(report.alignment[0]!.turned).toBe(2);
    expect(found(report, 'misaligned')).toBeUndefined();
    expect(found(report, 'common-orientation')).toBeUndefined();
  });

  it('finds an orientation that all share although hardly one is clear', async () => {
    const { samples, ...rest } = await openDataset({ path: 'phantom:fundus,pairs=24,seed=3' });
    const mirrored = samples.map(({ images, ...sample }) => {
      const { b } = images;
      if (b?.kind !== 'generated') throw new Error('phantoms are generated');
      const render = (size: number) => {
        const image = b.render(size);
        return lying(image, similarity({ degrees: 180, mirrored: true }, image));
      };
      return { ...sample, images: { ...images, b: { ...b, render } } };
    });
    const report = await auditDataset({ ...rest, samples: mirrored });
    expect(found(report, 'common-orientation')!.items.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(
        /^b is mirrored left to right against a: so (20|21|22|23|24) of 24 pairs share more/,
      ),
    ]);
    expect(found(report, 'turned')?.count ?? 0).toBeLessThan(12);
    const upright = await auditDataset({ ...rest, samples });
    expect(found(upright, 'common-orientation')).toBeUndefined();
    expect(found(upright, 'misaligned')).toBeUndefined();
  });

  it('says that mates drawn by lot share no layout', async () => {
    const together = mates(40);
    const apart = {
      ...together,
      samples: together.samples.map((sample, i) => ({
        ...sample,
        images: { ...sample.images, b: together.samples[(i + 7) % 40]!.images.b! },
      })),
    };
    expect((await auditDataset(together)).suitability[0]!.premise).toBe('holds');
    const [suitability] = (await auditDataset(apart)).suitability;
    expect(suitability!.premise).toBe('absent');
    expect(suitability!.low).toBeLessThan(0.5);
    expect(suitability!.high).toBeGreaterThan(0.5);
  });

  it('finds duplicates on both sides of published and of given folds', async () => {
    const { samples, ...rest } = mates(3);
    const twice = { ...rest, samples: [...samples, { ...samples[0]!, id: 'again', subject: 'again' }] };
    const folds = { 'sample-0': 0, 'sample-1': 0, 'sample-2': 1, again: 1 };
    expect(idsOf(await auditDataset(twice, { folds }), 'duplicates-across-folds')).toEqual([
      'sample-0',
      'again',
    ]);
    const published = {
      ...twice,
      samples: twice.samples.map((one, i) => ({ ...one, fold: Number(i === 3) })),
    };
    expect(idsOf(await auditDataset(published), 'duplicates-across-folds')).toEqual(['sample-0', 'again']);
    expect(
      found(await auditDataset(twice, { folds: { ...folds, again: 0 } }), 'duplicates-across-folds'),
    ).toBeUndefined();
    const { again: _, ...incomplete } = folds;
    expect(idsOf(await auditDataset(twice, { folds: incomplete }), 'without-fold')).toEqual(['again']);
  });

  it('says so where one of two equal images must have the wrong mate', async () => {
    const { samples, ...rest } = mates(3);
    const mixed = [
      ...samples,
      { ...samples[1]!, id: 'mixed', images: { a: samples[0]!.images.a!, b: samples[1]!.images.b! } },
    ];
    const items = found(await auditDataset({ ...rest, samples: mixed }), 'exact-duplicates')!.items;
    expect(items.map(({ ids, modality }) => [modality, ...ids])).toEqual([
      ['a', 'sample-0', 'mixed'],
      ['b', 'sample-1', 'mixed'],
    ]);
    expect(items[0]!.detail).toContain('at most one has its right mate');
  });

  it('finds composites of odd width by the file', async () => {
    const composite = (name: string, width: number) => {
      const file = join(folder, name);
      writeFileSync(
        file,
        png(
          width,
          8,
          GRAY,
          Array.from({ length: 40 }, () => Array.from({ length: width }, (_, x) => x)),
        ),
      );
      return {
        id: name,
        subject: name,
        images: {
          a: { kind: 'file' as const, path: file, part: { kind: 'half' as const, side: 'left' as const } },
          b: { kind: 'file' as const, path: file, part: { kind: 'half' as const, side: 'right' as const } },
        },
      };
    };
    const dataset = {
      name: 'composites',
      modalities: ['a', 'b'],
      samples: [composite('even.png', 80), composite('odd.png', 81)],
    };
    const report = await auditDataset(dataset);
    expect(found(report, 'odd-composite')!.items).toMatchObject([{ ids: ['odd.png'], value: 81 }]);
  });

  it('tells nothing of a folder’s name, whatever it is', async () => {
    const place = join(folder, 'Patient: Smith, Jane');
    mkdirSync(place);
    writeFileSync(join(place, 'a.png'), '');
    writeFileSync(join(place, 'b.png'), 'no image');
    writeFileSync(join(place, 'pairs.csv'), 'id,subject,a,b\n1,1,a.png,b.png\n');
    const report = await auditDataset(await openDataset({ path: join(place, 'pairs.csv') }));
    const { items } = found(report, 'unreadable')!;
    expect(items.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^is empty/),
      expect.stringMatching(/^cannot be decoded/),
    ]);
  });

  it('calls no pair shifted by less than a pixel of its images', () => {
    const picture = describePicture(spots('small', WORKING_SIDE));
    const shifted = describePicture(moved(spots('small', WORKING_SIDE), 2, 0));
    const table = new PairTable(2);
    const levels = () =>
      [picture, shifted].map(({ gray }) => leveled({ side: WORKING_SIDE, gray })) as [
        LeveledImage,
        LeveledImage,
      ];
    // The correlation of so small a shift would say that they are one image.
    const negative = { ...shifted, gray: shifted.gray.map((value) => Math.abs(value - 128)) };
    table.set(0, picture, negative, levels);
    const size = { width: 24, height: 24 };
    table.set(1, { ...picture, ...size }, { ...negative, ...size }, levels);
    expect([...table.misaligned]).toEqual([1, 0]);
  });

  it('reports what opening the data found', async () => {
    const report = await auditDataset(mates(2), {
      faults: [
        { kind: 'missing-mate', id: 'lonely', message: '/data/a/lonely.png: no mate in /data/b' },
        { kind: 'missing-file', id: 'gone', message: 'pairs.csv:4: "gone": no file /data/gone.png (a)' },
        { kind: 'bad-row', id: 'row', message: 'pairs.csv:5: "row" has no subject' },
        { kind: 'bad-row', id: '', message: 'pairs.csv:6: the id (column "id") is empty' },
      ],
    });
    expect(['missing-mate', 'missing-file', 'bad-row'].map((code) => idsOf(report, code))).toEqual([
      ['lonely'],
      ['gone'],
      ['row', ''],
    ]);
    expect(samplesToDrop(report)).toEqual([
      { id: 'lonely', reason: 'missing-mate' },
      { id: 'gone', reason: 'missing-file' },
      { id: 'row', reason: 'bad-row' },
    ]);
    expect(report.counts.error).toBe(3);
  });

  it('compares with the publication', async () => {
    const labelled = mates(4);
    const dataset = {
      ...labelled,
      samples: labelled.samples.map((sample, i) => ({ ...sample, label: i < 3 ? 'benign' : 'malignant' })),
      published: { name: 'Study', counts: { benign: 3, malignant: 2 }, notes: [] },
    };
    expect(found(await auditDataset(dataset), 'counts-differ')!.items.map(({ detail }) => detail)).toEqual([
      'malignant: 1 here, 2 published',
    ]);
  });

  it('finds what is blank, unreadable or copied to the pixel even in a hurry', async () => {
    const black = { width: 20, height: 20, channels: 1 as const, data: new Uint8Array(400) };
    const { samples, ...rest } = mates(3);
    const dataset = {
      ...rest,
      samples: [
        ...samples,
        { ...samples[0]!, id: 'copy' },
        { ...samples[1]!, id: 'black', images: { ...samples[1]!.images, b: drawn(black) } },
        {
          ...samples[2]!,
          id: 'gone',
          images: { ...samples[2]!.images, a: { kind: 'file' as const, path: join(folder, 'none.png') } },
        },
      ],
    };
    const report = await auditDataset(dataset, { quick: true });
    expect(idsOf(report, 'blank')).toEqual(['black']);
    expect(idsOf(report, 'unreadable')).toEqual(['gone']);
    expect(found(report, 'exact-duplicates')!.items[0]!.ids).toEqual(['sample-0', 'copy']);
    expect(report).toMatchObject({ quick: true, alignment: [] });
    expect(report.suitability).toEqual([]);
  });

  it('looks at single images too', async () => {
    const { samples, ...rest } = mates(30);
    const single = { ...rest, modalities: ['a'], samples };
    expect((await auditDataset(single)).findings.map(({ code }) => code)).toEqual(['one-sample-a-subject']);
  });
});
