/** Plants faults in each modality, and between each two, of samples that lack some images. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AuditReport, auditDataset, samplesToDrop } from '../../../src/data/audit/audit.js';
import { hasImage } from '../../../src/data/presence.js';
import type { Dataset } from '../../../src/data/sample.js';
import { temporaryFolder } from '../../training/tiny.js';
import { withGaps } from '../gapped.js';
import { nifti } from '../handmadeVolumes.js';
import { changed, type raster } from './drawnPairs.js';
import { datasetOf, MODALITIES, type Modality, planted, soundSamples } from './plantedModalities.js';
import { moved } from './plantedPairs.js';

const PAIRS = [
  ['a', 'b'],
  ['a', 'c'],
  ['b', 'c'],
] as const;

function found({ findings }: AuditReport, code: string) {
  return findings.find((one) => one.code === code);
}

const codes = ({ findings }: AuditReport) => findings.map(({ code }) => code).sort();

describe.each([
  ['a', 'b'],
  ['b', 'c'],
  ['c', 'a'],
] as const)('faults in %s, or between it and %s', (modality, other) => {
  let report: AuditReport;
  let expected: Record<string, string[]>;
  beforeAll(async () => {
    const { dataset, expected: kinds } = planted(modality, other);
    expected = kinds;
    report = await auditDataset(dataset);
  });

  it('are found, and nothing else', () => {
    const ids = report.findings.map(({ code, items }) => [
      code,
      [...new Set(items.flatMap((one) => one.ids))].sort(),
    ]);
    expect(Object.fromEntries(ids)).toEqual(
      Object.fromEntries(Object.entries(expected).map(([code, names]) => [code, [...names].sort()])),
    );
  });

  it('are told with their modality', () => {
    for (const code of ['unreadable', 'blank', 'tiny', 'unusual-size', 'unusual-intensity'])
      for (const item of found(report, code)!.items) expect(item.modality, code).toBe(modality);
    for (const code of Object.keys(expected).filter((one) => one.includes('duplicates')))
      for (const item of found(report, code)!.items) expect(item.modality, code).toBe(modality);
  });

  it('are told with both modalities where they lie between two', () => {
    const [first, second] = [modality, other].sort() as [Modality, Modality];
    const details = (code: string) => found(report, code)!.items.map(({ detail }) => detail);
    expect(details('same-image')).toEqual([
      expect.stringMatching(`^${first} and ${second} are equal to the pixel$`),
      expect.stringMatching(`^${first} and ${second} are negatives of each other$`),
    ]);
    expect(details('swapped')).toEqual([`${first} looks like ${second} and ${second} like ${first}`]);
    expect(details('copies-across-modalities')).toEqual([`stands as ${modality}, ${other}`]);
    const pairsOf = PAIRS.filter((pair) => (pair as readonly string[]).includes(modality));
    const shifts = details('misaligned');
    for (const [a, b] of pairsOf) {
      const here = shifts.filter(
        (detail) => detail.startsWith(`${b} lies`) && detail.includes(`against ${a}`),
      );
      expect(here).toEqual([
        expect.stringMatching(
          b === modality
            ? /(3\.[5-9]|4\.[0-4]) px to the right, (2\.[5-9]|3\.[0-4]) px up/
            : /(3\.[5-9]|4\.[0-4]) px to the left, (2\.[5-9]|3\.[0-4]) px down/,
        ),
      ]);
    }
    expect(shifts).toHaveLength(2);
    expect(details('shape-mismatch')).toHaveLength(2);
  });

  it('lists each sample to leave out with the modality that is at fault', () => {
    const dropped = Object.fromEntries(samplesToDrop(report).map(({ id, reason }) => [id, reason]));
    expect(dropped).toMatchObject({
      blank: `blank (${modality})`,
      unreadable: `unreadable (${modality})`,
      copy: `exact-duplicates (${modality})`,
    });
    // The copy that has more images stays.
    expect(Object.keys(dropped)).not.toContain('copied');
  });
});

describe('samples that lack images', () => {
  it('have nothing to be told of where they are sound, whatever is missing', async () => {
    const report = await auditDataset(datasetOf(soundSamples(40)));
    expect(codes(report)).toEqual(['one-sample-a-subject']);
    expect(report.modalities.map(({ name, missing, readable }) => [name, missing, readable])).toEqual([
      ['a', 4, 36],
      ['b', 8, 32],
      ['c', 6, 34],
    ]);
    expect(report.suitability.map(({ modalities, premise }) => [...modalities, premise])).toEqual(
      PAIRS.map((pair) => [...pair, 'holds']),
    );
    expect(report.alignment.map(({ modality, against, measured }) => [against, modality, measured])).toEqual(
      PAIRS.map((pair) => [
        ...pair,
        soundSamples(40).filter(({ images }) => pair.every((m) => images[m])).length,
      ]),
    );
  });

  it('are counted by combination', async () => {
    const dataset = withGaps(datasetOf(soundSamples(8)), (i, modality) =>
      i < 3 ? modality !== 'a' : i < 5 && modality === 'c',
    );
    const twice = dataset.samples.map((sample, i) => ({
      ...sample,
      subject: i < 2 ? 'one' : sample.subject,
    }));
    const { combinations } = await auditDataset({ ...dataset, samples: twice }, { quick: true });
    const total = (of: 'samples' | 'subjects') => combinations.reduce((sum, one) => sum + one[of], 0);
    expect([total('samples'), combinations[0]]).toEqual([8, { modalities: ['a'], samples: 3, subjects: 2 }]);
  });

  it('have the content that they have: a gap is no image, and which is missing matters', async () => {
    const dataset = datasetOf(soundSamples(2));
    const hash = async (data: Dataset) => (await auditDataset(data, { quick: true })).contentHash;
    const [one, other] = ['a', 'c'].map((gone) => withGaps(dataset, (_, modality) => modality === gone));
    expect(new Set([await hash(dataset), await hash(one!), await hash(other!)]).size).toBe(3);
  });
});

/** Changes the images of one modality in all samples. */
function allOf(
  modality: Modality,
  change: (i: number) => (images: Dataset['samples'][number]['images']) => object,
) {
  const dataset = datasetOf(soundSamples(40));
  const samples = dataset.samples.map((sample, i) =>
    hasImage(sample, modality)
      ? { ...sample, images: { ...sample.images, ...change(i)(sample.images) } }
      : sample,
  );
  return { ...dataset, samples } as Dataset;
}

