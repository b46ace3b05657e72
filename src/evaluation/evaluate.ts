/**
 * This room judges a run by labels: what a probe reads from its features, beside what it reads from the untrained
 * encoder and from thumbnails.
 */
import { judgeRows } from './judgeRows.js';
import { type EvaluateOptions, planEvaluation } from './planEvaluation.js';
import { type Question, questionOf } from './question.js';
import type { Evaluation } from './results/evaluationResult.js';
import { summarise } from './summarise.js';

/**
 * Judges a run by cross-validation over subjects and writes nothing; see `saveEvaluation`. The same options give the
 * same numbers, for the same LibTorch, threads and precision.
 *
 * @param refuse called before the judging, which may take hours, with the question; see `refuseOtherQuestion`
 * @throws UsageError when there is no run or the options do not fit it, DataError when the data cannot be judged on
 */
export async function evaluate(
  options: EvaluateOptions,
  refuse: (question: Question) => void = () => {},
): Promise<Evaluation> {
  const plan = await planEvaluation(options);
  refuse(questionOf(plan));
  return summarise(plan, await judgeRows(plan));
}
