import { intervalName, tooFew } from '../../metrics/fewSubjects.js';
import type { DataFault } from '../faults.js';
import { type Fold, type FoldOf, foldNames } from '../fold.js';
import type { Dataset } from '../sample.js';
import { type Finding, finding } from './finding.js';
import type { Suitability } from './measures/relations.js';

/** The share of the labelled samples, and the number of samples, below which a class is called rare. */
const RARE_SHARE = 0.05;
const RARE_COUNT = 10;

/** Makes findings of the faults that opening the data told of. Such samples are in none of the other findings. */
export function faultFindings(faults: readonly DataFault[]): Finding[] {
  const of = (kind: DataFault['kind'], detail: string) =>
    faults
      .filter((fault) => fault.kind === kind)
      .map(({ id, message }) => ({ ids: [id], detail, place: message }));
  return [
    ...finding({
      code: 'missing-mate',
      severity: 'error',
      title: 'Images without a mate',
      explanation: 'Another modality has no image of this name, so there is no pair.',
      fix: 'Add the other image under the same name, or remove this one.',
      items: of('missing-mate', 'another modality has no image of this name'),
    }),
    ...finding({
      code: 'missing-file',
      severity: 'error',
      title: 'Images that are named but not there',
      explanation: 'The list of samples names files that do not exist.',
      fix: 'Correct the paths, add the files, or remove the lines.',
      items: of('missing-file', 'a file of this sample does not exist'),
    }),
    ...finding({
      code: 'bad-row',
      severity: 'error',
      title: 'Samples that are described wrongly',
      explanation: 'Their description lacks something or contradicts itself.',
      fix: 'Correct them where they are described.',
      items: of('bad-row', 'the description of this sample is faulty'),
    }),
  ];
}

/** Finds what is wrong with subjects, classes and folds, and what differs from the publication. */
export function setFindings(dataset: Dataset, foldOf: FoldOf): Finding[] {
  return [...leakage(dataset, foldOf), ...balance(dataset), ...publication(dataset), ...lonely(dataset)];
}

/** Counts the samples of each class, in the order of first appearance. */
export function classCounts({ samples }: Pick<Dataset, 'samples'>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { label } of samples) if (label !== undefined) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

export function subjectCount({ samples }: Pick<Dataset, 'samples'>): number {
  return new Set(samples.map(({ subject }) => subject)).size;
}

function leakage({ samples, spelledSeveralWays }: Dataset, foldOf: FoldOf): Finding[] {
  // Those that were joined from several spellings are told with their spellings.
  const joined = new Set(spelledSeveralWays?.joined ? spelledSeveralWays.subjects.flat() : []);
  const foldsOf = new Map<string, Map<Fold, string[]>>();
  const without: string[] = [];
  for (const [position, { id, subject }] of samples.entries()) {
    const fold = foldOf(position);
    if (fold === undefined) {
      without.push(id);
      continue;
    }
    const folds = foldsOf.get(subject) ?? new Map<Fold, string[]>();
    foldsOf.set(subject, folds);
    folds.set(fold, [...(folds.get(fold) ?? []), id]);
  }
  const torn = [...foldsOf].flatMap(([subject, folds]) =>
    folds.size > 1 && !joined.has(subject) ? [folds] : [],
  );
  return [
    ...finding({
      code: 'subject-across-folds',
      severity: 'error',
      title: 'Subjects on both sides of a split',
      explanation: 'The test would be on patients that were trained on, which makes the judgement too good.',
      fix: 'Make folds by subject: anatomy data split --data DATA --out splits.json.',
      items: torn.map((folds) => ({
        ids: [...folds.values()].flat(),
        detail: `one subject in folds ${foldNames(folds.keys())}`,
        value: folds.size,
      })),
    }),
    ...finding({
      code: 'without-fold',
      severity: 'error',
      title: 'Samples without a fold',
      explanation: 'Other samples have one, so these would be in no test and no training.',
      fix: 'Give every sample a fold, or none.',
      items: foldsOf.size === 0 ? [] : without.map((id) => ({ ids: [id], detail: 'is in no fold' })),
    }),
  ];
}

