/**
 * The question that an evaluation answers: what is judged, on what, in which folds, by which settings. An answer to
 * another question never takes the place of a stored one in silence, although both may have one file name.
 */
import { createHash } from 'node:crypto';
import { hasImage } from '../data/presence.js';
import { published } from '../data/pseudonym.js';
import type { EvaluationPlan } from './planEvaluation.js';
import { type EvaluationResult, parseEvaluation, type RowName } from './results/evaluationResult.js';
import { subjectsPerClass } from './results/fewSubjects.js';
import { modalityKey } from './results/modalitySets.js';
import { dataFacts, differing, refuseWhere } from './results/otherQuestion.js';
import { evaluationPaths } from './saveEvaluation.js';

/** The parts of a result that are known before the work. */
export interface Question
  extends Pick<
    EvaluationResult,
    'protocol' | 'preset' | 'asked' | 'data' | 'folds' | 'setAside' | 'exposure' | 'bootstrap'
  > {
  readonly labels: Pick<EvaluationResult['labels'], 'fraction'>;
  readonly run: Pick<EvaluationResult['run'], 'precision'>;
  readonly rows: readonly RowName[];
  readonly leftOut?: EvaluationResult['leftOut'];
}

export function questionOf(plan: EvaluationPlan): Question {
  const { dataset, task, cache, folds, probe, forwarding, chosenLabel, chosenPositive } = plan;
  const tested = folds.rounds.flatMap(({ test }) => test).sort((a, b) => a - b);
  const labels = tested.map((i) => task.labels[i]!);
  const subjects = tested.map((i) => task.subjects[i]!);
  const foldOf = new Map(folds.rounds.flatMap(({ fold, test }) => test.map((i) => [i, fold] as const)));
  return {
    protocol: plan.protocol.name,
    preset: probe.preset,
    asked: plan.asked,
    data: {
      name: dataset.name,
      dataHash: published(cache.dataHash),
      samples: tested.length,
      subjects: new Set(subjects).size,
      modalities: dataset.modalities,
      classes: task.classes,
      samplesPerClass: task.classes.map((_, c) => labels.filter((label) => label === c).length),
      subjectsPerClass: subjectsPerClass(subjects, labels, task.classes.length),
      label: chosenLabel,
      positive: chosenPositive,
      images: plan.gaps ? imagesOf(plan, tested) : undefined,
    },
    folds: {
      source: folds.source,
      k: folds.k,
      judged: folds.rounds.map(({ fold }) => fold),
      inner: folds.inner,
      seed: plan.seed,
      digest: createHash('sha256')
        .update(JSON.stringify(tested.map((i) => foldOf.get(i))))
        .digest('hex')
        .slice(0, 16),
    },
    setAside: plan.setAside,
    exposure: plan.exposure,
    bootstrap: plan.bootstrap,
    labels: { fraction: plan.labelFraction },
    run: { precision: forwarding.precision },
    rows: plan.rows,
    leftOut:
      plan.sets.leftOut.length === 0
        ? undefined
        : plan.sets.leftOut.map(({ modalities, reason }) => ({ images: modalityKey(modalities), reason })),
  };
}

/** Counts the tested samples that have an image of each modality. */
function imagesOf({ dataset, task }: EvaluationPlan, tested: readonly number[]): Record<string, number> {
  const has = (modality: string) => (i: number) => hasImage(dataset.samples[task.positions[i]!]!, modality);
  return Object.fromEntries(
    dataset.modalities.map((modality) => [modality, tested.filter(has(modality)).length]),
  );
}

/**
 * Refuses to judge where the result would take the place of an answer to another question.
 *
 * @param folder where the result will be stored
 * @throws UsageError naming the file and what differs
 */
export function refuseOtherQuestion(folder: string, question: Question): void {
  const { json } = evaluationPaths(folder, question);
  refuseWhere(json, parseEvaluation, (stored) => {
    const facts = (one: EvaluationResult | Question) => ({
      ...dataFacts(one.data, one.bootstrap),
      classes: one.data.classes.join(', '),
      folds: `${one.folds.k} ${one.folds.source}`,
      'judged folds': one.folds.judged.join(', '),
      'division into folds': one.folds.digest,
      seed: one.folds.seed,
      precision: one.run.precision,
      rows: one.rows.map(({ key }) => key).join(', '),
    });
    return [...differing(facts(stored), facts(question)), ...otherSettings(stored, question.asked ?? {})];
  });
}

/** Compares the settings of the protocol. Results of older versions hold most of them under the same names. */
function otherSettings(stored: EvaluationResult, asked: Readonly<Record<string, unknown>>): string[] {
  if (stored.asked === undefined) return differing(stored.settings, asked);
  const names = Object.keys({ ...stored.asked, ...asked });
  const all = (some: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(names.map((name) => [name, some[name] ?? 'not given']));
  return differing(all(stored.asked), all(asked));
}
