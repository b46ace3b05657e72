import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditReport, auditDataset, samplesToDrop } from '../../../src/data/audit/audit.js';
import { narrowWarnings, quickAudit } from '../../../src/data/audit/quickAudit.js';
import type { DataFault } from '../../../src/data/faults.js';
import { openImageCache } from '../../../src/data/loading/imageCache.js';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import { writePack } from '../../../src/data/pack/packWrite.js';
import { writeShards } from '../../../src/data/shards/shardsWrite.js';
import { GRAY, png } from '../handmadeImages.js';
import { nifti, upright } from '../handmadeVolumes.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'));
  for (const side of ['A', 'B']) mkdirSync(join(folder, side));
});
afterEach(() => rmSync(folder, { recursive: true }));

const SIDE = 40;

/** A picture with all levels 0 … `top`, different for each key, in `bits` bits. */
function picture(key: number, top: number, bits: 8 | 16) {
  const rows = Array.from({ length: SIDE }, (_, y) =>
    Array.from({ length: SIDE }, (_, x) => {
      const level = Math.round((top * ((x * (key + 1) + y * 7) % SIDE)) / (SIDE - 1));
      return bits === 8 ? [level] : [level >> 8, level & 255];
    }).flat(),
  );
  return png(SIDE, bits, GRAY, rows);
}

/** Three pairs: A uses the levels 0 … `top` of its bits, B all of 8 bits. */
async function pairs(top: number, bits: 8 | 16, preprocess?: DatasetSpec['preprocess']) {
  for (const key of [1, 2, 3]) {
    writeFileSync(join(folder, `A/p${key}.png`), picture(key, top, bits));
    writeFileSync(join(folder, `B/p${key}.png`), picture(key + 3, 255, 8));
  }
  return openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B'), preprocess });
}

const found = ({ findings }: AuditReport, code: string) => findings.find((one) => one.code === code);

it('tells of JPEGs that lack their end marker and drops none', async () => {
  for (const side of ['A', 'B']) {
    for (const key of [1, 2, 3]) {
      const levels = Buffer.from(
        Array.from({ length: SIDE * SIDE }, (_, i) => (i * (key + (side === 'A' ? 2 : 5))) % 251),
      );
      const jpeg = await sharp(levels, { raw: { width: SIDE, height: SIDE, channels: 1 } })
        .jpeg()
        .toBuffer();
      writeFileSync(
        join(folder, `${side}/p${key}.jpg`),
        side === 'A' && key < 3 ? jpeg.subarray(0, -2) : jpeg,
      );
    }
  }
  const dataset = await openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') });
  const report = await auditDataset(dataset);
  expect(found(report, 'incomplete-file')).toMatchObject({ severity: 'warning', count: 2 });
  expect(samplesToDrop(report)).toEqual([]);
  const warnings: string[] = [];
  const options = { size: 32, onWarning: (message: string) => warnings.push(message) };
  await openImageCache(dataset, { ...options, root: join(folder, 'cache') });
  await openImageCache(dataset, { ...options, root: join(folder, 'cache') });
  expect(warnings).toEqual([
    expect.stringMatching(/^2 of 6 images: the JPEG lacks its last two bytes.* For instance "p1" \(a\)\.$/),
  ]);
  const decoded = { onWarning: (message: string) => warnings.push(message), size: 32 };
  await writeShards(dataset, join(folder, 'shards'), { ...decoded, shardSize: 8 });
  await writePack(dataset, join(folder, 'pack.safetensors'), decoded);
  expect(warnings).toEqual(Array.from({ length: 3 }, () => warnings[0]));
});

