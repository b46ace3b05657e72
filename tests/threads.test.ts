import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inThreads } from '../src/threads.js';

let folder: string;
let worker: URL;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'threads-'));
  worker = pathToFileURL(join(folder, 'worker.mjs'));
  writeFileSync(
    worker,
    `import { parentPort, threadId } from 'node:worker_threads';
    parentPort.on('message', (job) => {
      if (job === 13) throw new Error('job 13 failed');
      setTimeout(() => parentPort.postMessage({ job, threadId }), job === 0 ? 50 : 0);
    });`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plans = (jobs: readonly number[], cost: number) => jobs.map((job) => ({ cost, make: () => job }));
const here = (job: number) => ({ job, threadId: -1 });

describe('jobs in threads', () => {
  it.skipIf(availableParallelism() < 2)(
    'come back in their order, from more than one thread, each told of once',
    async () => {
      let done = 0;
      const onDone = () => {
        done += 1;
      };
      const jobs = [0, 1, 2, 3, 4, 5];
      const found = await inThreads(plans(jobs, 1e9), { worker, run: here, onDone });
      expect(found.map(({ job }) => job)).toEqual(jobs);
      expect(done).toBe(jobs.length);
      expect(found.map(({ threadId }) => threadId)).not.toContain(-1);
      expect(new Set(found.map(({ threadId }) => threadId)).size).toBeGreaterThan(1);
    },
  );

  it('stay here where threads would take longer, or are not built', async () => {
    const small = await inThreads(plans([1, 2], 1e6), { worker, run: here });
    expect(small).toEqual([here(1), here(2)]);
    const missing = pathToFileURL(join(folder, 'none.mjs'));
    expect(await inThreads(plans([1, 2], 1e10), { worker: missing, run: here })).toEqual([here(1), here(2)]);
    expect(await inThreads([], { worker, run: here })).toEqual([]);
  });

  it.skipIf(availableParallelism() < 2)('fail with the error of the one that fails', async () => {
    await expect(inThreads(plans([1, 13, 2], 1e10), { worker, run: here })).rejects.toThrow('job 13 failed');
  });
});
