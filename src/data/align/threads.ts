/** Threads that register pairs, as many as the machine has cores. */
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

/**
 * Starts the threads.
 *
 * @param worker the file of a thread that calls {@link answerPairs}. It exists only in the built package: from TypeScript
 *   sources, as tests run them, there are no threads, and undefined is returned
 * @param workerData what the thread is told at its start
 */
export function openThreads(worker: URL, workerData: unknown): Registrars | undefined {
  if (!existsSync(fileURLToPath(worker))) return undefined;
  const threads = Array.from({ length: availableParallelism() }, () => new Thread(worker, workerData));
  return {
    count: threads.length,
    align: (...pair) =>
      threads.reduce((least, one) => (one.waiting < least.waiting ? one : least)).align(...pair),
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

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

  constructor(file: URL, workerData: unknown) {
    this.#worker = new Worker(file, {
      workerData,
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
      const reason = error ?? new Error('the thread that registers ended');
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
