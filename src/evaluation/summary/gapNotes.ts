/** Says what missing images mean for the rows of a table. */
import type { EvaluationResult, EvaluationRow } from '../results/evaluationResult.js';
import { countsOf, fewWarning, tooFew } from '../results/fewSubjects.js';
import { isAny, modalityKey } from '../results/modalitySets.js';
import { imagesName, modalitiesMeaning, modalitiesName } from '../results/names.js';
import type { Computed } from '../results/stored.js';

/**
 * Notes which rows are judged on fewer samples and how to compare them, and which sets of images too few samples have.
 */
export function gapNotes(
  { data, leftOut = [] }: Pick<EvaluationResult, 'data' | 'leftOut'>,
  rows: readonly Pick<Computed<EvaluationRow>, 'modalities' | 'judgedOn'>[],
): string[] {
  const sets = [...new Map(rows.map((row) => [modalityKey(row.modalities), row])).values()];
  const fewer = sets.flatMap(({ modalities, judgedOn }) =>
    judgedOn === undefined ? [] : [{ name: modalitiesName(modalities), judgedOn }],
  );
  const counts = fewer.map(({ name, judgedOn }) => `${name} on ${judgedOn.samples} (${judgedOn.subjects})`);
  return [
    ...(sets.some(({ modalities }) => isAny(modalities))
      ? [
          `any is ${modalitiesMeaning(['any'], data.modalities)}: the mean of the features of those images that a sample has.`,
        ]
      : []),
    ...(fewer.length === 0
      ? []
      : [
          `Images are missing, and each row is judged on the samples that have its images: of ${data.samples} samples (${data.subjects} subjects), ` +
            `${counts.join(', ')}. Rows of different images are of different patients, so compare rows of the same images only.`,
        ]),
    ...fewer.flatMap(({ name, judgedOn }) => {
      const few = tooFew(countsOf({ ...data, ...judgedOn }));
      return few === undefined || tooFew(countsOf(data)) !== undefined ? [] : [`${name}: ${fewWarning(few)}`];
    }),
    ...leftOut.map(({ images, reason }) => `${imagesName(images)} is not judged: ${reason}.`),
  ];
}