describe('images that use a small part of the gray levels', () => {
  it.each([
    ['10 of 16 bits', 1023, 16, 4],
    ['12 of 16 bits', 4095, 16, 16],
    ['14 of 16 bits', 16383, 16, 64],
    ['8 of 16 bits', 255, 16, 1],
    ['two classes', 1, 8, 1],
  ] as const)('are told with the setting, and are not called blank: %s', async (_, top, bits, level) => {
    const dataset = await pairs(top, bits);
    const report = await auditDataset(dataset);
    expect(found(report, 'narrow-range')).toMatchObject({ severity: 'warning', count: 1 });
    expect(found(report, 'narrow-range')!.items[0]!.detail).toContain(
      `a: 3 of 3 images use the levels 0 to ${level} of 255: --set data.preprocess.a.intensity=`,
    );
    expect(found(report, 'blank')).toBeUndefined();
    expect(samplesToDrop(report)).toEqual([]);
    const quick = await quickAudit(
      dataset,
      await openImageCache(dataset, { size: SIDE, root: folder }),
      folder,
    );
    expect(quick.narrow).toEqual([{ modality: 'a', images: 3, top: level }]);
    expect(quick.blank).toBe(0);
    expect(narrowWarnings(quick)[0]).toContain('--set data.preprocess.a.intensity=');
  });

  it('are told no more once their levels are spread', async () => {
    const dataset = await pairs(4095, 16, { a: { intensity: { kind: 'window', low: 0, high: 4095 } } });
    expect(found(await auditDataset(dataset), 'narrow-range')).toBeUndefined();
    const cache = await openImageCache(dataset, { size: SIDE, root: folder });
    expect((await quickAudit(dataset, cache, folder)).narrow).toEqual([]);
  });

  it('are no finding where the others use the whole range', async () => {
    await pairs(65535, 16);
    writeFileSync(join(folder, 'A/p1.png'), picture(1, 4095, 16));
    const dataset = await openDataset({ path: join(folder, 'A'), pathB: join(folder, 'B') });
    expect(found(await auditDataset(dataset), 'narrow-range')).toBeUndefined();
  });

  it('are no finding where they are black altogether, which is blank', async () => {
    const report = await auditDataset(await pairs(0, 16));
    expect(found(report, 'narrow-range')).toBeUndefined();
    expect(found(report, 'blank')).toMatchObject({ count: 3 });
  });
});

describe('images that need a setting', () => {
  const volume = (top: number) =>
    nifti([SIDE, SIDE, 2], (x, y, z) => (top * ((x * (z + 2) + y * 7) % SIDE)) / SIDE);
  const withVolumes = (...tops: number[]) => {
    writeFileSync(join(folder, 'A/p1.nii.gz'), volume(tops[0]!));
    writeFileSync(join(folder, 'B/p1.nii.gz'), volume(tops[1]!));
    return { path: join(folder, 'A'), pathB: join(folder, 'B') };
  };

  it('are one finding that names the settings, are not called damaged and are dropped never', async () => {
    const dataset = await openDataset(withVolumes(200, 100));
    const report = await auditDataset(dataset);
    expect(report.findings.map(({ code }) => code)).not.toContain('unreadable');
    expect(found(report, 'needs-setting')).toMatchObject({
      severity: 'error',
      count: 4,
      fix: 'Write data.preprocess.a.intensity and data.preprocess.b.intensity; no sample has to be left out.',
    });
    expect(found(report, 'needs-setting')!.items[0]!.detail).not.toContain(folder);
    expect(samplesToDrop(report)).toEqual([]);
  });

  it('stop a run with a message that does not call the files damaged', async () => {
    const dataset = await openDataset(withVolumes(200, 100));
    const opened = openImageCache(dataset, { size: SIDE, root: folder });
    await expect(opened).rejects.toThrow(/4 of 4 images of A\+B need a setting:.*The files are sound\./s);
    await expect(opened).rejects.not.toThrow(/Repair or copy/);
  });

  it('include those that are larger than the limit, and volumes that name no plane', async () => {
    const small = { ...withVolumes(200, 100), maxBytes: 1000 };
    const check = async (spec: DatasetSpec) => {
      const faults: DataFault[] = [];
      const dataset = await openDataset(spec, { onFault: (fault) => faults.push(fault) });
      return auditDataset(dataset, { faults });
    };
    const report = await check(small);
    expect(found(report, 'needs-setting')!.items[0]!.place).toContain('--set data.maxBytes=');
    expect(samplesToDrop(report)).toEqual([]);
    const noCodes = (header: Buffer) => void header.writeInt16LE(0, 254);
    for (const side of ['A', 'B']) {
      writeFileSync(
        join(folder, `${side}/p1.nii.gz`),
        nifti([2, 2, 2], () => 1, upright(), noCodes),
      );
    }
    const untold = await check({ path: join(folder, 'A'), pathB: join(folder, 'B') });
    expect(found(untold, 'needs-setting')!.items[0]!.place).toContain('--set data.volumes.axis=0');
    expect(samplesToDrop(untold)).toEqual([]);
  });
});
