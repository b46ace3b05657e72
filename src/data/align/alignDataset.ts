/** Registers all images of a data set to one modality, and goes on where an earlier call was interrupted. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { AnatomyError, DataError, UsageError } from '../../errors.js';
import { makeFolderOf, namingFile, PRIVATE, writeFileAtomic } from '../../files.js';
import { cacheKey } from '../cache/cacheKey.js';
import { describeImage } from '../faults.js';
import { mapOrdered } from '../mapOrdered.js';
import type { AlignedImage, Alignment } from '../open/alignment.js';
import { hasImage } from '../presence.js';
import type { Dataset, Sample } from '../sample.js';
import type { AlignOptions } from './alignPair.js';
import { readPair, type WorkingPair } from './readPair.js';
import type { RegistrationMethod } from './registrars.js';
import { REFERENCE_SIDE } from './search.js';
import type { Registrars } from './threads.js';
import { type Affine, compose } from './transformation.js';

export interface AlignDatasetOptions extends AlignOptions {
  /** What registers. */
  readonly method: RegistrationMethod;
  /** The modality that the others are registered to. */
  readonly reference: string;
  /** The file that keeps what was found until the work is done. */
  readonly journal: string;
  /** Whether a journal of other data or settings is thrown away. */
  readonly overwrite?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onWarning?: (message: string) => void;
  readonly signal?: AbortSignal;
}

interface Job {
  readonly sample: Sample;
  readonly modality: string;
}

/**
 * Registers every image of every other modality to the sample's reference image. What was found is written to the
 * journal at once, so that an interruption loses the pairs at work and no more.
 *
 * @throws UsageError if the reference is no modality, or the journal is of something else
 */
export async function alignDataset(dataset: Dataset, options: AlignDatasetOptions): Promise<Alignment> {
  const { method, reference, kind, gate, journal: file, overwrite, onProgress, onWarning, signal } = options;
  const { modalities, samples } = dataset;
  if (!modalities.includes(reference)) {
    throw new UsageError(
      `--reference is ${reference}, but the modalities are ${modalities.join(', ')}. Name one of them.`,
    );
  }
  if (modalities.length < 2) {
    throw new UsageError(`${dataset.name} has one modality, ${reference}, and nothing to register to it.`);
  }
  const jobs = samples.flatMap((sample) =>
    modalities
      .filter((modality) => modality !== reference && hasImage(sample, modality))
      .map((modality): Job => ({ sample, modality })),
  );
  const settings = { ...method.told, kind, gate, reference };
  const key = createHash('sha256')
    .update(JSON.stringify([settings, await cacheKey(dataset, REFERENCE_SIDE)]))
    .digest('hex');
  let done = 0;
  const registrars = await method.open({ kind, gate });
  const stop = () => void registrars.close();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const journal = new Journal(file, key, overwrite);
    const register = async ({ sample, modality }: Job): Promise<AlignedImage> => {
      signal?.throwIfAborted();
      const known = journal.find(sample.id, modality);
      if (known !== undefined) return known;
      const found = await alignImage(dataset, { sample, modality }, reference, registrars, onWarning);
      signal?.throwIfAborted();
      journal.add(found);
      return found;
    };
    const images: AlignedImage[] = [];
    for await (const image of mapOrdered(jobs, registrars.count + 1, register)) {
      images.push(image);
      done += 1;
      onProgress?.(done, jobs.length);
    }
    return { format: 'anatomy-ssl alignment', version: 1, ...settings, images };
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    await registrars.close();
  }
}

async function alignImage(
  dataset: Dataset,
  { sample, modality }: Job,
  reference: string,
  registrars: Registrars,
  onWarning: AlignDatasetOptions['onWarning'],
): Promise<AlignedImage> {
  const { id } = sample;
  const refused = (reason: string): AlignedImage => ({ id, modality, decision: 'refused', reason });
  if (!hasImage(sample, reference)) return refused(`the sample has no ${reference} to be registered to`);
  let pair: WorkingPair;
  try {
    pair = await readPair(dataset, sample, [reference, modality]);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    onWarning?.(`${describeImage(sample, modality)}: ${error.message} The pair stays as it is.`);
    return refused('an image cannot be read');
  }
  const aligned = await registrars.align(pair.a, pair.b, [reference, modality]).catch((error: Error) => {
    throw new AnatomyError(`${describeImage(sample, modality)}: cannot be registered: ${error.message}`);
  });
  const { decision, reason, found, inconsistency, before, after } = aligned;
  const { frame, of } = pair;
  return {
    ...{ id, modality, decision, reason, frame, of, inconsistency, before, after },
    ...(found && { transformation: [...inStoredPixels(found, pair)] }),
  };
}

/** The same transformation from the pixels of one image as it is stored to those of the other. */
function inStoredPixels(transformation: Affine, { a, frame, of }: WorkingPair): Affine {
  const toWorking: Affine = [a.width / frame.width, 0, 0, 0, a.height / frame.height, 0];
  const toStored: Affine = [of.width / a.width, 0, 0, 0, of.height / a.height, 0];
  return compose(toStored, compose(transformation, toWorking));
}

/** The file that remembers what was found: a line of JSON for each image, with the key of what it was found of. */
class Journal {
  readonly #file: string;
  readonly #key: string;
  readonly #known = new Map<string, AlignedImage>();

  /** @throws UsageError if the file is of other data or settings */
  constructor(file: string, key: string, overwrite = false) {
    this.#file = file;
    this.#key = key;
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').flatMap(parsed) : [];
    if (lines.some((line) => line.key !== key) && !overwrite) {
      throw new UsageError(
        `${file} holds the beginning of an alignment of other data, or with other settings; --overwrite begins anew`,
      );
    }
    const kept = lines.filter((line) => line.key === key);
    for (const { image } of kept) this.#known.set(JSON.stringify([image.id, image.modality]), image);
    // Written anew, as the last line may be half a line.
    makeFolderOf(file);
    writeFileAtomic(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(''), { mode: PRIVATE });
  }

  find(id: string, modality: string): AlignedImage | undefined {
    return this.#known.get(JSON.stringify([id, modality]));
  }

  add(image: AlignedImage): void {
    const line = JSON.stringify({ key: this.#key, image });
    namingFile(this.#file, () => appendFileSync(this.#file, `${line}\n`));
  }
}

interface JournalLine {
  readonly key: string;
  readonly image: AlignedImage;
}

function parsed(line: string): JournalLine[] {
  try {
    return [JSON.parse(line) as JournalLine];
  } catch {
    return [];
  }
}

/** Removes the journal when its content stands elsewhere. */
export function forgetJournal(file: string): void {
  rmSync(file, { force: true });
}
