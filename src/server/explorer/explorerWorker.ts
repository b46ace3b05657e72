/** The thread of the explorer. It is asked one question at a time, as a run may be closed between two. */
import { parentPort, workerData } from 'node:worker_threads';
import { AnatomyError } from '../../errors.js';
import type { OnProgress } from './dataAudit.js';
import { Explorer, type ExplorerOptions } from './explorer.js';
import type { Questions, Reply, Request } from './explorerThread.js';

const options = workerData as ExplorerOptions;
const explorer = new Explorer(options);

/** The time between two words on how far an answer is, in milliseconds. */
const PAUSE = 200;

const tell = (reply: Reply) => parentPort?.postMessage(reply);
parentPort?.on('message', async (request: Request) => tell(await replyTo(request)));

async function replyTo({ name, ask }: Request): Promise<Reply> {
  try {
    if (name === 'audit') {
      const [owner] = ask as Questions['audit']['ask'];
      return { answer: await explorer.audit(owner, progress()) };
    }
    const method = explorer[name] as (...ask: Questions[typeof name]['ask']) => Promise<unknown>;
    return { answer: await method.apply(explorer, ask) };
  } catch (error) {
    // What is said of a file may name a patient.
    if (options.isPublic) return { refused: 'this cannot be shown to the public, or cannot be read' };
    const { message } = error as Error;
    return error instanceof AnatomyError ? { refused: message } : { failed: message };
  }
}

function progress(): OnProgress {
  let last = performance.now();
  return (looked, of) => {
    const now = performance.now();
    if (now - last < PAUSE) return;
    last = now;
    tell({ progress: [looked, of] });
  };
}