function redraw(source: unknown, change: Parameters<typeof changed>[1] | 'moved') {
  const { render } = source as { render: (size: number) => ReturnType<typeof raster> };
  const image = render(64);
  const made = change === 'moved' ? moved(image, 3, 0) : changed(image, change);
  return { kind: 'generated', key: 'changed', render: () => made };
}

describe.each(MODALITIES)('faults of all images of %s', (modality) => {
  it('a common shift is found against each other modality', async () => {
    const report = await auditDataset(
      allOf(modality, () => (images) => ({ [modality]: redraw(images[modality], 'moved') })),
    );
    const items = found(report, 'common-shift')!.items;
    expect(items.map((item) => item.detail)).toEqual(
      PAIRS.filter((pair) => (pair as readonly string[]).includes(modality)).map(([a, b]) =>
        expect.stringMatching(
          `^${b} lies (2\\.[6-9]|3\\.[0-4]) px to the ${b === modality ? 'right' : 'left'}.* against ${a}, in the median pair$`,
        ),
      ),
    );
    expect(codes(report)).toEqual(['common-shift', 'misaligned', 'one-sample-a-subject']);
  });

  it('copies on both sides of a split are found, whatever else their samples have', async () => {
    const { samples, ...rest } = datasetOf(soundSamples(8));
    const first = samples.findIndex((sample) => hasImage(sample, modality));
    const copy = {
      id: 'copy',
      subject: 'another',
      images: { [modality]: samples[first]!.images[modality]! },
    };
    const folds = Object.fromEntries([...samples, copy].map(({ id }, i) => [id, i < 8 ? 0 : 1]));
    const report = await auditDataset({ ...rest, samples: [...samples, copy] }, { quick: true, folds });
    const items = found(report, 'duplicates-across-folds')!.items;
    expect(items.map(({ ids, modality: where }) => [where, ...ids])).toEqual([
      [modality, samples[first]!.id, 'copy'],
    ]);
    // What the copy does not have does not differ.
    expect(items[0]!.detail).toBe('2 samples; folds 0, 1');
  });

  it('an image that needs a setting is found', async () => {
    const { samples, ...rest } = datasetOf(soundSamples(3));
    const folder = temporaryFolder();
    const path = join(folder, 'deep.nii');
    writeFileSync(
      path,
      nifti([8, 8, 2], (x, y, z) => 20 * ((x * (z + 2) + y * 7) % 8)),
    );
    const part = { kind: 'slice' as const, axis: 2 as const, index: 0 };
    const deep = {
      id: 'deep',
      subject: 'deep',
      images: { [modality]: { kind: 'file' as const, path, part } },
    };
    const report = await auditDataset({ ...rest, samples: [...samples, deep] }, { quick: true });
    expect(found(report, 'needs-setting')!.items).toMatchObject([{ ids: ['deep'], modality }]);
    expect(samplesToDrop(report)).toEqual([]);
  });

  it('a small part of the gray levels is found', async () => {
    const report = await auditDataset(
      allOf(modality, () => (images) => ({ [modality]: redraw(images[modality], (value) => value / 16) })),
      { quick: true },
    );
    expect(found(report, 'narrow-range')!.items.map((item) => item.modality)).toEqual([modality]);
  });

  it('images of other subjects share no layout with the other modalities', async () => {
    const having = datasetOf(soundSamples(40)).samples.filter((sample) => hasImage(sample, modality));
    const report = await auditDataset(
      allOf(modality, (i) => () => ({ [modality]: having[(i + 11) % having.length]!.images[modality] })),
    );
    expect(report.suitability.map(({ modalities, premise }) => [...modalities, premise === 'holds'])).toEqual(
      PAIRS.map((pair) => [...pair, !(pair as readonly string[]).includes(modality)]),
    );
    expect(found(report, 'premise')!.items).toHaveLength(2);
  });

  it.each(['class', 'fold'] as const)('missing images that go with the %s are found', async (kind) => {
    const dataset = withGaps(
      datasetOf(soundSamples(40)),
      (i, name) => name === modality && i % 2 === 1 && i % 5 > 0,
    );
    const folds = Object.fromEntries(dataset.samples.map(({ id }, i) => [id, i % 2]));
    const samples = dataset.samples.map((sample, i) => ({
      ...sample,
      label: kind === 'class' ? sample.label! : `${Math.floor(i / 2) % 2}`,
    }));
    const report = await auditDataset(
      { ...dataset, samples },
      { quick: true, ...(kind === 'fold' && { folds }) },
    );
    const items = found(report, `missing-by-${kind}`)!.items;
    expect(items.map((item) => item.modality)).toEqual([modality]);
    expect(items[0]!.detail).toMatch(
      /missing in \d+ of 20 subjects of (class y|fold 1) and in \d+ of 20 others \(Fisher/,
    );
    expect(found(report, kind === 'class' ? 'missing-by-fold' : 'missing-by-class')).toBeUndefined();
  });
});
