/** The thread that registers pairs; `registrars.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Raster } from '../sample.js';
import { type AlignOptions, alignPair } from './alignPair.js';
import { byElastix, loadElastix } from './elastix.js';

export interface AlignRequest {
  readonly ticket: number;
  readonly a: Raster;
  readonly b: Raster;
}

const register = loadElastix();

parentPort?.on('message', async ({ ticket, a, b }: AlignRequest) => {
  try {
    parentPort?.postMessage({
      ticket,
      aligned: await alignPair({ a, b }, workerData as AlignOptions, byElastix({ a, b }, await register)),
    });
  } catch (error) {
    parentPort?.postMessage({ ticket, message: (error as Error).message });
  }
});
