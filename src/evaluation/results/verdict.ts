/** Sentences on the results: what is higher, lower, not shown to differ, or not tested. */

import { fixed, interval, probability, signed, signedInterval } from '../../text/numbers.js';
import { countsOfRow, type EvaluationResult, primaryRow } from './evaluationResult.js';
import { fewWarning, intervalName, tooFew } from './fewSubjects.js';
import { baselineMeaning, featuresName, judgedCounts, metricHeading, modalitiesMeaning } from './names.js';

/** A sentence whose middle part is shown in bold. */
export interface Verdict {
  readonly before: string;
  readonly strong: string;
  readonly after: string;
}

export interface TestedDifference {
  readonly low: number | null;
  readonly high: number | null;
  /** The p-value after Holm’s correction over all comparisons; undefined or null where there is none. */
  readonly holm?: number | null;
  /** What is too few for a test; undefined where there are enough subjects. */
  readonly few?: string;
  readonly percent?: number;
}

/**
 * Writes the interval and the p of a difference. The interval is of this comparison alone and p of all of them
 * together, so the interval may leave out 0 where p shows no difference; the words say that p decides.
 */
export function testWords({ low, high, holm, few, percent = 95 }: TestedDifference): string {
  const between = `${intervalName(few, percent)} ${signedInterval(low, high)}`;
  if (holm == null || few !== undefined) return between;
  return `${between} for this comparison alone; p\u00a0${probability(holm)} after Holm’s correction for all comparisons, which decides`;
}

/** Sentences on the primary row, by itself and against each baseline: it is higher, lower, or not shown to differ. */
export function verdicts(record: EvaluationResult): Verdict[] {
  const [metric = 'auc'] = record.metrics;
  const primary = primaryRow(record);
  const found = primary?.metrics[metric];
  if (primary === undefined || found === undefined) return [];
  const percent = Math.round(100 * record.bootstrap.confidence);
  const few = tooFew(countsOfRow(record, primary));
  const onFewer =
    primary.judgedOn === undefined
      ? ''
      : `; ${judgedCounts(primary, { subjects: record.data.subjects })} subjects`;
  const warning = few === undefined ? [] : [{ before: '', strong: fewWarning(few), after: '' }];
  const own = {
    before: `${metricHeading(metric)} of the run’s encoder (${featuresName(primary.features)}, ${modalitiesMeaning(primary.modalities, record.data.modalities)}${onFewer}): `,
    strong: fixed(found.pooled),
    after: `, ${intervalName(few, percent)} ${interval(found.low, found.high)}, ${record.exposure.kind}.`,
  };
  const against = record.differences
    .filter((one) => one.row === primary.key && one.metric === metric)
    .map(({ against: other, value, low, high, holm, minimumDetectable }) => {
      // Without predictions of others there is no p to correct.
      const counts =
        few === undefined &&
        (holm == null ? low !== null && high !== null && (low > 0 || high < 0) : holm < 0.05);
      const higher = counts && value !== null && value > 0;
      const lower = counts && value !== null && value < 0;
      const thumbnail = record.rows.some(({ key, source }) => key === other && source === 'thumbnail');
      return {
        before: 'It is ',
        strong:
          few !== undefined
            ? 'not tested against'
            : higher
              ? 'higher than'
              : lower
                ? 'lower than'
                : 'not shown to differ from',
        after:
          ` that of ${baselineMeaning[thumbnail ? 'thumbnail' : 'untrained']}: ` +
          `difference ${signed(value)}, ${testWords({ low, high, holm, few, percent })}` +
          (minimumDetectable === null
            ? '.'
            : `; differences below ${fixed(minimumDetectable)} would mostly be missed by a study of this size.`) +
          (thumbnail && few === undefined ? beyondThumbnail(higher, lower) : ''),
      };
    });
  return [...warning, own, ...against];
}

/** Writes the sentences as a list in Markdown below its heading; nothing where there are none. */
export function formatVerdicts(record: EvaluationResult): string {
  const lines = verdicts(record).map(({ before, strong, after }) => `- ${before}**${strong}**${after}\n`);
  return lines.length === 0 ? '' : `## In short\n\n${lines.join('')}\n`;
}

/**
 * Says what a comparison with the thumbnail means. An encoder that is higher has learned something useful for the
 * task.
 */
function beyondThumbnail(higher: boolean, lower: boolean): string {
  if (higher) return '';
  return lower
    ? ' For this task the thumbnail by itself serves better.'
    : ' That it has learned anything useful for this task is not shown.';
}
