/** The thread of the explorer. It answers one question after the other, as a run may be closed between two. */
import { parentPort } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import { Explorer } from './explorer.js';
import type { Questions, Reply, Request } from './explorerThread.js';

const explorer = new Explorer();
let last: Promise<void> = Promise.resolve();

parentPort?.on('message', (request: Request) => {
  last = last.then(async () => parentPort?.postMessage(await replyTo(request)));
});

async function replyTo({ number, name, ask }: Request): Promise<Reply> {
  try {
    const method = explorer[name] as (...ask: Questions[typeof name]['ask']) => Promise<unknown>;
    return { number, answer: await method.apply(explorer, ask) };
  } catch (error) {
    const { message } = error as Error;
    return error instanceof AnatomyError ? { number, refused: message } : { number, failed: message };
  }
}
