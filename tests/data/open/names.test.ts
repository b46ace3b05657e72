import { describe, expect, test } from 'vitest';
import { type NamesOptions, settleNames } from '../../../src/data/open/names.js';

/** Settles samples of [subject, label] each. */
function settle(rows: readonly (readonly [string, string?])[], options: NamesOptions = {}) {
  const warnings: string[] = [];
  const samples = rows.map(([subject, label], i) => ({ id: `s${i}`, subject, label, images: {} }));
  const { samples: settled } = settleNames(
    { name: 'set', modalities: ['a'], samples },
    { ...options, onWarning: (text) => warnings.push(text) },
  );
  return {
    subjects: settled.map(({ subject }) => subject),
    labels: settled.map(({ label }) => label),
    warnings,
  };
}

describe('settleNames', () => {
  test('changes nothing of clean names, and says nothing', () => {
    const rows = [
      ['1', 'x'],
      ['2', 'y'],
      ['10', 'x'],
    ] as const;
    expect(settle(rows)).toEqual({ subjects: ['1', '2', '10'], labels: ['x', 'y', 'x'], warnings: [] });
  });

  test('joins one patient or class in several spellings, and tells them and the flag', () => {
    const { subjects, labels, warnings } = settle([
      ['001', '1.0'],
      ['1', '1'],
      ['P01', '0'],
      ['p01', '0.0'],
    ]);
    expect(subjects[0]).toBe(subjects[1]);
    expect(subjects[2]).toBe(subjects[3]);
    expect(labels).toEqual(['1', '1', '0', '0']);
    expect(warnings).toEqual([
      expect.stringMatching(/4 subjects differ.*"001" and "1".*look like 2.*--spellings keep/),
      expect.stringMatching(/4 classes differ/),
    ]);
  });

  test('keeps spellings apart where that is asked for, and still tells', () => {
    const { subjects, warnings } = settle([['001'], ['1']], { spellings: 'keep' });
    expect(subjects).toEqual(['001', '1']);
    expect(warnings).toEqual([expect.stringContaining('They are kept apart')]);
  });

  test.each(['NA', 'nan', 'n/a', 'N/A', 'null', 'None', '#N/A', '<NA>', '.'])(
    'takes the label %s as missing, unless it is named',
    (word) => {
      const rows = [
        ['1', 'x'],
        ['2', 'y'],
        ['3', word],
      ] as const;
      const { labels, warnings } = settle(rows);
      expect(labels).toEqual(['x', 'y', undefined]);
      expect(warnings).toEqual([expect.stringContaining('If it is a class, name all classes: --classes')]);
      expect(settle(rows, { classes: [word] })).toMatchObject({ labels: ['x', 'y', word], warnings: [] });
    },
  );

  test('takes "none" as a class beside one other class, and tells', () => {
    const { labels, warnings } = settle([
      ['1', 'tumor'],
      ['2', 'none'],
    ]);
    expect(labels).toEqual(['tumor', 'none']);
    expect(warnings).toEqual([expect.stringContaining('counts as a class here')]);
  });

  test('takes "none" as missing beside several classes, but not beside several spellings of one', () => {
    const labelled = (...labels: string[]) => settle(labels.map((label, i) => [`${i}`, label])).labels;
    expect(labelled('x', 'y', 'None')).toEqual(['x', 'y', undefined]);
    expect(labelled('tumor', 'Tumor', 'None')[2]).toBe('None');
    expect(labelled('None')).toEqual([undefined]);
  });

  test('makes samples whose subject is missing patients of their own, and tells', () => {
    const { subjects, warnings } = settle([['P1'], ['NA'], ['n/a']]);
    expect(subjects).toEqual(['P1', 's1', 's2']);
    expect(warnings).toEqual([expect.stringContaining('2 of 3 samples name no subject ("NA", "n/a")')]);
  });

  test('tells of a name that stands for many patients', () => {
    expect(settle(Array(12).fill(['ANONYMOUS'])).warnings).toEqual([expect.stringContaining('"ANONYMOUS"')]);
    expect(settle(Array(12).fill(['0'])).warnings).toEqual([expect.stringContaining('many for one patient')]);
  });
});
