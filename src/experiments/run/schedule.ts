/** Runs tasks, several at a time, each as soon as the tasks that it needs are done. */
import { setTimeout as sleep } from 'node:timers/promises';

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
  /**
   * Does a task and resolves to true when it is done. Tasks that need one that is not done never begin. One that another
   * process is doing is `elsewhere`, and asked for again after a while.
   */
  readonly execute: (task: T) => Promise<boolean | 'elsewhere'>;
  /** How long a task that is elsewhere is left alone, in milliseconds. */
  readonly patience?: number;
  /** Once it is aborted no further task begins; those at work are waited for. */
  readonly signal: AbortSignal;
}

/**
 * Does the tasks in their order; a later task begins early when all earlier ones are waiting.
 * @returns the tasks that were not begun
 */
export async function schedule<T extends Task>(
  tasks: readonly T[],
  { jobs, done, execute, signal, patience = 2_000 }: ScheduleOptions<T>,
): Promise<T[]> {
  const finished = new Set(done);
  const waiting = [...tasks];
  const atWork = new Set<Promise<void>>();
  /** Those of the waiting tasks that another process was doing when they were last asked for. */
  const elsewhere = new Set<T>();
  const begin = (task: T) => {
    const work = execute(task).then((outcome) => {
      if (outcome === 'elsewhere') {
        waiting.push(task);
        elsewhere.add(task);
      } else if (outcome) finished.add(task.id);
      atWork.delete(work);
    });
    atWork.add(work);
  };
  for (;;) {
    while (!signal.aborted && atWork.size < jobs) {
      const ready = (task: T) => !elsewhere.has(task) && task.needs.every((id) => finished.has(id));
      const next = waiting.findIndex(ready);
      if (next === -1) break;
      begin(waiting.splice(next, 1)[0]!);
    }
    if (atWork.size === 0 && (elsewhere.size === 0 || signal.aborted)) return waiting;
    if (elsewhere.size === 0) await Promise.race(atWork);
    else {
      // A signal ends the wait too.
      await Promise.race([...atWork, sleep(patience, undefined, { signal }).catch(() => undefined)]);
      elsewhere.clear();
    }
  }
}
