import type { Dataset } from '../../data/sample.js';
import { methodNamed } from '../../methods/index.js';
import { backboneNamed } from '../../nn/index.js';
import { type JudgedRun, separateModalities } from '../encoders/runEncoders.js';
import type { FoldPlan } from '../folds/outerFolds.js';
import type { Task } from '../folds/task.js';
import type { EvaluationRow, Exposure } from '../results/evaluationResult.js';
import { modalitiesName } from '../results/names.js';
import type { Computed } from '../results/stored.js';
import { metricNames } from './rowMetrics.js';

export interface Noteworthy {
  readonly run: JudgedRun;
  readonly dataset: Dataset;
  readonly task: Task;
  readonly plan: FoldPlan;
  readonly rows: readonly Pick<Computed<EvaluationRow>, 'metrics' | 'modalities' | 'judgedOn'>[];
  readonly exposure: Exposure;
  readonly withoutPatients: string | undefined;
  /** The number of samples that repeat an image of another fold, to the pixel. */
  readonly repeated: number;
}

/** Lists what a reader must know to read the numbers rightly, one sentence each. */
export function notesOf({
  run,
  dataset,
  task,
  plan,
  rows,
  exposure,
  withoutPatients,
  repeated,
}: Noteworthy): string[] {
  const notes = [...unfinishedNotes(run, 'judged'), ...exposureNotes(run, exposure)];
  if (methodNamed(run.encoders[0]!.config.method.name)!.usesLabels) {
    const whose = exposure.kind === 'in-fold' ? 'the training folds' : 'its own data';
    notes.push(`The encoder was pretrained on the labels of ${whose}.`);
  }
  notes.push(...simulatedNotes(dataset));
  const { modalities } = dataset;
  for (const own of separateModalities(run.encoders[0]!)) {
    if (modalities.includes(own)) continue;
    notes.push(
      `The run’s encoder of ${own} has no images here: ${modalities.join(' and ')} went through that of its first modality.`,
    );
  }
  const { encoders } = run;
  if (encoders.length > 1 && (exposure.kind === 'transfer' || exposure.kind === 'unknown')) {
    const turns = plan.rounds.map(({ fold, encoder }) => `fold ${fold} by that of fold ${encoder.fold}`);
    notes.push(`The run has an encoder a fold, and they take turns here: ${turns.join(', ')}.`);
  }
  if (repeated > 0) {
    notes.push(
      `${repeated} ${repeated === 1 ? 'sample repeats' : 'samples repeat'} an image of another fold, to the pixel: the probes ` +
        'have seen test images. anatomy data split keeps duplicates together.',
    );
  }
  if (plan.rounds.length < plan.k) {
    const judged = plan.rounds.map(({ fold }) => fold).join(', ');
    notes.push(
      `Only fold ${judged} of ${plan.k} is judged: the others have no encoder that did not train on them.`,
    );
  }
  if (task.ids.length < dataset.samples.length) {
    const missing = dataset.samples.length - task.ids.length;
    notes.push(`${missing} of ${dataset.samples.length} samples have no label and are left out.`);
  }
  const auc = metricNames(task.classes.length)[0]!;
  // Rows that are judged on the same samples lack the same classes. The last of them stands for all: a thumbnail, which
  // cannot diverge.
  const bySamples = new Map(
    rows.map((row) => [row.judgedOn === undefined ? '' : modalitiesName(row.modalities), row]),
  );
  for (const [images, { metrics }] of bySamples) {
    const undefinedIn = plan.rounds.filter((_, f) => Number.isNaN(metrics[auc]!.folds[f]!));
    if (undefinedIn.length === 0) continue;
    const lacking =
      undefinedIn.length === 1
        ? `fold ${undefinedIn[0]!.fold}, which lacks`
        : `folds ${undefinedIn.map(({ fold }) => fold).join(', ')}, which lack`;
    const rest =
      undefinedIn.length === plan.rounds.length
        ? 'no fold is left for their mean'
        : 'their mean is over the other folds';
    const of = images === '' ? '' : ` of ${images}`;
    notes.push(`AUC and macro averages${of} are undefined in ${lacking} a class; ${rest}.`);
  }
  if (withoutPatients !== undefined) notes.push(`No values by patient: ${withoutPatients}.`);
  return notes;
}

/** Notes the rows that score all samples of a test fold alike, in every fold: their probe learned nothing. */
export function flatNotes(
  probabilities: Readonly<Record<string, ArrayLike<number>>>,
  folds: readonly number[],
): string[] {
  const first = new Map<number, number>();
  for (const [i, fold] of folds.entries()) if (!first.has(fold)) first.set(fold, i);
  return Object.entries(probabilities).flatMap(([key, values]) => {
    const columns = values.length / folds.length;
    const alike = Array.from(values).every(
      (value, at) =>
        value === values[first.get(folds[Math.floor(at / columns)]!)! * columns + (at % columns)],
    );
    return alike
      ? [`${key} scores all samples of a fold alike: nothing was learned, and an AUC of ½ is by ties.`]
      : [];
  });
}

/** Says which encoders are those of a checkpoint. @param how what was done with them: `judged`, `measured` */
export function unfinishedNotes({ encoders }: JudgedRun, how: string): string[] {
  return encoders.flatMap(({ fold, checkpoint }) => {
    if (checkpoint === undefined) return [];
    const which = fold === 'none' ? 'The run' : `The run of fold ${fold}`;
    return [`${which} is unfinished: ${how} as it was after step ${checkpoint.step}.`];
  });
}

/** Says which images no scanner made. */
export function simulatedNotes({ modalities, simulated = [] }: Dataset): string[] {
  if (simulated.length === 0) return [];
  const which =
    simulated.length === modalities.length
      ? 'All images are'
      : `The images of ${simulated.join(' and ')} are`;
  return [`${which} simulated: no scanner made them.`];
}

export function exposureNotes({ encoders }: JudgedRun, exposure: Exposure): string[] {
  const { namesakes = 0, testSamples } = exposure;
  const alike =
    namesakes === 0
      ? []
      : [
          `${namesakes} of the ${testSamples} samples ${namesakes === 1 ? 'has' : 'have'} the id and subject of a sample of the run’s own data, but other images. If they are the same ones saved anew, the encoder has seen them, and this is not to be called ${exposure.kind}.`,
        ];
  return [...kindNotes(encoders, exposure), ...alike];
}

function kindNotes(
  encoders: JudgedRun['encoders'],
  { kind, seenTestSamples, testSamples }: Exposure,
): string[] {
  const { model } = encoders[0]!.config;
  switch (kind) {
    case 'transductive':
      return [
        `Transductive: the encoder was pretrained, without labels, on ${seenTestSamples} of the ${testSamples} test samples.`,
      ];
    case 'unknown':
      return [
        'Whether the encoder was pretrained on these images is unknown: the data of the run is not where it was.',
      ];
    case 'untrained': {
      if (model.initFrom !== null)
        return ['Weights from elsewhere: what images they have seen is not known.'];
      if (!backboneNamed(model.backbone).batchNorm) return ['Not pretrained: random weights.'];
      const on =
        seenTestSamples === 0 ? 'the run’s images' : `${seenTestSamples} of the ${testSamples} test samples`;
      return [`Not pretrained: random weights, batch norm calibrated on ${on}, without labels.`];
    }
    default:
      return [];
  }
}
