/** The thread that registers pairs by elastix; `registrars.ts` starts it. */
import { workerData } from 'node:worker_threads';
import { type AlignOptions, alignPair } from './alignPair.js';
import { byElastix, loadElastix } from './elastix.js';
import { answerPairs } from './threads.js';

const register = loadElastix();

answerPairs(async (a, b) =>
  alignPair({ a, b }, workerData as AlignOptions, byElastix({ a, b }, await register)),
);
