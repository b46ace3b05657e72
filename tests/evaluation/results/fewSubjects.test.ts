import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EvaluationResult, parseEvaluation } from '../../../src/evaluation/results/evaluationResult.js';
import { formatEvaluation } from '../../../src/evaluation/results/evaluationTable.js';
import { fewMeasuresWarning, subjectsPerClass, tooFew } from '../../../src/evaluation/results/fewSubjects.js';
import { storeEvaluation } from '../../report/storedRun.js';

let folder: string;
let stored: EvaluationResult;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'few-subjects-'));
  storeEvaluation(folder);
  stored = JSON.parse(readFileSync(join(folder, 'evaluation', 'logreg.json'), 'utf8'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A result as an older version stored it, with tests of whatever it had. */
function readWith(data: Partial<EvaluationResult['data']>): EvaluationResult {
  const deLong = { value: 0.15, low: 0.1, high: 0.2, pValue: 0.0001 };
  const differences = stored.differences.map((one) => ({ ...one, holm: 0.012, deLong }));
  return parseEvaluation({ ...stored, data: { ...stored.data, ...data }, differences }, 'logreg.json');
}

describe('the rule of too few', () => {
  test('asks for ten subjects, and five of each class', () => {
    expect(tooFew({ subjects: 3 })).toBe('3 subjects');
    expect(tooFew({ subjects: 1 })).toBe('1 subject');
    expect(tooFew({ subjects: 9, perClass: [5, 5] })).toBe('9 subjects');
    expect(tooFew({ subjects: 10, perClass: [5, 5] })).toBeUndefined();
    expect(tooFew({ subjects: 80, perClass: [76, 4], classes: ['none', 'tumor'] })).toBe('4 of class tumor');
    expect(tooFew({ subjects: 80, perClass: [40, 0, 40] })).toBe('0 of class 1');
  });

  test('counts a subject for each class that it has a sample of', () => {
    expect(subjectsPerClass(['a', 'a', 'b', 'b', 'c'], [0, 1, 1, 1, 0], 3)).toEqual([2, 2, 0]);
  });

  test('names the measures on pairs that are told for fewer subjects than the others', () => {
    const measures = [
      { name: 'agreement', subjects: 40 },
      { name: 'agreement in the lesion', subjects: 6 },
      { name: 'agreement in the lesion', subjects: 6 },
      { name: 'agreement around it', subjects: 1 },
    ];
    expect(fewMeasuresWarning(measures)).toMatch(
      /fewer than 10 subjects.*: agreement in the lesion \(6 subjects\); agreement around it \(1 subject\)\.$/,
    );
    expect(fewMeasuresWarning(measures.slice(0, 1))).toBe('');
  });
});

describe.each([
  ['three subjects', { subjects: 3 }, '3 subjects'],
  ['four of a class, by the samples that an old result counts', { samplesPerClass: [20, 4] }, '4 of class'],
  ['four subjects of a class with many samples', { subjectsPerClass: [8, 4] }, '4 of class'],
])('a result of %s', (_, data, few) => {
  test('has no p-value, even where an older version stored one, and says so first', () => {
    const { differences, notes } = readWith(data);
    for (const { pValue, holm, minimumDetectable, deLong } of differences) {
      expect([pValue, holm, minimumDetectable, deLong!.pValue]).toEqual([null, null, null, null]);
    }
    expect(notes[0]).toContain(`Only ${few}`);
    expect(notes[0]).toContain('at least 10 subjects, and 5 of each class');
  });

  test('says so once, however often it is read and written', () => {
    const once = readWith(data);
    expect(parseEvaluation(JSON.stringify(once), 'logreg.json')).toEqual(once);
  });

  test('is printed without an interval of 95 % and without the size that could be detected', () => {
    const text = formatEvaluation({ ...readWith(data), patients: [] });
    expect(text).toContain(`**Only ${few}`);
    expect(text).toContain(`difference [interval over only ${few}`);
    expect(text).toContain(`not tested, of only ${few}`);
    expect(text).not.toMatch(/95 % interval|Holm over|Minimum detectable/);
  });
});

test('a result of enough subjects keeps its tests', () => {
  const result = readWith({});
  expect(result.differences[0]).toMatchObject({ pValue: 0.04, holm: 0.012, minimumDetectable: 0.07 });
  expect(result.notes).toEqual(stored.notes);
  const text = formatEvaluation(result);
  expect(text).toContain('difference [95 % interval]');
  expect(text).toContain('Holm over all 2 of them');
});

test('patients of whom few are positive have no interval of 95 %, though their images have one', () => {
  const [patients] = stored.patients!;
  const result = { ...readWith({}), patients: [{ ...patients!, positives: 2 }] };
  expect(formatEvaluation(result)).toContain('12 patients, 2 positive, with interval over only 2 of class');
});
