import type { DuplicateGroup } from '../audit/measures/duplicates.js';
import type { Sample } from '../sample.js';

/**
 * Finds the subjects that must share a fold because duplicates join them, directly or through others.
 *
 * @returns for each joined subject the first subject, in the order of the samples, of those it is joined with
 */
export function tiedSubjects(
  samples: readonly Pick<Sample, 'subject'>[],
  duplicates: readonly Pick<DuplicateGroup, 'members'>[],
): ReadonlyMap<string, string> {
  // Union-find: each subject points to one that it was joined with, and the last of such a chain points to itself.
  const joined = new Map(samples.map(({ subject }) => [subject, subject]));
  const headOf = (subject: string): string => {
    let head = subject;
    while (joined.get(head) !== head) head = joined.get(head)!;
    joined.set(subject, head);
    return head;
  };
  for (const { members } of duplicates) {
    for (const member of members)
      joined.set(headOf(samples[member]!.subject), headOf(samples[members[0]!]!.subject));
  }
  const first = new Map<string, string>();
  const sizes = new Map<string, number>();
  for (const subject of joined.keys()) {
    const head = headOf(subject);
    if (!first.has(head)) first.set(head, subject);
    sizes.set(head, (sizes.get(head) ?? 0) + 1);
  }
  const tied = [...joined.keys()].filter((subject) => sizes.get(headOf(subject))! > 1);
  return new Map(tied.map((subject) => [subject, first.get(headOf(subject))!]));
}
