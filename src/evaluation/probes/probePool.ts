import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type ProbeJob, type ProbeOutcome, runProbe } from './probe.js';

/** A probe that is put together only when its turn comes, so that not all training rows exist twice at once. */
export interface PlannedProbe {
  /** Rows times columns, which decides whether threads are worth starting. */
  readonly size: number;
  readonly make: () => ProbeJob;
}

/** The size of all probes together below which starting threads takes longer than it saves. */
const WORTH_THREADS = 5e6;

/**
 * The worker's file, which exists only in the built package. From TypeScript sources, as tests run them, probes stay in
 * this thread.
 */
const workerFile = new URL('./probeWorker.js', import.meta.url);

/**
 * Runs the probes on all cores. The outcomes come in the order of the plans and do not depend on the number of cores.
 */
export async function runProbes(
  plans: readonly PlannedProbe[],
  onDone: () => void = () => {},
): Promise<ProbeOutcome[]> {
  const threads = Math.min(availableParallelism(), plans.length);
  const work = plans.reduce((sum, { size }) => sum + size, 0);
  if (threads < 2 || work < WORTH_THREADS || !existsSync(fileURLToPath(workerFile))) {
    return plans.map(({ make }) => {
      const outcome = runProbe(make());
      onDone();
      return outcome;
    });
  }
  const outcomes = new Array<ProbeOutcome>(plans.length);
  // The largest probe goes first: a long one that starts last would keep all other threads waiting.
  const queue = plans.map((_, i) => i).sort((i, j) => plans[j]!.size - plans[i]!.size);
  const workers = Array.from({ length: threads }, () => new Worker(workerFile));
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

function ask(worker: Worker, job: ProbeJob): Promise<ProbeOutcome> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      worker.off('message', succeed).off('error', fail);
      finish();
    };
    const succeed = (outcome: ProbeOutcome) => settle(() => resolve(outcome));
    const fail = (error: Error) => settle(() => reject(error));
    worker.on('message', succeed).on('error', fail);
    worker.postMessage(job);
  });
}
