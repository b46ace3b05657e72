/** Lets the explorer work in a thread of its own, so that the server answers others meanwhile. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import type { CaseMap, CaseQuestion, ExplorerRun, Similarity, SimilarityQuestion } from '../messages.js';
import type { NamedRun } from './explorer.js';

/** What can be asked of the explorer. */
export interface Questions {
  readonly samples: { ask: [NamedRun]; answer: ExplorerRun };
  readonly picture: { ask: [NamedRun, number, string]; answer: Uint8Array };
  readonly cases: { ask: [NamedRun, CaseQuestion]; answer: CaseMap };
  readonly similarity: { ask: [readonly NamedRun[], SimilarityQuestion]; answer: Similarity[] };
}

export interface Request<Name extends keyof Questions = keyof Questions> {
  readonly number: number;
  readonly name: Name;
  readonly ask: Questions[Name]['ask'];
}

/** A question that nobody waits for any more. */
export interface Withdrawal {
  readonly leaveOut: number;
}

/** `refused` is what is wrong with the question or the data, in words for the user. */
export type Reply =
  | { readonly number: number; readonly answer: unknown }
  | { readonly number: number; readonly refused: string }
  | { readonly number: number; readonly failed: string };

/** The file of the thread, which exists only in the built package. */
const FILE = new URL('./explorerWorker.js', import.meta.url);

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

interface Running {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
}

/** Starts the thread at the first question; LibTorch is loaded nowhere else in the server. */
export class ExplorerThread {
  readonly #file: URL;
  #running: Running | undefined;
  #asked = 0;

  /** @param file the built thread; tests name it, as they run from the sources */
  constructor(file = FILE) {
    this.#file = file;
  }

  /**
   * @param signal whoever asked is gone; a question whose turn has not come is then left out
   * @throws AnatomyError what is wrong with the question or the data
   */
  ask<Name extends keyof Questions>(
    name: Name,
    ask: Questions[Name]['ask'],
    signal?: AbortSignal,
  ): Promise<Questions[Name]['answer']> {
    const { worker, waiting } = this.#started();
    this.#asked += 1;
    const number = this.#asked;
    return new Promise((resolve, reject) => {
      waiting.set(number, { resolve, reject });
      worker.postMessage({ number, name, ask } satisfies Request<Name>);
      signal?.addEventListener('abort', () => {
        if (waiting.has(number)) worker.postMessage({ leaveOut: number } satisfies Withdrawal);
      });
    });
  }

  async close(): Promise<void> {
    await this.#running?.worker.terminate();
  }

  #started(): Running {
    if (this.#running !== undefined) return this.#running;
    if (!existsSync(fileURLToPath(this.#file))) {
      throw new AnatomyError('the explorer works in the built package only; run npm run build');
    }
    const worker = new Worker(this.#file);
    worker.unref();
    const waiting = new Map<number, Waiting>();
    const running = { worker, waiting };
    worker.on('message', (reply: Reply) => {
      const { resolve, reject } = waiting.get(reply.number)!;
      waiting.delete(reply.number);
      if ('answer' in reply) resolve(reply.answer as never);
      else reject('refused' in reply ? new AnatomyError(reply.refused) : new Error(reply.failed));
    });
    // A thread that dies, such as for memory, takes its questions with it; the next one starts another.
    const lost = (why: string) => {
      if (this.#running === running) this.#running = undefined;
      for (const { reject } of waiting.values()) reject(new AnatomyError(why));
      waiting.clear();
    };
    worker.on('error', (error) => lost(`the explorer stopped: ${error.message}`));
    worker.on('exit', () => lost('the explorer stopped'));
    this.#running = running;
    return running;
  }
}
