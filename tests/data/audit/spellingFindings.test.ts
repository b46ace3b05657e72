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
  return report.findings.filter(({ code }) => /^spel|-across-folds$/.test(code));
}

const rows: readonly Row[] = [
  { subject: 'P01', label: 'benign' },
  { subject: 'p01', label: 'Benign' },
  { subject: 'P02', label: 'malignant' },
];
const inFolds = (...folds: Fold[]) => rows.map((row, i) => ({ ...row, fold: folds[i]! }));

describe('names that differ in their spelling alone', () => {
  it.each([
    [undefined, 'warning', 'joined', 'keep them apart: --spellings keep'],
    ['keep', 'info', 'kept apart', 'leave --spellings keep out'],
  ] as const)(
    'are told with the spellings and the flag (%s: %s)',
    async (spellings, severity, title, fix) => {
      const [found, ...others] = await findings(rows, spellings);
      expect(others).toEqual([]);
      expect(found).toMatchObject({ code: 'spelled-several-ways', severity, count: 2 });
      expect(found!.title).toContain(title);
      expect(found!.fix).toContain(fix);
      const [subject, label] = found!.items;
      expect(subject).toMatchObject({ ids: ['s0', 's1'], place: 'subject "P01" and "p01"' });
      // The page may be shared, so it names no subject.
      expect(subject!.detail).toBe('a subject in 2 spellings');
      expect(label!.detail).toBe('class "Benign" and "benign"');
    },
  );

  it.each([
    ['of the manifest', inFolds(0, 1, 1), undefined, '0, 1'],
    ['as saved', rows, { s0: 0, s1: 'set-aside', s2: 1 }, '0, set-aside'],
  ] as const)('are one error across folds where they are joined: %s', async (_, wanted, folds, named) => {
    const [error, ...others] = await findings(wanted, 'join', folds);
    expect(error).toMatchObject({ code: 'spellings-across-folds', severity: 'error', count: 1 });
    expect(error!.items[0]).toMatchObject({
      ids: ['s0', 's1'],
      detail: `a subject in 2 spellings in folds ${named}`,
      place: `subject "P01" and "p01" in folds ${named}`,
    });
    expect(others.map(({ code }) => code)).toEqual(['spelled-several-ways']);
  });

  it.each([
    ['of the manifest', inFolds(0, 1, 1), undefined],
    ['as saved', rows, { s0: 0, s1: 1, s2: 1 }],
  ] as const)('are a note across folds where they are kept apart: %s', async (_, wanted, folds) => {
    const [note, ...others] = await findings(wanted, 'keep', folds);
    expect(others).toEqual([]);
    expect(note).toMatchObject({ code: 'spelled-several-ways', severity: 'info' });
    expect(note!.items[0]!.detail).toBe('a subject in 2 spellings in folds 0, 1');
  });

  it('leave a subject of one spelling across folds an error, in either way', async () => {
    const torn = [...inFolds(0, 0, 1), { subject: 'P02', label: 'malignant', fold: 0 } as const];
    for (const spellings of ['join', 'keep'] as const) {
      const [error] = await findings(torn, spellings);
      expect(error, spellings).toMatchObject({ code: 'subject-across-folds', severity: 'error', count: 1 });
    }
    const own = [
      { ...rows[0]!, fold: 0 },
      { ...rows[0]!, fold: 1 },
      { ...rows[1]!, fold: 1 },
    ] as const;
    expect((await findings(own, 'keep')).map(({ code }) => code)).toEqual([
      'subject-across-folds',
      'spelled-several-ways',
    ]);
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
