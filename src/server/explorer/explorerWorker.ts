/** The thread of the explorer. It answers one question after the other, as a run may be closed between two. */
import { parentPort } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import { Explorer } from './explorer.js';
import type { Questions, Reply, Request, Withdrawal } from './explorerThread.js';

const explorer = new Explorer();
const leftOut = new Set<number>();
let last: Promise<void> = Promise.resolve();

parentPort?.on('message', (message: Request | Withdrawal) => {
  if ('leaveOut' in message) {
    leftOut.add(message.leaveOut);
    return;
  }
  last = last.then(async () => {
    // Withdrawals come as messages too, and are read only between two tasks.
    await new Promise((resolve) => setImmediate(resolve));
    parentPort?.postMessage(await replyTo(message));
  });
});

async function replyTo({ number, name, ask }: Request): Promise<Reply> {
  if (leftOut.delete(number)) return { number, refused: 'nobody waits for the answer' };
  try {
    const method = explorer[name] as (...ask: Questions[typeof name]['ask']) => Promise<unknown>;
    return { number, answer: await method.apply(explorer, ask) };
  } catch (error) {
    const { message } = error as Error;
    return error instanceof AnatomyError ? { number, refused: message } : { number, failed: message };
  } finally {
    leftOut.delete(number); // it was withdrawn too late
  }
}
