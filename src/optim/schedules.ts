/** Learning-rate schedules, as pure functions of the step. */

export type Schedule =
  | { readonly kind: 'constant' }
  /** Multiplies the rate by gamma at every milestone. Milestones are counted in epochs or in steps. */
  | {
      readonly kind: 'multistep';
      readonly milestones: readonly number[];
      readonly gamma: number;
      readonly unit: 'epoch' | 'step';
    }
  /** Follows half a cosine from the base rate to `minimum` (Loshchilov & Hutter 2017, without restarts). */
  | { readonly kind: 'cosine'; readonly minimum: number };

export interface ScheduleContext {
  /** The learning rate before any schedule. */
  readonly base: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** The number of steps over which the rate first rises linearly, from base / warmupSteps. */
  readonly warmupSteps?: number;
  /**
   * The steps at which the schedule begins anew, ascending: from there on it is that of a run as long as the way to the
   * next restart or to the end, without warm-up (Loshchilov & Hutter 2017).
   */
  readonly restarts?: readonly number[];
}

/** Computes the learning rate of step `step`, counted from 0. */
export function learningRateAt(
  step: number,
  schedule: Schedule,
  { base, totalSteps, stepsPerEpoch, warmupSteps = 0, restarts = [] }: ScheduleContext,
): number {
  const [next] = restarts;
  if (next !== undefined) {
    const length = Math.min(next, totalSteps);
    if (step < length) {
      return learningRateAt(step, schedule, { base, totalSteps: length, stepsPerEpoch, warmupSteps });
    }
    const rest = restarts.slice(1).map((restart) => restart - next);
    const after = { base, totalSteps: totalSteps - next, stepsPerEpoch, restarts: rest };
    return learningRateAt(step - next, schedule, after);
  }
  if (step < warmupSteps) return (base * (step + 1)) / warmupSteps;
  switch (schedule.kind) {
    case 'constant':
      return base;
    case 'multistep': {
      const time = schedule.unit === 'epoch' ? Math.floor(step / stepsPerEpoch) : step;
      const passed = schedule.milestones.filter((milestone) => milestone <= time).length;
      return base * schedule.gamma ** passed;
    }
    case 'cosine': {
      const done = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
      return schedule.minimum + (base - schedule.minimum) * 0.5 * (1 + Math.cos(Math.PI * done));
    }
  }
}
