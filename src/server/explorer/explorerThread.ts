/** Lets the explorer work in a thread of its own, so that the server answers others meanwhile. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import type { ExplorerRun, Similarity, SimilarityQuestion } from '../messages.js';
import type { NamedRun } from './explorer.js';

/** What can be asked of the explorer. */
export interface Questions {
  readonly samples: { ask: [NamedRun]; answer: ExplorerRun };
  readonly picture: { ask: [NamedRun, number, string]; answer: Uint8Array };
  readonly similarity: { ask: [readonly NamedRun[], SimilarityQuestion]; answer: Similarity[] };
}

export interface Request<Name extends keyof Questions = keyof Questions> {
  readonly number: number;
  readonly name: Name;
  readonly ask: Questions[Name]['ask'];
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

/** Starts the thread at the first question; LibTorch is loaded nowhere else in the server. */
export class ExplorerThread {
  readonly #file: URL;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #asked = 0;

  /** @param file the built thread; tests name it, as they run from the sources */
  constructor(file = FILE) {
    this.#file = file;
  }

  /**
   * @throws AnatomyError what is wrong with the question or the data
   */
  ask<Name extends keyof Questions>(
    name: Name,
    ...ask: Questions[Name]['ask']
  ): Promise<Questions[Name]['answer']> {
    const worker = this.#started();
    this.#asked += 1;
    const number = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      worker.postMessage({ number, name, ask } satisfies Request<Name>);
    });
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    if (!existsSync(fileURLToPath(this.#file))) {
      throw new AnatomyError('the explorer works in the built package only; run npm run build');
    }
    const worker = new Worker(this.#file);
    worker.unref();
    worker.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.number);
      this.#waiting.delete(reply.number);
      if ('answer' in reply) waiting?.resolve(reply.answer as never);
      else waiting?.reject('refused' in reply ? new AnatomyError(reply.refused) : new Error(reply.failed));
    });
    // A thread that dies, such as for memory, takes the questions with it; the next one starts another.
    const lost = (why: string) => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(new AnatomyError(why));
      this.#waiting.clear();
    };
    worker.on('error', (error) => lost(`the explorer stopped: ${error.message}`));
    worker.on('exit', () => lost('the explorer stopped'));
    this.#worker = worker;
    return worker;
  }
}
