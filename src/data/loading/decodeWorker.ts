/** The thread that decodes samples while the main thread trains; `streamLoader.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import { DataError } from '../../errors.js';
import { type DecodedData, type DecodedSample, PairDecoder, type PlanarImages } from './decodePair.js';

export interface DecodeSetting {
  readonly data: DecodedData;
  readonly size: number;
}

export interface DecodeRequest {
  readonly ticket: number;
  readonly sample: DecodedSample;
}

export type DecodeAnswer =
  | { readonly ticket: number; readonly images: PlanarImages }
  | { readonly ticket: number; readonly message: string; readonly isData: boolean };

const { data, size } = workerData as DecodeSetting;
const decoder = new PairDecoder(data, size);

parentPort?.on('message', async ({ ticket, sample }: DecodeRequest) => {
  try {
    const images = await decoder.decode(sample);
    const answer: DecodeAnswer = { ticket, images };
    parentPort?.postMessage(
      answer,
      Object.values(images).map(({ data }) => data.buffer),
    );
  } catch (error) {
    const { message } = error as Error;
    const answer: DecodeAnswer = { ticket, message, isData: error instanceof DataError };
    parentPort?.postMessage(answer);
  }
});
