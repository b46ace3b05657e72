import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditReport, auditDataset, samplesToDrop } from '../../../src/data/audit/audit.js';
import { PairTable } from '../../../src/data/audit/measures/pairTable.js';
import { describePicture, WORKING_SIDE } from '../../../src/data/audit/measures/picture.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset, Raster } from '../../../src/data/sample.js';
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
    expect(found(report, 'misaligned')!.items[0]).toMatchObject({ modality: 'b', value: Math.hypot(8, 5) });
    expect(found(report, 'misaligned')!.items[0]!.detail).toContain('8 px to the right, 5 px up');
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
  expect(report.alignment[0]).toMatchObject({ medianX: 0, medianY: 0, measured: 40 });
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
    expect(found(report, 'common-shift')!.items[0]!.detail).toBe(
      '3 px to the left against a, in the median pair',
    );
    expect(report.alignment[0]).toMatchObject({ medianX: -3, medianY: 0 });
    expect(idsOf(report, 'misaligned')).toHaveLength(24);
  });

  it('finds no common shift where only some are shifted', async () => {
    const report = await auditDataset(mates(24, (b, i) => (i < 8 ? moved(b, 0, 5) : b)));
    expect(found(report, 'common-shift')).toBeUndefined();
    expect(idsOf(report, 'misaligned').sort()).toEqual(Array.from({ length: 8 }, (_, i) => `sample-${i}`));
  });

  it('says which shift lies at the edge of the search, as that may be no maximum', async () => {
    const report = await auditDataset(mates(2, (b, i) => moved(b, i === 0 ? 3 : 5, 0)));
    expect(found(report, 'misaligned')!.items.map(({ detail }) => detail)).toEqual([
      'b is shifted 5 px to the right against a, as far as is looked, in an image of 64 × 64 gray',
      'b is shifted 3 px to the right against a, in an image of 64 × 64 gray',
    ]);
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
    table.set(0, picture, shifted, true);
    const size = { width: 24, height: 24 };
    table.set(1, { ...picture, ...size }, { ...shifted, ...size }, true);
    expect([...table.shifted]).toEqual([1, 0]);
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
