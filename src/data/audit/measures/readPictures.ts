import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DataError, SettingNeeded } from '../../../errors.js';
import { readSampleImage } from '../../images/readSampleImage.js';
import { mapOrdered } from '../../mapOrdered.js';
import { hasImage } from '../../presence.js';
import type { Dataset, Sample } from '../../sample.js';
import { describePicture, type Picture, WORKING_SIDE } from './picture.js';

/** All images of one sample. */
export interface SamplePictures {
  /** The position in `dataset.samples`. */
  readonly position: number;
  /** One entry for each of the data set's modalities, in their order; undefined where the sample has no such image. */
  readonly pictures: readonly (ReadPicture | Unreadable | undefined)[];
}

/** The measures of an image, with what its file lacks although it is read. */
export interface ReadPicture extends Picture {
  readonly note?: string;
}

export interface Unreadable {
  /** The reason why it cannot be read, for people. */
  readonly problem: string;
  /** The setting without which it cannot be used; absent where the file itself is at fault. */
  readonly setting?: string;
}

export function isReadable(picture: ReadPicture | Unreadable): picture is ReadPicture {
  return !('problem' in picture);
}

/** Decodes every image once, a few samples ahead, and keeps nothing. */
export function readPictures(dataset: Dataset, signal?: AbortSignal): AsyncGenerator<SamplePictures> {
  // Decoding runs on libuv's threads, and describing on this one.
  const ahead = Math.min(8, availableParallelism() + 1);
  return mapOrdered(dataset.samples.entries(), ahead, async ([position, sample]) => {
    signal?.throwIfAborted();
    const pictures: (ReadPicture | Unreadable | undefined)[] = [];
    for (const modality of dataset.modalities) {
      pictures.push(hasImage(sample, modality) ? await read(dataset, sample, modality) : undefined);
    }
    return { position, pictures };
  });
}

async function read(dataset: Dataset, sample: Sample, modality: string): Promise<ReadPicture | Unreadable> {
  // Drawing is synchronous, so signals and timers get a turn before it.
  if (sample.images[modality]!.kind === 'generated') await nextTurn();
  try {
    const { note, ...image } = await readSampleImage(dataset, sample, modality, WORKING_SIDE);
    return { ...describePicture(image), note };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    if (error instanceof SettingNeeded) return { problem: error.message, setting: error.setting };
    return { problem: error.message };
  }
}
