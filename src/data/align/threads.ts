/** Threads that register pairs, several at once. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parentPort, Worker } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import type { Raster } from '../sample.js';
import type { PairAlignment } from './alignPair.js';

/** What registers pairs, several at once where there are threads. */
export interface Registrars {
  /** The number of pairs that are registered at once. */
  readonly count: number;
  /** @param modalities those of `a` and `b` */
  readonly align: (a: Raster, b: Raster, modalities: readonly [string, string]) => Promise<PairAlignment>;
  readonly close: () => Promise<void>;
}

export interface ThreadPlan {
  /**
   * The file of a thread that calls {@link answerPairs}. It exists only in the built package: from TypeScript sources, as
   * tests run them, there are no threads.
   */
  readonly worker: URL;
  /** What the thread is told at its start, and further variables of its environment. */
  readonly workerData: unknown;
  readonly env?: Readonly<Record<string, string>>;
  /** The largest number of threads. Each is started when a pair comes that all others are too busy for. */
  readonly count?: number;
}

/** @returns undefined where the file of the thread is not there */
export function openThreads(plan: ThreadPlan): Registrars | undefined {
  if (!existsSync(fileURLToPath(plan.worker))) return undefined;
  const count = plan.count ?? availableParallelism();
  const threads: Thread[] = [];
  let closed = false;
  return {
    count,
    align: (...pair) => {
      if (closed) return Promise.reject(new Error(ENDED));
      if (threads.length < count && threads.every(({ waiting }) => waiting > 0))
        threads.push(new Thread(plan));
      return threads.reduce((least, one) => (one.waiting < least.waiting ? one : least)).align(...pair);
    },
    close: async () => {
      closed = true;
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

const ENDED = 'the thread that registers ended';

interface Request {
  readonly ticket: number;
  readonly pair: Parameters<Registrars['align']>;
}

/** What a thread of {@link openThreads} does: it registers the pairs it is sent. */
export function answerPairs(align: Registrars['align']): void {
  parentPort?.on('message', async ({ ticket, pair }: Request) => {
    try {
      parentPort?.postMessage({ ticket, aligned: await align(...pair) });
    } catch (error) {
      parentPort?.postMessage({ ticket, message: (error as Error).message });
    }
  });
}

type Answer =
  | { readonly ticket: number; readonly aligned: PairAlignment }
  | { readonly ticket: number; readonly message: string };

interface Waiting {
  readonly resolve: (aligned: PairAlignment) => void;
  readonly reject: (error: Error) => void;
}

class Thread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Waiting>();
  #tickets = 0;
  #ended: Error | undefined;

  constructor({ worker, workerData, env }: ThreadPlan) {
    this.#worker = new Worker(worker, {
      workerData,
      env: { ...process.env, ...env },
      execArgv: [],
      // ITK writes of its troubles there, where the results of commands go.
      stdout: true,
    });
    this.#worker.on('message', (answer: Answer) => {
      const waiting = this.#asked.get(answer.ticket)!;
      this.#asked.delete(answer.ticket);
      if ('aligned' in answer) waiting.resolve(answer.aligned);
      else waiting.reject(new AnatomyError(`A pair cannot be registered: ${answer.message}`));
    });
    const end = (error?: Error) => {
      const reason = error ?? new Error(ENDED);
      this.#ended = reason;
      for (const { reject } of this.#asked.values()) reject(reason);
      this.#asked.clear();
    };
    this.#worker.on('error', end);
    this.#worker.on('exit', () => end());
  }

  get waiting(): number {
    return this.#asked.size;
  }

  align(...pair: Request['pair']): Promise<PairAlignment> {
    // Whoever asks a thread that has ended would wait for ever.
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const ticket = this.#tickets++;
    return new Promise((resolve, reject) => {
      this.#asked.set(ticket, { resolve, reject });
      this.#worker.postMessage({ ticket, pair } satisfies Request);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
