import type { MessageConsole } from '../log/console.js';
import { Progress } from '../log/progress.js';
import { takeRows } from '../metrics/features.js';
import type { FoldPlan } from './outerFolds.js';
import type { Protocol } from './probe.js';
import { type PlannedProbe, runProbes } from './probePool.js';
import type { RowName } from './result.js';
import type { FeaturesOf } from './rowFeatures.js';
import type { Task } from './task.js';

export interface CrossValidation {
  readonly task: Task;
  readonly plan: FoldPlan;
  readonly protocol: Protocol;
  readonly seed: number;
  /** Of kNN. */
  readonly k: number;
  readonly temperature: number;
}

/** Fits every row's probe in every round. Predictions [task samples, classes], test samples filled in. */
export async function crossValidate(
  names: readonly RowName[],
  features: FeaturesOf,
  { task, plan, protocol, seed, k, temperature }: CrossValidation,
  console: MessageConsole,
) {
  const classes = task.classes.length;
  const planned = names.flatMap((name) => plan.rounds.map((round) => ({ name, round })));
  const probes = planned.map(({ name, round }): PlannedProbe => {
    const all = features(round, name);
    return {
      size: round.train.length * all.columns,
      make: () => ({
        kind: name.source === 'thumbnail' ? 'ridge' : protocol,
        train: takeRows(all, round.train),
        labels: Uint32Array.from(round.train, (i) => task.labels[i]!),
        inner: round.inner,
        test: takeRows(all, round.test),
        classes,
        seed,
        k,
        temperature,
      }),
    };
  });
  const progress = new Progress(probes.length, console, { title: 'probing' });
  let done = 0;
  const outcomes = await runProbes(probes, () => {
    done += 1;
    progress.update(done);
  }).finally(() => progress.stop());
  const predictions = new Map(names.map(({ key }) => [key, new Float64Array(task.ids.length * classes)]));
  const chosen = new Map<string, number[]>();
  const validation = new Map<string, number[]>();
  for (const [p, { name, round }] of planned.entries()) {
    const { probabilities, chosen: choice, validation: heldOut } = outcomes[p]!;
    for (const [row, i] of round.test.entries()) {
      predictions.get(name.key)!.set(probabilities.subarray(row * classes, (row + 1) * classes), i * classes);
    }
    if (choice !== undefined) chosen.set(name.key, [...(chosen.get(name.key) ?? []), choice]);
    if (heldOut !== undefined) validation.set(name.key, [...(validation.get(name.key) ?? []), heldOut]);
  }
  return { predictions, chosen, validation };
}
