import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  baselinesOf,
  parseEvaluation,
  primaryRow,
} from '../../../src/evaluation/results/evaluationResult.js';
import { storeEvaluation } from '../../report/storedRun.js';

let folder: string;
let stored: Record<string, unknown>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evaluation-result-'));
  storeEvaluation(folder);
  stored = JSON.parse(readFileSync(join(folder, 'evaluation', 'logreg.json'), 'utf8'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a stored evaluation', () => {
  test('of the first version is read, with what it did not write yet', () => {
    const { labels: _, setAside: __, ...older } = stored;
    const { method: ___, ...run } = stored.run as Record<string, unknown>;
    const result = parseEvaluation({ ...older, run }, 'logreg.json');
    expect(result.labels).toEqual({ fraction: 1, samples: [], subjects: [] });
    expect(result.setAside).toBe(false);
    expect(result.run.method).toBe('anatomy');
    expect(result.differences[0]!.holm).toBeNull();
  });

  test('keeps what it holds, and can be written and read again', () => {
    const result = parseEvaluation(stored, 'logreg.json');
    expect(parseEvaluation(JSON.stringify(result), 'logreg.json')).toEqual(result);
    expect(result).toMatchObject({ protocol: 'logreg', notes: stored.notes, data: stored.data });
  });

  test('that misses a field is refused by the field’s name', () => {
    const { rows: _, ...damaged } = stored;
    expect(() => parseEvaluation(damaged, 'logreg.json')).toThrow(
      /^logreg\.json: is no evaluation of this version \(rows: .*\); run anatomy evaluate again$/,
    );
  });

  test('is stood for by pooled features of all modalities, beside its baselines on the same images', () => {
    const result = parseEvaluation(stored, 'logreg.json');
    const primary = primaryRow(result)!;
    expect(primary.key).toBe('run/pooled/a+b');
    expect(baselinesOf(result, primary).map(({ key }) => key)).toEqual([
      'untrained/pooled/a+b',
      'thumbnail/pixels/a+b',
    ]);
  });
});
