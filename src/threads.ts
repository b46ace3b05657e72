import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parentPort, Worker } from 'node:worker_threads';

/** A job that is put together only when its turn comes, so that not all of its data exist twice at once. */
export interface PlannedJob<Job> {
  /** About the nanoseconds that it takes, which decide whether threads are worth starting and which job goes first. */
  readonly cost: number;
  readonly make: () => Job;
}

/** The cost of all jobs together below which starting threads takes longer than it saves. */
const WORTH_THREADS = 2e9;

export interface ThreadedWork<Job, Outcome> {
  /**
   * The file of a thread that answers each job, see {@link answerJobs}. It exists only in the built package: from
   * TypeScript sources, as tests run them, jobs stay in this thread.
   */
  readonly worker: URL;
  readonly run: (job: Job) => Outcome;
  readonly onDone?: () => void;
}

/**
 * Runs jobs that know nothing of each other on all cores. Outcomes come in the order of the plans and do not depend on
 * the number of cores.
 */
export async function inThreads<Job, Outcome>(
  plans: readonly PlannedJob<Job>[],
  { worker: file, run, onDone = () => {} }: ThreadedWork<Job, Outcome>,
): Promise<Outcome[]> {
  const threads = Math.min(availableParallelism(), plans.length);
  const work = plans.reduce((sum, { cost }) => sum + cost, 0);
  if (threads < 2 || work < WORTH_THREADS || !existsSync(fileURLToPath(file))) {
    return plans.map(({ make }) => {
      const outcome = run(make());
      onDone();
      return outcome;
    });
  }
  const outcomes = new Array<Outcome>(plans.length);
  // The largest job goes first: a long one that starts last would keep all other threads waiting.
  const queue = plans.map((_, i) => i).sort((i, j) => plans[j]!.cost - plans[i]!.cost);
  const workers = Array.from({ length: threads }, () => new Worker(file));
  try {
    await Promise.all(
      workers.map(async (worker) => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          outcomes[next] = await ask(worker, plans[next]!.make());
          onDone();
        }
      }),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return outcomes;
}

function ask<Job, Outcome>(worker: Worker, job: Job): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      worker.off('message', succeed).off('error', fail);
      finish();
    };
    const succeed = (outcome: Outcome) => settle(() => resolve(outcome));
    const fail = (error: Error) => settle(() => reject(error));
    worker.on('message', succeed).on('error', fail);
    worker.postMessage(job);
  });
}

/** What a thread of {@link inThreads} does: it runs one job after the other. */
export function answerJobs<Job, Outcome>(run: (job: Job) => Outcome): void {
  parentPort?.on('message', (job: Job) => parentPort?.postMessage(run(job)));
}
