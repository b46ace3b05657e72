/** Runs tasks, several at a time, each as soon as the tasks that it needs are done. */

export interface Task {
  readonly id: string;
  /** The ids of the tasks that must be done first. */
  readonly needs: readonly string[];
}

export interface ScheduleOptions<T extends Task> {
  /** The number of tasks that run at the same time. */
  readonly jobs: number;
  /** The ids of the tasks that are done already. */
  readonly done: ReadonlySet<string>;
  /** Does a task and resolves to true when it is done. Tasks that need one that is not done never begin. */
  readonly execute: (task: T) => Promise<boolean>;
  /** Once it is aborted no further task begins; those at work are waited for. */
  readonly signal: AbortSignal;
}

/**
 * Does the tasks in their order; a later task begins early when all earlier ones are waiting.
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
