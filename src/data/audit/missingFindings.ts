/** Counts which images the samples have, and finds out whether what is missing tells something that it should not. */
import { type FoldOf, foldNames } from '../fold.js';
import { hasImage } from '../presence.js';
import type { Dataset } from '../sample.js';
import { type Finding, type FindingItem, finding } from './finding.js';
import { fisherExact } from './measures/fisher.js';

/** The samples that have these modalities and no others. */
export interface Combination {
  readonly modalities: readonly string[];
  readonly samples: number;
  /** The number of subjects with such a sample. */
  readonly subjects: number;
}

/** Counts the samples of each combination of modalities, the most frequent first. */
export function combinations({ samples, modalities }: Dataset): Combination[] {
  const found = new Map<string, { modalities: readonly string[]; samples: number; subjects: Set<string> }>();
  for (const sample of samples) {
    const has = modalities.filter((modality) => hasImage(sample, modality));
    const key = JSON.stringify(has);
    const one = found.get(key) ?? { modalities: has, samples: 0, subjects: new Set() };
    found.set(key, one);
    one.samples += 1;
    one.subjects.add(sample.subject);
  }
  return [...found.values()]
    .sort((one, other) => other.samples - one.samples)
    .map(({ subjects, ...rest }) => ({ ...rest, subjects: subjects.size }));
}

/** The p-value, after correction, below which what is missing is said to go with a class or a fold. */
const SIGNIFICANT = 0.01;

/** Finds modalities that are missing more often, or less often, in some class or some fold than in the others. */
export function missingFindings(dataset: Dataset, foldOf: FoldOf): Finding[] {
  return [
    ...finding({
      code: 'missing-by-class',
      severity: 'warning',
      title: 'What is missing goes with the class',
      explanation:
        'Whoever knows which images a patient lacks can guess the class without a look at any: a judgement over all patients would reward that.',
      fix: 'Judge each modality alone, or only the patients that have all of them; ask why these were not scanned.',
      items: unequal(dataset, 'class', (position) => dataset.samples[position]!.label),
    }),
    ...finding({
      code: 'missing-by-fold',
      severity: 'warning',
      title: 'What is missing goes with the fold',
      explanation: 'The test patients of this fold have other images than those that are trained on.',
      fix: 'Make folds anew: anatomy data split --data DATA --out splits.json --seed 1.',
      items: unequal(dataset, 'fold', (position) => {
        const fold = foldOf(position);
        return fold === undefined ? undefined : foldNames([fold]);
      }),
    }),
  ];
}

/**
 * Compares each group with all others by Fisher's exact test, a subject counting once: it lacks a modality when one of
 * its samples does. Subjects of several groups, or of none, are left out. The p-values are multiplied by the number of
 * tests (Bonferroni).
 */
function unequal(
  { samples, modalities }: Dataset,
  kind: string,
  groupOf: (position: number) => string | undefined,
): FindingItem[] {
  const subjects = new Map<string, { groups: Set<string | undefined>; lacks: Set<string> }>();
  for (const [position, sample] of samples.entries()) {
    const one = subjects.get(sample.subject) ?? { groups: new Set(), lacks: new Set() };
    subjects.set(sample.subject, one);
    one.groups.add(groupOf(position));
    for (const modality of modalities) if (!hasImage(sample, modality)) one.lacks.add(modality);
  }
  const grouped = [...subjects.values()].flatMap(({ groups: [group, ...others], lacks }) =>
    group === undefined || others.length > 0 ? [] : [{ group, lacks }],
  );
  const names = [...new Set(grouped.map(({ group }) => group))].sort();
  if (names.length < 2) return [];
  // Of two groups, one says all that the other would.
  const told = names.length === 2 ? names.slice(1) : names;
  const missing = modalities.filter((modality) => grouped.some(({ lacks }) => lacks.has(modality)));
  const tests = told.length * missing.length;
  return missing.flatMap((modality) => {
    const inAll = grouped.filter(({ lacks }) => lacks.has(modality)).length;
    return told.flatMap((name) => {
      const members = grouped.filter(({ group }) => group === name);
      const hits = members.filter(({ lacks }) => lacks.has(modality)).length;
      const p = Math.min(1, tests * fisherExact(hits, members.length, inAll, grouped.length));
      if (p >= SIGNIFICANT) return [];
      const others = grouped.length - members.length;
      const detail =
        `missing in ${hits} of ${members.length} subjects of ${kind} ${name} and in ${inAll - hits} of ${others} others ` +
        `(Fisher’s exact test, ${p < 0.0001 ? 'p < 0.0001' : `p = ${p.toFixed(4)}`}${tests > 1 ? `, corrected for ${tests} tests` : ''})`;
      return [{ ids: [], modality, detail, value: p }];
    });
  });
}
