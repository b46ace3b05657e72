import { type FoldOf, foldNames } from '../fold.js';
import { hasImage } from '../presence.js';
import type { Dataset } from '../sample.js';
import { type Finding, type FindingItem, finding } from './finding.js';
import type { DuplicateGroup } from './measures/duplicates.js';
import type { Scan } from './scan.js';

interface Copies {
  readonly kind: DuplicateGroup['kind'];
  readonly members: readonly number[];
  readonly modalities: readonly string[];
}

/**
 * Sorts duplicates by the harm they do. Copies within a subject are to be expected; copies under two labels cannot
 * both be right.
 */
export function duplicateFindings(
  { samples, modalities }: Pick<Dataset, 'samples' | 'modalities'>,
  groups: readonly DuplicateGroup[],
  foldOf: FoldOf,
): Finding[] {
  const several = (members: readonly number[], of: (position: number) => unknown) =>
    new Set(members.map(of).filter((value) => value !== undefined)).size > 1;
  const acrossSubjects = ({ members }: Copies) => several(members, (position) => samples[position]!.subject);
  const acrossClasses = ({ members }: Copies) => several(members, (position) => samples[position]!.label);
  const acrossFolds = ({ members }: Copies) => several(members, foldOf);
  const item = ({ members, modalities: shared, kind }: Copies): FindingItem => {
    const labels = [...new Set(members.flatMap((position) => samples[position]!.label ?? []))];
    const folds = new Set(members.flatMap((position) => foldOf(position) ?? []));
    // Images that are missing do not differ.
    const differing = modalities.some((modality) => {
      if (shared.includes(modality)) return false;
      return members.filter((position) => hasImage(samples[position]!, modality)).length > 1;
    });
    const lone = kind === 'exact' && differing;
    // The first is the one to keep, so it is the one with most images.
    const imagesOf = (position: number) => Object.keys(samples[position]!.images).length;
    const ordered = [...members].sort((one, other) => imagesOf(other) - imagesOf(one));
    return {
      ids: ordered.map((position) => samples[position]!.id),
      modality: shared.join(', '),
      detail: [
        `${members.length} samples`,
        ...(labels.length > 1 ? [`classes ${labels.join(', ')}`] : []),
        ...(folds.size > 1 ? [`folds ${foldNames(folds)}`] : []),
        ...(lone ? ['their other images differ, so at most one has its right mate'] : []),
      ].join('; '),
      value: members.length,
    };
  };
  const all = merged(groups);
  const exact = all.filter(({ kind }) => kind === 'exact');
  const near = all.filter(({ kind }) => kind === 'near');
  const contradicting = near.filter((copies) => acrossClasses(copies) && acrossSubjects(copies));
  return [
    ...finding({
      code: 'exact-duplicates-across-classes',
      severity: 'error',
      title: 'The same image under different classes',
      explanation: 'Equal to the pixel, so at most one of the labels can be right.',
      fix: 'Ask which label is right; until then leave all of them out.',
      items: exact.filter(acrossClasses).map(item),
    }),
    ...finding({
      code: 'near-duplicates-across-classes',
      severity: 'error',
      title: 'Nearly the same image under different classes',
      explanation:
        'The same picture, cropped, annotated or saved again, counts for one class here and for another there.',
      fix: 'Look at them and ask which label is right; until then leave all of them out.',
      items: contradicting.map(item),
    }),
    ...finding({
      code: 'duplicates-across-folds',
      severity: 'error',
      title: 'Duplicates on both sides of a split',
      explanation: 'A test image that is also trained on makes the judgement too good.',
      fix: 'Put duplicates into one fold: anatomy data split makes such folds anew.',
      items: all.filter(acrossFolds).map(item),
    }),
    ...finding({
      code: 'exact-duplicates',
      severity: 'warning',
      title: 'The same image more than once',
      explanation: 'Copies count double in training, and across a split they leak.',
      fix: 'Keep one of each, or keep all of them in one fold.',
      items: exact.filter((copies) => !acrossClasses(copies)).map(item),
    }),
    ...finding({
      code: 'near-duplicates-across-subjects',
      severity: 'warning',
      title: 'Nearly the same image in different subjects',
      explanation:
        'Probably one patient under several names: folds by subject would have the same picture on both sides.',
      fix: 'Give them one subject, or keep them in one fold.',
      items: near.filter((copies) => acrossSubjects(copies) && !acrossClasses(copies)).map(item),
    }),
    ...finding({
      code: 'near-duplicates-within-subject',
      severity: 'info',
      title: 'Nearly the same image more than once in a subject',
      explanation:
        'Neighbouring slices or frames, as is to be expected; folds by subject keep them together.',
      fix: 'Nothing. Within a batch such pairs are false negatives, which the method can leave out by subject.',
      items: near.filter((copies) => !acrossSubjects(copies)).map(item),
    }),
  ];
}

/** One image under several modalities: the indices of those that it stands under, for each sample that has it. */
export type CrossModalCopy = ReadonlyMap<number, readonly number[]>;

/** Finds images that stand under one modality in a sample and under another modality in another sample. */
export function findCrossModalCopies({ dataset: { samples }, images }: Scan): CrossModalCopy[] {
  const places = new Map<string, Map<number, number[]>>();
  for (const [modality, { prints }] of images.entries()) {
    for (const position of samples.keys()) {
      if (!prints.has(position)) continue;
      const digest = prints.digest(position);
      const under = places.get(digest) ?? new Map<number, number[]>();
      places.set(digest, under.set(position, [...(under.get(position) ?? []), modality]));
    }
  }
  // A sample that has the image under both is told as one whose modalities are the same image.
  return [...places.values()].filter((under) => {
    const sets = [...under.values()];
    return sets.some((one) => !sets.every((other) => includes(one, other) || includes(other, one)));
  });
}

export function crossModalFindings(
  { samples, modalities }: Pick<Dataset, 'samples' | 'modalities'>,
  copies: readonly CrossModalCopy[],
): Finding[] {
  return finding({
    code: 'copies-across-modalities',
    severity: 'error',
    title: 'The same image under different modalities of different samples',
    explanation: 'Equal to the pixel, so at most one of these places can be right.',
    fix: 'Find the right image for each; until then leave all of them out.',
    items: copies.map((under) => {
      const places = [...under].sort(([one], [other]) => one - other);
      const names = places.map(([, own]) => own.map((i) => modalities[i]).join(' and '));
      return {
        ids: places.map(([position]) => samples[position]!.id),
        detail: `stands as ${names.join(', ')}`,
        value: under.size,
      };
    }),
  });
}

function includes(all: readonly number[], some: readonly number[]): boolean {
  return some.every((one) => all.includes(one));
}

/** Makes one group of groups that hold the same samples in several modalities. */
function merged(groups: readonly DuplicateGroup[]): Copies[] {
  const copies = new Map<
    string,
    { kind: DuplicateGroup['kind']; members: readonly number[]; modalities: string[] }
  >();
  for (const { kind, members, modality } of groups) {
    const key = `${kind} ${members.join(' ')}`;
    const known = copies.get(key);
    if (known === undefined) copies.set(key, { kind, members, modalities: [modality] });
    else known.modalities.push(modality);
  }
  return [...copies.values()];
}
