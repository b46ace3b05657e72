import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SET_ASIDE } from '../../../src/data/fold.js';
import type { Dataset, Sample } from '../../../src/data/sample.js';
import { loadSplits, makeSplits, type Splits, saveSplits } from '../../../src/data/splits/splits.js';
import { DataError, UsageError } from '../../../src/errors.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'splits-'));
  file = join(folder, 'new', 's.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

function dataset(folds?: (index: number) => number | undefined): Dataset {
  const samples = Array.from({ length: 24 }, (_, i): Sample => {
    const fold = folds?.(i);
    const label = i % 2 ? 'tumor' : 'none';
    return { id: `s${i}`, subject: `p${i >> 1}`, images: {}, label, ...(fold === undefined ? {} : { fold }) };
  });
  return { name: 'toy', modalities: [], samples };
}

describe('makeSplits', () => {
  it('draws folds by subject', () => {
    const splits = makeSplits(dataset(), { folds: 4, seed: 7 });
    expect(splits).toMatchObject({ version: 3, seed: 7, k: 4, source: 'generated', dataset: 'toy' });
    expect(Object.keys(splits.folds)).toHaveLength(24);
    for (let i = 0; i < 24; i += 2) expect(splits.folds[`s${i}`]).toBe(splits.folds[`s${i + 1}`]);
    expect(makeSplits(dataset()).k).toBe(5);
  });

  it('honours published folds', () => {
    const published = dataset((i) => (i >> 1) % 3);
    const splits = makeSplits(published);
    expect(splits).toMatchObject({ k: 3, source: 'published' });
    expect(splits.folds.s4).toBe(2);
    expect(makeSplits(published, { folds: 3 }).k).toBe(3);
    expect(() => makeSplits(published, { folds: 5 })).toThrow(UsageError);
    expect(() => makeSplits(published, { folds: 5 })).toThrow(
      'The data publishes 3 folds, but 5 were asked for',
    );
  });

  it('refuses published folds that leak, have gaps, start at 1 or are not for all', () => {
    expect(() => makeSplits(dataset((i) => i % 3))).toThrow('subjects on two sides (12)');
    expect(() => makeSplits(dataset((i) => ((i >> 1) % 3) * 2))).toThrow('no sample is in fold 1, 3');
    expect(() => makeSplits(dataset((i) => 1 + ((i >> 1) % 3)))).toThrow('start at 1, expected 0');
    expect(() => makeSplits(dataset(() => 0))).toThrow('at least two folds');
    expect(() => makeSplits(dataset((i) => (i > 3 ? 0 : undefined)))).toThrow(
      'Samples without a fold, while others have one (4 of 24)',
    );
  });
});

describe('samples that are set aside', () => {
  const asideOf = ({ folds }: Splits) => Object.keys(folds).filter((id) => folds[id] === SET_ASIDE);

  it('are of so many whole subjects, stratified, and the same whatever the folds', () => {
    const splits = makeSplits(dataset(), { folds: 3, seed: 2, setAside: 4 });
    const aside = asideOf(splits);
    expect(aside).toHaveLength(8);
    const numbers = aside.map((id) => Number(id.slice(1)));
    expect(new Set(numbers.map((i) => i >> 1)).size).toBe(4);
    expect(numbers.filter((i) => i % 2 === 1)).toHaveLength(4);
    expect(asideOf(makeSplits(dataset(), { folds: 5, seed: 2, setAside: 4 }))).toEqual(aside);
    expect(asideOf(makeSplits(dataset(), { folds: 3, seed: 3, setAside: 4 }))).not.toEqual(aside);
    // The folds are those of the others alone.
    const { name, modalities, samples } = dataset();
    const rest = { name, modalities, samples: samples.filter(({ id }) => !aside.includes(id)) };
    expect(makeSplits(rest, { folds: 3, seed: 2 }).folds).toEqual(
      Object.fromEntries(rest.samples.map(({ id }) => [id, splits.folds[id]])),
    );
  });

  it('leave published folds as they are', () => {
    const published = dataset((i) => (i >> 1) % 3);
    const splits = makeSplits(published, { setAside: 3 });
    const rest = published.samples.filter(({ id }) => splits.folds[id] !== SET_ASIDE);
    expect(rest).toHaveLength(18);
    for (const { id, fold } of rest) expect(splits.folds[id]).toBe(fold);
  });

  it('take duplicates with them', () => {
    const group = { kind: 'exact' as const, modality: 'a', members: [0, 8, 16] };
    for (const seed of [0, 1, 2, 3, 4, 5]) {
      const { folds } = makeSplits(dataset(), { folds: 2, seed, setAside: 4, duplicates: [group] });
      expect(new Set([folds.s0, folds.s8, folds.s16]).size).toBe(1);
    }
  });

  it('are at most half, and no subject is half set aside', async () => {
    expect(() => makeSplits(dataset(), { setAside: 7 })).toThrow('--set-aside is 7, expected 1 to 6');
    expect(() => makeSplits(dataset(), { setAside: 0 })).toThrow('--set-aside is 0, expected 1 to 6');
    const splits = makeSplits(dataset(), { folds: 3, setAside: 4 });
    await saveSplits(splits, file);
    expect(await loadSplits(file, dataset().samples)).toEqual(splits);
    const [first] = asideOf(splits);
    writeFileSync(file, JSON.stringify({ ...splits, folds: { ...splits.folds, [first!]: 0 } }));
    await expect(loadSplits(file, dataset().samples)).rejects.toThrow(
      /subjects on two sides \(1\).*set-aside/s,
    );
    writeFileSync(file, JSON.stringify({ ...splits, folds: { ...splits.folds, [first!]: 'apart' } }));
    await expect(loadSplits(file, dataset().samples)).rejects.toThrow(/not a splits file of version 3/);
  });
});

describe('duplicates', () => {
  const group = (kind: 'exact' | 'near', ...members: number[]) => ({ kind, modality: 'a', members });

  it('keep the subjects they join in one fold, and their group with the splits', () => {
    // s1 of p0 = s6 of p3, s7 of p3 ≈ s22 of p11; s2 and s3 are of one subject anyway.
    const duplicates = [group('exact', 1, 6), group('near', 7, 22), group('exact', 2, 3)];
    for (let seed = 0; seed < 10; seed += 1) {
      const { folds, groups } = makeSplits(dataset(), { folds: 4, seed, duplicates });
      const tied = ['s0', 's1', 's6', 's7', 's22', 's23'];
      expect(new Set(tied.map((id) => folds[id])).size).toBe(1);
      expect(groups).toEqual(Object.fromEntries(tied.map((id) => [id, 'duplicates-1'])));
      const sizes = [0, 1, 2, 3].map((fold) => Object.values(folds).filter((own) => own === fold).length);
      expect(sizes).toEqual([6, 6, 6, 6]);
    }
    expect(makeSplits(dataset(), { folds: 4, seed: 3 }).groups).toEqual({});
  });

  it('are refused where published folds tear exact ones, and told where they tear near ones', () => {
    const published = dataset((i) => (i >> 1) % 3);
    const warnings: string[] = [];
    const split = (...duplicates: ReturnType<typeof group>[]) =>
      makeSplits(published, { duplicates, onWarning: (warning) => warnings.push(warning) });
    expect(() => split(group('exact', 0, 2))).toThrow(DataError);
    expect(() => split(group('exact', 0, 2))).toThrow(
      /tear exact duplicates apart \(1\).*"s0" in fold 0, "s2" in fold 1.*--drop, or .*--column fold=null/s,
    );
    expect(warnings).toEqual([]);
    const { folds, groups } = split(group('near', 0, 2), group('exact', 4, 10));
    expect([folds.s0, folds.s2]).toEqual([0, 1]);
    expect(groups).toEqual({
      ...{ s4: 'duplicates-1', s5: 'duplicates-1', s10: 'duplicates-1', s11: 'duplicates-1' },
    });
    expect(warnings).toEqual([
      expect.stringContaining('tear near duplicates apart (1), such as "s0" in fold 0'),
    ]);
  });

  it('are refused where too many are joined to fill the folds', () => {
    const all = group('near', ...Array.from({ length: 24 }, (_, i) => i));
    expect(() => makeSplits(dataset(), { folds: 2, duplicates: [all] })).toThrow(
      '1 subjects cannot fill 2 folds',
    );
  });
});

describe('saveSplits and loadSplits', () => {
  it('come back as they were, ids that look like numbers or properties included', async () => {
    const ids = ['10', '9', 'constructor', 'ü,"'];
    const samples = ids.map((id): Sample => ({ id, subject: id, images: {} }));
    const splits = makeSplits({ name: 'odd', modalities: [], samples }, { folds: 2 });
    await saveSplits(splits, file);
    expect(readdirSync(join(folder, 'new'))).toEqual(['s.json']);
    const loaded = await loadSplits(file, samples);
    expect(loaded).toEqual(splits);
    expect(Object.keys(loaded.folds).sort()).toEqual([...ids].sort());
    await saveSplits(makeSplits(dataset()), file);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 3, k: 5, dataset: 'toy' });
  });

  const tampered = async (
    change: (content: { k: number; version: number; folds: Record<string, number> }) => void,
  ) => {
    await saveSplits(makeSplits(dataset(), { folds: 3 }), file);
    const content = JSON.parse(readFileSync(file, 'utf8'));
    change(content);
    writeFileSync(file, JSON.stringify(content));
    return loadSplits(file, dataset().samples);
  };

  it('refuse splits of other data', async () => {
    await expect(tampered(({ folds }) => Object.assign(folds, { ghost: 0 }))).rejects.toThrow(DataError);
    await expect(tampered(({ folds }) => Object.assign(folds, { ghost: 0 }))).rejects.toThrow(
      /ids that are not in the data \(1\).*"ghost"/s,
    );
    await expect(tampered(({ folds }) => Reflect.deleteProperty(folds, 's3'))).rejects.toThrow(
      /without a fold \(1\).*"s3"/s,
    );
  });

  it('refuse a subject on two sides', async () => {
    const torn = tampered(({ folds }) => Object.assign(folds, { s3: ((folds.s3 ?? 0) + 1) % 3 }));
    await expect(torn).rejects.toThrow(/subjects on two sides \(1\).*"p1"/s);
  });

  it('refuse a group of duplicates torn by hand, and groups of other data', async () => {
    const duplicates = [{ kind: 'near' as const, modality: 'a', members: [0, 2] }];
    const splits = makeSplits(dataset(), { folds: 3, duplicates });
    await saveSplits(splits, file);
    expect(await loadSplits(file, dataset().samples)).toEqual(splits);
    const change = async (content: object) => {
      writeFileSync(file, JSON.stringify({ ...splits, ...content }));
      return loadSplits(file, dataset().samples);
    };
    const other = splits.folds.s2 === 0 ? 1 : 0;
    await expect(change({ folds: { ...splits.folds, s2: other, s3: other } })).rejects.toThrow(
      /groups of duplicates on two sides \(1\).*"duplicates-1" is in folds/s,
    );
    await expect(change({ groups: { ghost: 'duplicates-1' } })).rejects.toThrow(
      /groups of ids that are not in the data \(1\).*"ghost"/s,
    );
  });

  it('still read version 1, which has no groups, and version 2', async () => {
    const now = makeSplits(dataset(), { folds: 3 });
    const { groups: _, ...first } = now;
    await saveSplits(now, file);
    writeFileSync(file, JSON.stringify({ ...first, version: 1 }));
    expect(await loadSplits(file, dataset().samples)).toEqual(now);
    writeFileSync(file, JSON.stringify({ ...now, version: 2 }));
    expect(await loadSplits(file, dataset().samples)).toEqual(now);
    writeFileSync(file, JSON.stringify({ ...first, version: 2 }));
    await expect(loadSplits(file, dataset().samples)).rejects.toThrow('groups');
  });

  it('refuse folds out of range or empty, and files that are something else', async () => {
    await expect(tampered(({ folds }) => Object.assign(folds, { s2: 3, s3: 3 }))).rejects.toThrow(
      'out of the range 0 to 2',
    );
    await expect(tampered((content) => Object.assign(content, { k: 4 }))).rejects.toThrow(
      'no sample is in fold 3',
    );
    await expect(tampered((content) => Object.assign(content, { version: 4 }))).rejects.toThrow('version');
    await expect(tampered(({ folds }) => Object.assign(folds, { s2: -1 }))).rejects.toThrow('folds.s2');
    writeFileSync(file, '{');
    await expect(loadSplits(file, [])).rejects.toThrow(`${file}: is not JSON`);
    await expect(loadSplits(join(folder, 'none.json'), [])).rejects.toThrow('no such file');
  });
});
