/** Tasks that wait for others, so many at once. */

export interface Task {
  readonly id: string;
  readonly needs: readonly string[];
}

export interface ScheduleOptions<T extends Task> {
  /** Tasks at once. */
  readonly jobs: number;
  /** Ids that are done already. */
  readonly done: ReadonlySet<string>;
  /** Does a task. True when it is done; those that need one that is not are never begun. */
  readonly execute: (task: T) => Promise<boolean>;
  /** Begins no more tasks once aborted; those at work are waited for. */
  readonly signal: AbortSignal;
}

/**
 * Does the tasks in their order, later ones as soon as earlier ones only wait.
 * @returns the tasks that were not begun
 */
export async function schedule<T extends Task>(
  tasks: readonly T[],
  { jobs, done, execute, signal }: ScheduleOptions<T>,
): Promise<T[]> {
  const finished = new Set(done);
  const waiting = [...tasks];
  const atWork = new Set<Promise<void>>();
  const begin = (task: T) => {
    const work = execute(task).then((succeeded) => {
      if (succeeded) finished.add(task.id);
      atWork.delete(work);
    });
    atWork.add(work);
  };
  for (;;) {
    while (!signal.aborted && atWork.size < jobs) {
      const next = waiting.findIndex(({ needs }) => needs.every((id) => finished.has(id)));
      if (next === -1) break;
      begin(waiting.splice(next, 1)[0]!);
    }
    if (atWork.size === 0) return waiting;
    await Promise.race(atWork);
  }
}
