/** A thread that runs one probe after the other for probePool.ts. */
import { parentPort } from 'node:worker_threads';
import { type ProbeJob, runProbe } from './probe.js';

parentPort?.on('message', (job: ProbeJob) => {
  parentPort?.postMessage(runProbe(job));
});
