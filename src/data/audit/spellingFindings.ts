import { visibleName } from '../../text/normalForm.js';
import { type Fold, type FoldOf, foldNames } from '../fold.js';
import type { Dataset } from '../sample.js';
import { type Finding, type FindingItem, finding } from './finding.js';

/**
 * Finds subjects and classes whose names differ in case, spaces, zeros or Unicode form alone. Joined subjects that stand
 * in several folds are an error, as the test may then be on a patient that was trained on. Whoever keeps the names apart
 * has said that they are different patients, so that is a note.
 */
export function spellingFindings(dataset: Dataset, foldOf: FoldOf): Finding[] {
  const { spelledSeveralWays, samples } = dataset;
  if (spelledSeveralWays === undefined) return [];
  const { subjects, classes, joined } = spelledSeveralWays;
  const positionsOf = new Map<string, number[]>();
  for (const [position, { subject }] of samples.entries()) {
    const positions = positionsOf.get(subject);
    if (positions === undefined) positionsOf.set(subject, [position]);
    else positions.push(position);
  }
  const patients = subjects.map((names) => {
    const positions = names.flatMap((name) => positionsOf.get(name) ?? []);
    const folds = new Set(positions.flatMap((position) => foldOf(position) ?? []));
    return { names, ids: positions.map((position) => samples[position]!.id), folds };
  });
  const torn = patients.filter(({ folds }) => joined && folds.size > 1);
  const advice = joined
    ? 'If they are different, keep them apart: --spellings keep.'
    : 'If they are one, join them: leave --spellings keep out.';
  return [
    ...finding({
      code: 'spellings-across-folds',
      severity: 'error',
      title: 'One name in several spellings, on both sides of a split',
      explanation: 'The test may be on patients that were trained on, which makes the judgement too good.',
      fix: `Make folds anew: anatomy data split --data DATA --out splits.json. ${advice}`,
      items: torn.map(({ names, ids, folds }) => subjectItem(names, ids, folds)),
    }),
    ...finding({
      code: 'spelled-several-ways',
      severity: joined ? 'warning' : 'info',
      title: `Names that differ in case, spaces, zeros or Unicode form alone, ${joined ? 'joined' : 'kept apart'}`,
      explanation: joined
        ? 'Each group counts as one subject or one class.'
        : 'Each spelling counts as a subject or a class of its own, also where they stand on both sides of a split.',
      fix: joined ? `Write each name in one way. ${advice}` : advice,
      items: [
        ...patients.map(({ names, ids, folds }) =>
          subjectItem(names, ids, !joined && folds.size > 1 ? folds : undefined),
        ),
        ...classes.map((names) => ({
          ids: [],
          detail: `class ${names.map(visibleName).join(' and ')}`,
          value: names.length,
        })),
      ],
    }),
  ];
}

function subjectItem(
  names: readonly string[],
  ids: readonly string[],
  folds?: ReadonlySet<Fold>,
): FindingItem {
  const where = folds === undefined ? '' : ` in folds ${foldNames(folds)}`;
  return {
    ids,
    detail: `a subject in ${names.length} spellings${where}`,
    place: `subject ${names.map(visibleName).join(' and ')}${where}`,
    value: folds?.size ?? names.length,
  };
}
