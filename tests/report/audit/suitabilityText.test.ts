import { expect, test } from 'vitest';
import { judgeSuitability } from '../../../src/data/audit/measures/relations.js';
import { premise, suitabilityFindings } from '../../../src/data/audit/setFindings.js';
import { suitabilityFact } from '../../../src/report/audit/auditText.js';
import { Random } from '../../../src/tensor/random.js';

/** Thirty pairs of so many subjects, whose images have nothing in common. */
function judged(subjects: number) {
  const random = new Random('unrelated');
  const relations = () => Float32Array.from({ length: 2016 }, () => random.uniform(-1, 1));
  const pairs = Array.from({ length: 30 }, (_, i) => ({
    subject: `${i % subjects}`,
    a: relations(),
    b: relations(),
  }));
  return judgeSuitability(pairs, 0)!;
}

test.each([
  [3, 'interval over only 3 subjects'],
  [9, 'interval over only 9 subjects'],
  [10, '95 % interval'],
])('the premise of %i subjects is told with its %s', (subjects, name) => {
  const suitability = judged(subjects);
  expect(suitability.subjects).toBe(subjects);
  const one = { ...suitability, premise: premise(suitability), modalities: ['a', 'b'] as const };
  const texts = [suitabilityFact(one), suitabilityFindings([one])[0]!.items[0]!.detail];
  for (const text of texts) {
    expect(text).toContain(`(${name} `);
    expect(text.includes('95 %')).toBe(subjects >= 10);
  }
});
