import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { similarity } from '../../../src/data/align/transformation.js';
import { auditDataset } from '../../../src/data/audit/audit.js';
import { findDuplicates } from '../../../src/data/audit/measures/duplicates.js';
import { readSampleImage } from '../../../src/data/images/readSampleImage.js';
import { openDataset } from '../../../src/data/openDataset.js';
import type { Dataset } from '../../../src/data/sample.js';
import { lying } from '../align/lying.js';
import { drawn } from './drawnPairs.js';

const data = fileURLToPath(new URL('../../../../shared/data', import.meta.url));
const absent = !existsSync(data);

/** Images of folders without a manifest, one subject each. */
function images(folder: string, subfolders: readonly string[], wanted: (name: string) => boolean): Dataset {
  const samples = subfolders.flatMap((label) =>
    readdirSync(join(data, folder, label))
      .filter(wanted)
      .sort()
      .map((name) => ({
        id: name.replace(/\.\w+$/, ''),
        subject: name,
        label,
        images: { a: { kind: 'file' as const, path: join(data, folder, label, name) } },
      })),
  );
  return { name: folder, modalities: ['a'], samples };
}

async function groups(dataset: Dataset) {
  const found = await findDuplicates(dataset);
  return found.map(({ kind, members }) => [
    kind,
    ...members.map((position) => dataset.samples[position]!.id),
  ]);
}

describe.skipIf(absent)(`audit of real data${absent ? ` (skipped: ${data} is absent)` : ''}`, () => {
  it('finds in BUSI the image that is benign and malignant, and copies that are cropped or annotated', async () => {
    // Numbers around the known ones, of each class; the whole set takes too long for every run.
    const near = (name: string) => /^(benign \((4[0-3]\d)\)|malignant \((9\d|14\d)\))\.png$/.test(name);
    const found = await groups(images('Dataset_BUSI_with_GT', ['benign', 'malignant'], near));
    expect(found).toContainEqual(['exact', 'benign (433)', 'malignant (145)']);
    expect(found).toContainEqual(['near', 'benign (406)', 'malignant (94)']);
    expect(found.filter(([kind]) => kind === 'exact')).toHaveLength(1);
  });

  it('finds one exact pair in iChallenge-PM, and takes none of the many alike discs for another', async () => {
    const dataset = images('iChallenge-PM/PALM-Training400', ['PALM-Training400'], (name) =>
      /^[PN]00[0-7]/.test(name),
    );
    expect(await groups(dataset)).toEqual([['exact', 'P0014', 'P0072']]);
  });

  it('finds in lgg-mri blank slices, aligned mates, and likeness of neighbours in patients but not between them', async () => {
    const { samples, ...rest } = await openDataset({ path: join(data, 'lgg-mri/manifest.csv') });
    const patients = new Set(['DU_A5TW', 'FG_6691', 'HT_7881', 'CS_4941', 'DU_7299', 'FG_7643']);
    const report = await auditDataset({
      ...rest,
      samples: samples.filter(({ subject }) => patients.has(subject)),
    });
    const blank = report.findings.find(({ code }) => code === 'blank')!;
    const ids = [
      'DU_A5TW_010',
      'FG_6691_001',
      'FG_6691_002',
      'FG_6691_003',
      'DU_7299_001',
      'FG_7643_001',
      'FG_7643_002',
    ];
    const ofFirst = Array.from({ length: 9 }, (_, i) => `DU_A5TW_00${i + 1}`);
    expect(blank.items.flatMap((item) => item.ids).sort()).toEqual([...ids, ...ofFirst].sort());
    expect(report.findings.map(({ code }) => code)).toEqual(['blank', 'near-duplicates-within-subject']);
    for (const shift of [report.alignment[0]!.medianX, report.alignment[0]!.medianY])
      expect(Math.abs(shift)).toBeLessThan(0.5);
    expect(report.suitability[0]!.nearer).toBeGreaterThan(0.9);
  });

  it('finds in lgg-mri that all T1c slices of some patients are mirrored, and does not call that a shift', async () => {
    const { samples, ...rest } = await openDataset({ path: join(data, 'lgg-mri/manifest.csv') });
    const some = samples.filter(({ subject }) => ['DU_7299', 'HT_7881'].includes(subject));
    const mirrored = await Promise.all(
      some.map(async (sample) => {
        const image = await readSampleImage(rest, sample, 'b', 256);
        const turned = lying(image, similarity({ degrees: 180, mirrored: true }, image));
        return { ...sample, images: { ...sample.images, b: drawn(turned) } };
      }),
    );
    const report = await auditDataset({ ...rest, samples: mirrored });
    const codes = report.findings.map(({ code }) => code);
    expect(codes).toContain('common-orientation');
    expect(codes).not.toContain('common-shift');
    const [item] = report.findings.find(({ code }) => code === 'common-orientation')!.items;
    expect(item!.detail).toMatch(/^b is mirrored left to right against a/);
  });
});
