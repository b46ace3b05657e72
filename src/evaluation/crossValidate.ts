import type { MessageConsole } from '../log/console.js';
import { Progress } from '../log/progress.js';
import { takeRows } from '../metrics/features/features.js';
import type { FeaturesOf } from './features/rowFeatures.js';
import type { FoldPlan } from './folds/outerFolds.js';
import type { Task } from './folds/task.js';
import type { ProbeJob, RowOutcome } from './probes/probe.js';
import { type PlannedProbe, runProbes } from './probes/probePool.js';
import type { RowName } from './results/evaluationResult.js';
import { type TrainedProbe, weightsOf } from './trained/trainedProbe.js';

export interface CrossValidation {
  readonly task: Task;
  readonly plan: FoldPlan;
  /** Of the rows that are not thumbnails. */
  readonly kind: ProbeJob['kind'];
  readonly seed: number;
  /** Of kNN. */
  readonly k: number;
  readonly temperature: number;
  /** Of hu-linear. */
  readonly trained?: TrainedProbe;
}

/** Fits every row's probe on its frozen features in every round. @returns outcomes by row key */
export async function crossValidate(
  names: readonly RowName[],
  features: FeaturesOf,
  { task, plan, kind, seed, k, temperature, trained }: CrossValidation,
  console: MessageConsole,
): Promise<Map<string, RowOutcome>> {
  const classes = task.classes.length;
  const planned = names.flatMap((name) => plan.rounds.map((round) => ({ name, round })));
  const probes = planned.map(({ name, round }): PlannedProbe => {
    const all = features(round, name);
    return {
      size: round.train.length * all.columns,
      make: () => {
        const labels = Uint32Array.from(round.train, (i) => task.labels[i]!);
        return {
          kind: name.source === 'thumbnail' ? 'ridge' : kind,
          train: takeRows(all, round.train),
          labels,
          inner: round.inner,
          test: takeRows(all, round.test),
          classes,
          seed,
          k,
          temperature,
          linear: trained && linearOptions(trained, labels, classes),
        };
      },
    };
  });
  const progress = new Progress(probes.length, console, { title: 'probing' });
  let done = 0;
  const outcomes = await runProbes(probes, () => {
    done += 1;
    progress.update(done);
  }).finally(() => progress.stop());
  return new Map(
    names.map((name, row) => {
      const own = outcomes.slice(row * plan.rounds.length, (row + 1) * plan.rounds.length);
      const chosen = own.flatMap((outcome) => outcome.chosen ?? []);
      const validation = own.flatMap((outcome) => outcome.validation ?? []);
      const byEpoch = own.flatMap((outcome) => (outcome.byEpoch === undefined ? [] : [outcome.byEpoch]));
      return [
        name.key,
        {
          columns: features(plan.rounds[0]!, name).columns,
          probabilities: own.map((outcome) => outcome.probabilities),
          chosen: chosen.length > 0 ? chosen : undefined,
          validation: validation.length > 0 ? validation : undefined,
          byEpoch: byEpoch.length > 0 ? byEpoch : undefined,
        },
      ];
    }),
  );
}

function linearOptions({ preset, classWeights }: TrainedProbe, labels: Uint32Array, classes: number) {
  const { epochs, batchSize, learningRate, schedule } = preset;
  return {
    epochs,
    batchSize,
    learningRate,
    milestones: schedule.kind === 'multistep' ? schedule.milestones : [],
    classWeights: weightsOf(classWeights, labels, classes),
  };
}
