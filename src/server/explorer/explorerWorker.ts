/** The thread of the explorer. It is asked one question at a time, as a run may be closed between two. */
import { parentPort } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import { Explorer } from './explorer.js';
import type { Questions, Reply, Request } from './explorerThread.js';

const explorer = new Explorer();

parentPort?.on('message', async (request: Request) => parentPort?.postMessage(await replyTo(request)));

async function replyTo({ name, ask }: Request): Promise<Reply> {
  try {
    const method = explorer[name] as (...ask: Questions[typeof name]['ask']) => Promise<unknown>;
    return { answer: await method.apply(explorer, ask) };
  } catch (error) {
    const { message } = error as Error;
    return error instanceof AnatomyError ? { refused: message } : { failed: message };
  }
}
