/** Lets the explorer work in a thread of its own, so that the server answers others meanwhile. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import type {
  CaseMap,
  CaseQuestion,
  CaseVolumes,
  DataAudit,
  ExplorerRun,
  NearestCases,
  NearestQuestion,
  Outline,
  RunDifference,
  Similarity,
  SimilarityQuestion,
} from '../messages.js';
import type { OnProgress } from './dataAudit.js';
import type { DataOwner, ExplorerOptions } from './explorer.js';
import type { NamedRun } from './openRun.js';
import type { VolumePlace } from './volumeFile.js';

/** What can be asked of the explorer. */
export interface Questions {
  readonly samples: { ask: [NamedRun]; answer: ExplorerRun };
  readonly picture: { ask: [NamedRun, number, string]; answer: Uint8Array };
  readonly audit: { ask: [DataOwner]; answer: DataAudit };
  readonly thumbnail: { ask: [DataOwner, number, string]; answer: Uint8Array };
  readonly outline: { ask: [NamedRun, number]; answer: Outline };
  readonly volumes: { ask: [NamedRun, number]; answer: CaseVolumes };
  readonly volumePlace: { ask: [NamedRun, number, string]; answer: VolumePlace };
  readonly nearest: { ask: [NamedRun, NearestQuestion]; answer: NearestCases[] };
  readonly differences: { ask: [readonly NamedRun[]]; answer: RunDifference[] };
  readonly cases: { ask: [NamedRun, CaseQuestion]; answer: CaseMap };
  readonly similarity: { ask: [readonly NamedRun[], SimilarityQuestion]; answer: Similarity[] };
}

export interface Request<Name extends keyof Questions = keyof Questions> {
  readonly name: Name;
  readonly ask: Questions[Name]['ask'];
}

/**
 * `refused` is what is wrong with the question or the data, in words for the user. `progress` comes before the answer,
 * from those that take long.
 */
export type Reply =
  | { readonly progress: Parameters<OnProgress> }
  | { readonly answer: unknown }
  | { readonly refused: string }
  | { readonly failed: string };

/** The file of the thread, which exists only in the built package. */
const FILE = new URL('./explorerWorker.js', import.meta.url);

interface Question {
  readonly request: Request;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: OnProgress | undefined;
}

/** A thread with its questions. It has one at a time, so that those that nobody waits for any more can be left out. */
interface Running {
  readonly worker: Worker;
  readonly queue: Question[];
  current: Question | undefined;
  /** Refuses what was asked and not answered yet. */
  readonly lost: (why: string) => void;
}

/** Starts the thread at the first question; LibTorch is loaded nowhere else in the server. */
export class ExplorerThread {
  readonly #options: ExplorerOptions;
  readonly #file: URL;
  #running: Running | undefined;

  /** @param file the built thread; tests name it, as they run from the sources */
  constructor(options: ExplorerOptions = {}, file = FILE) {
    this.#options = options;
    this.#file = file;
  }

  /**
   * @param signal whoever asked is gone; a question whose turn has not come is then left out
   * @param onProgress is told how far an audit is
   * @throws AnatomyError what is wrong with the question or the data
   */
  ask<Name extends keyof Questions>(
    name: Name,
    ask: Questions[Name]['ask'],
    signal?: AbortSignal,
    onProgress?: OnProgress,
  ): Promise<Questions[Name]['answer']> {
    const running = this.#started();
    return new Promise((resolve, reject) => {
      const question: Question = { request: { name, ask }, resolve, reject, onProgress };
      running.queue.push(question);
      signal?.addEventListener('abort', () => {
        const place = running.queue.indexOf(question);
        if (place < 0) return;
        running.queue.splice(place, 1);
        reject(new AnatomyError('nobody waits for the answer'));
      });
      askNext(running);
    });
  }

  /** Ends the thread. Its questions are refused at once, also one whose answer is on its way. */
  async close(): Promise<void> {
    const running = this.#running;
    running?.lost('the explorer stopped');
    await running?.worker.terminate();
  }

  #started(): Running {
    if (this.#running !== undefined) return this.#running;
    if (!existsSync(fileURLToPath(this.#file))) {
      throw new AnatomyError('the explorer works in the built package only; run npm run build');
    }
    const worker = new Worker(this.#file, { workerData: this.#options });
    worker.unref();
    // A thread that dies, such as for memory, takes its questions with it; the next one starts another.
    const lost = (why: string) => {
      if (this.#running === running) this.#running = undefined;
      const questions = [...(running.current ? [running.current] : []), ...running.queue.splice(0)];
      running.current = undefined;
      for (const { reject } of questions) reject(new AnatomyError(why));
    };
    const running: Running = { worker, queue: [], current: undefined, lost };
    worker.on('message', (reply: Reply) => {
      if (running.current === undefined) return;
      const { resolve, reject, onProgress } = running.current;
      if ('progress' in reply) {
        onProgress?.(...reply.progress);
        return;
      }
      running.current = undefined;
      askNext(running);
      if ('answer' in reply) resolve(reply.answer as never);
      else reject('refused' in reply ? new AnatomyError(reply.refused) : new Error(reply.failed));
    });
    worker.on('error', (error) => lost(`the explorer stopped: ${error.message}`));
    worker.on('exit', () => lost('the explorer stopped'));
    this.#running = running;
    return running;
  }
}

function askNext(running: Running): void {
  if (running.current !== undefined) return;
  running.current = running.queue.shift();
  if (running.current !== undefined) running.worker.postMessage(running.current.request);
}