function balance({ samples }: Dataset): Finding[] {
  const counts = classCounts({ samples });
  const labelled = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const rare = [...counts].filter(
    ([, count]) => counts.size > 1 && (count < RARE_COUNT || count < RARE_SHARE * labelled),
  );
  const unlabelled = samples.length - labelled;
  return [
    ...finding({
      code: 'rare-class',
      severity: 'warning',
      title: 'Classes with very few samples',
      explanation: `Fewer than ${RARE_COUNT}, or than ${100 * RARE_SHARE} % of the labelled samples: measures for them will hardly be certain.`,
      fix: 'Collect more, join classes, or leave the class out with --classes.',
      items: rare.map(([label, count]) => ({
        ids: [],
        detail: `${label}: ${count} of ${labelled}`,
        value: count,
      })),
    }),
    ...finding({
      code: 'unlabelled',
      severity: 'info',
      title: 'Samples without a label',
      explanation: 'Pretraining uses them; judging leaves them out.',
      fix: 'Nothing, if that is meant.',
      items:
        labelled === 0 || unlabelled === 0
          ? []
          : [{ ids: [], detail: `${unlabelled} of ${samples.length} samples`, value: unlabelled }],
    }),
  ];
}

function publication(dataset: Dataset): Finding[] {
  const { published } = dataset;
  if (published === undefined) return [];
  const found = classCounts(dataset);
  const differing = [...found].filter(
    ([label, count]) => published.counts[label] !== undefined && published.counts[label] !== count,
  );
  return finding({
    code: 'counts-differ',
    severity: 'warning',
    title: 'Not as many samples as published',
    explanation: `The publication of ${published.name} says otherwise, so files may be missing or double.`,
    fix: 'Compare with the original download.',
    items: differing.map(([label, count]) => ({
      ids: [],
      detail: `${label}: ${count} here, ${published.counts[label]} published`,
      value: count,
    })),
  });
}

function lonely(dataset: Dataset): Finding[] {
  const { samples } = dataset;
  const alone = samples.length > 1 && subjectCount(dataset) === samples.length;
  return finding({
    code: 'one-sample-a-subject',
    severity: 'info',
    title: 'Every sample is a subject of its own',
    explanation:
      'If patients do have several images here, folds cannot keep them together: only duplicates give them away.',
    fix: 'Name the patients, where they are known, in a manifest with a column "subject".',
    items: alone ? [{ ids: [], detail: `${samples.length} samples, ${samples.length} subjects` }] : [],
  });
}

/** Puts into a word what the comparison of mates with strangers says about the method's premise. */
export function premise({ low, nearer }: Suitability): 'holds' | 'weak' | 'absent' {
  if (low > 0.5 && nearer >= 0.65) return 'holds';
  return low <= 0.5 && nearer < 0.6 ? 'absent' : 'weak';
}

/** What the comparison of mates with strangers says of two modalities. */
export interface PairSuitability extends Suitability {
  readonly modalities: readonly [a: string, b: string];
  readonly premise: ReturnType<typeof premise>;
}

/** Tells of the pairs of modalities for which the method's premise does not hold. */
export function suitabilityFindings(suitability: readonly PairSuitability[]): Finding[] {
  const failing = suitability.filter((one) => one.premise !== 'holds');
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return finding({
    code: 'premise',
    severity: 'warning',
    title: failing.every((one) => one.premise === 'weak')
      ? 'Two modalities share little of their layout'
      : 'Two modalities share no layout that can be seen',
    explanation:
      'The method assumes that patches which are alike in one modality are alike in the other. In raw pixels an image is hardly nearer to its own mate by that than to those of other subjects.',
    fix: 'Check that the pairs are right and aligned. If they are, another method may suit these data better; compare them.',
    items: failing.map(({ modalities: [a, b], nearer, low, high, pairs, subjects }) => ({
      ids: [],
      detail: `${a} and ${b}: own mate nearer in ${percent(nearer)} of comparisons (${intervalName(tooFew({ subjects }))} ${percent(low)} to ${percent(high)}, ${pairs} pairs); 50 % is chance`,
      value: nearer,
    })),
  });
}
