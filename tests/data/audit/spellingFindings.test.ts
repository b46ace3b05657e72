import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditDataset } from '../../../src/data/audit/audit.js';
import type { Fold } from '../../../src/data/fold.js';
import type { Spellings } from '../../../src/data/open/names.js';
import { openDataset } from '../../../src/data/openDataset.js';
import { GRAY, png } from '../handmadeImages.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spellings-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const SIDE = 40;

interface Row {
  readonly subject: string;
  readonly label: string;
  readonly fold?: Fold;
}

/** Opens a manifest of these rows, each with two pictures of its own, and gives its findings on spellings. */
async function findings(rows: readonly Row[], spellings?: Spellings, folds?: Record<string, Fold>) {
  mkdirSync(folder, { recursive: true });
  const ids = rows.map((_, i) => `s${i}`);
  for (const [i, id] of ids.entries()) {
    for (const [m, modality] of ['a', 'b'].entries()) {
      const level = (x: number, y: number) => (x * (2 * i + m + 1) * 6 + y * 7) % 256;
      const lines = Array.from({ length: SIDE }, (_, y) =>
        Array.from({ length: SIDE }, (_, x) => level(x, y)),
      );
      writeFileSync(join(folder, `${id}${modality}.png`), png(SIDE, 8, GRAY, lines));
    }
  }
  const lines = rows.map(({ subject, label, fold }, i) =>
    [ids[i], `${ids[i]}a.png`, `${ids[i]}b.png`, subject, label, ...(fold === undefined ? [] : [fold])].join(
      ',',
    ),
  );
  const header = `id,a,b,subject,label${rows[0]!.fold === undefined ? '' : ',fold'}`;
  writeFileSync(join(folder, 'pairs.csv'), `${[header, ...lines].join('\n')}\n`);
  const dataset = await openDataset({ path: join(folder, 'pairs.csv'), spellings }, { positive: 'optional' });
  const report = await auditDataset(dataset, { quick: true, folds });
  return report.findings.filter(({ code }) => code.startsWith('spel'));
}

const rows: readonly Row[] = [
  { subject: 'P01', label: 'benign' },
  { subject: 'p01', label: 'Benign' },
  { subject: 'P02', label: 'malignant' },
];
const inFolds = (...folds: Fold[]) => rows.map((row, i) => ({ ...row, fold: folds[i]! }));

describe('names that differ in their spelling alone', () => {
  it.each([
    [undefined, 'joined', 'keep them apart: --spellings keep'],
    ['keep', 'kept apart', 'leave --spellings keep out'],
  ] as const)('are a warning with the spellings and the flag (%s)', async (spellings, title, fix) => {
    const [found, ...others] = await findings(rows, spellings);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ code: 'spelled-several-ways', severity: 'warning', count: 2 });
    expect(found!.title).toContain(title);
    expect(found!.fix).toContain(fix);
    const [subject, label] = found!.items;
    expect(subject).toMatchObject({ ids: ['s0', 's1'], place: 'subject "P01" and "p01"' });
    // The page may be shared, so it names no subject.
    expect(subject!.detail).toBe('a subject in 2 spellings');
    expect(label!.detail).toBe('class "Benign" and "benign"');
  });

  it.each(['join', 'keep'] as const)('are an error across folds of the manifest (%s)', async (spellings) => {
    const [error] = await findings(inFolds(0, 1, 1), spellings);
    expect(error).toMatchObject({ code: 'spellings-across-folds', severity: 'error', count: 1 });
    expect(error!.items[0]).toMatchObject({
      ids: ['s0', 's1'],
      place: 'subject "P01" and "p01" in folds 0, 1',
    });
  });

  it.each(['join', 'keep'] as const)('are an error across saved folds (%s)', async (spellings) => {
    const [error] = await findings(rows, spellings, { s0: 0, s1: 'set-aside', s2: 1 });
    expect(error).toMatchObject({ code: 'spellings-across-folds', severity: 'error', count: 1 });
    expect(error!.items[0]!.detail).toBe('a subject in 2 spellings in folds 0, set-aside');
  });

  it.each([
    ['of the manifest', inFolds(0, 0, 1), undefined],
    ['as saved', rows, { s0: 0, s1: 0, s2: 1 }],
    ['as saved, which go before the manifest', inFolds(0, 1, 1), { s0: 0, s1: 0, s2: 1 }],
  ] as const)('are no error within one fold: %s', async (_, wanted, folds) => {
    const found = await findings(wanted, 'keep', folds);
    expect(found.map(({ code }) => code)).toEqual(['spelled-several-ways']);
  });

  it('are no finding where there are none', async () => {
    expect(await findings([rows[0]!, rows[2]!])).toEqual([]);
  });
});
