import { expect, test } from 'vitest';
import type { Dataset } from '../../../src/data/sample.js';
import { auditSection } from '../../../src/report/judged/auditSection.js';
import { type RunData, sampleName } from '../../../src/report/source/runData.js';
import { gapped } from '../../evaluation/gappedImages.js';

const dataOf = (dataset: Dataset) => ({ dataset, faults: [] as string[] }) as unknown as RunData;

test('the images of each modality are counted where some are missing, or there are more than two', () => {
  const text = (dataset: Dataset) => String(auditSection(dataOf(dataset)));
  const gaps = gapped(['flair', 't1', 't1c'], 4, (modality, i) => modality !== 't1' || i > 2);
  expect(text(gaps)).toContain('Images of 8 samples: flair 8, t1 5 (3 missing), t1c 8.');
  expect(text(gapped(['flair', 't1', 't1c'], 4, () => true))).toContain(
    '8 samples, each with an image of flair, t1, t1c.',
  );
  expect(text(gapped(['a', 'b'], 4, () => true))).toMatch(/^<p>All 8 samples were looked at/);
});

test('two complete images are a pair, and others are samples', () => {
  expect(sampleName(dataOf(gapped(['a', 'b'], 2, () => true)))).toBe('pair');
  expect(sampleName(dataOf(gapped(['a', 'b'], 2, (modality, i) => modality === 'a' || i > 0)))).toBe(
    'sample',
  );
  expect(sampleName(dataOf(gapped(['a', 'b', 'c'], 2, () => true)))).toBe('sample');
  expect(sampleName({ reason: 'gone' })).toBe('pair');
});
