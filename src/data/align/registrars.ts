/** What registers pairs: threads of elastix, as many as the machine has cores, or another method. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import type { Alignment } from '../open/alignment.js';
import type { Raster } from '../sample.js';
import { type AlignOptions, alignPair, type PairAlignment } from './alignPair.js';
import {
  byElastix,
  ELASTIX_VERSION,
  elastixParameters,
  loadElastix,
  transformationNames,
} from './elastix.js';
import type { TransformationKind } from './transformation.js';

export interface Registrars {
  /** The number of pairs that are registered at once. */
  readonly count: number;
  /** @param modalities those of `a` and `b` */
  readonly align: (a: Raster, b: Raster, modalities: readonly [string, string]) => Promise<PairAlignment>;
  readonly close: () => Promise<void>;
}

/** A way to register pairs, with what is told of it beside the transformations. */
export interface RegistrationMethod {
  readonly told: Pick<Alignment, 'tool' | 'metric' | 'parameters'>;
  readonly open: (options: AlignOptions) => Promise<Registrars>;
}

export function elastix(kind: TransformationKind): RegistrationMethod {
  return {
    told: {
      tool: `@itk-wasm/elastix ${ELASTIX_VERSION}`,
      metric: elastixParameters.Metric![0]!,
      parameters: { ...elastixParameters, Transform: [transformationNames[kind]] } as Alignment['parameters'],
    },
    open: openElastix,
  };
}

/** @throws AnatomyError if elastix is not installed */
async function openElastix(options: AlignOptions): Promise<Registrars> {
  const register = await loadElastix();
  // Threads run compiled files only. From the sources everything happens in this one.
  if (!import.meta.url.endsWith('.js')) {
    return {
      count: 1,
      align: (a, b) => alignPair({ a, b }, options, byElastix({ a, b }, register)),
      close: async () => undefined,
    };
  }
  const threads = Array.from({ length: availableParallelism() }, () => new Thread(options));
  return {
    count: threads.length,
    align: (a, b) => threads.reduce((least, one) => (one.waiting < least.waiting ? one : least)).align(a, b),
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
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

  constructor(options: AlignOptions) {
    this.#worker = new Worker(new URL('./alignWorker.js', import.meta.url), {
      workerData: options,
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

  align(a: Raster, b: Raster): Promise<PairAlignment> {
    // Whoever asks a thread that has ended would wait for ever.
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const ticket = this.#tickets++;
    return new Promise((resolve, reject) => {
      this.#asked.set(ticket, { resolve, reject });
      this.#worker.postMessage({ ticket, a, b });
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
