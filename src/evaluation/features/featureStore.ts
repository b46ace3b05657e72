/** Keeps what encoders gave for images, so that the next protocol on the same folds need not run them again. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { defaultCacheRoot, makePrivateFolder } from '../../data/cache/cacheFolders.js';
import { AnatomyError } from '../../errors.js';
import { readSafetensors, type SafetensorsEntry, writeSafetensors } from '../../export/safetensors.js';
import { isSystemError } from '../../files.js';
import { featureRows } from '../../metrics/features/features.js';
import { type Encoder, stateDict } from '../../nn/index.js';
import { instructionSet, threads, torchVersion } from '../../tensor/index.js';
import { packageVersion } from '../../version.js';
import type { EncoderFeatures } from '../results/featureKinds.js';
import type { PresentFeatures } from './presentFeatures.js';

/** Raise it when the same encoder gives other features for the same images. */
const STORE_FORMAT = 1;

/** The features of one modality's images by kind. */
export type KindFeatures = ReadonlyMap<EncoderFeatures, PresentFeatures>;

/** The kinds that are computed and kept whichever are asked for, since the second costs next to nothing. */
const USUAL: readonly EncoderFeatures[] = ['pooled', 'head'];

/** A digest of an encoder's weights and statistics. */
export function weightsDigest(encoder: Encoder): string {
  const hash = createHash('sha256');
  for (const [name, tensor] of stateDict(encoder)) {
    const { buffer, byteOffset, byteLength } = tensor.toArray();
    hash.update(`${name} ${tensor.dtype} ${tensor.shape}\n`);
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}

export class FeatureStore {
  readonly #folder: string;
  readonly #common: unknown;
  readonly #mostBytes: number;

  /**
   * @param common what decides the features besides the encoder: the data, their size and normalisation, precision,
   * device
   * @param root the folder of all caches
   * @param mostBytes what the store may hold; the features that were used longest ago go first
   */
  constructor(common: unknown, root = defaultCacheRoot(), mostBytes = 2 * 2 ** 30) {
    this.#mostBytes = mostBytes;
    this.#folder = path.join(root, 'features');
    const engine = [torchVersion(), threads(), instructionSet()];
    this.#common = [STORE_FORMAT, packageVersion(), engine, common];
  }

  /**
   * Gives the features that are kept, or computes and keeps them.
   *
   * @param encoder what names the encoder, the images and their modality
   */
  async features(
    encoder: unknown,
    kinds: readonly EncoderFeatures[],
    places: readonly number[] | undefined,
    compute: (kinds: readonly EncoderFeatures[]) => Promise<KindFeatures>,
  ): Promise<KindFeatures> {
    const all = [...new Set([...USUAL, ...kinds])].sort();
    const key = createHash('sha256')
      .update(JSON.stringify([this.#common, encoder, all]))
      .digest('hex');
    const file = path.join(this.#folder, `${key}.safetensors`);
    const kept = read(file, all, places);
    if (kept !== undefined) return kept;
    const found = await compute(all);
    this.#write(file, found);
    return found;
  }

  #write(file: string, found: KindFeatures): void {
    const entries = [...found].map(([kind, { features }]): [string, SafetensorsEntry] => {
      const { buffer, byteOffset, byteLength } = Float32Array.from(features.data);
      const data = new Uint8Array(buffer, byteOffset, byteLength);
      return [kind, { dtype: 'F32', shape: [features.rows, features.columns], data }];
    });
    const size = entries.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
    if (size > this.#mostBytes) return;
    try {
      makePrivateFolder(this.#folder);
      makeRoom(this.#folder, this.#mostBytes - size);
      writeSafetensors(file, new Map(entries), {}, { vouch: true });
    } catch (error) {
      // Where the cache cannot be written, encoders run each time.
      if (!(error instanceof AnatomyError) && !isSystemError(error)) throw error;
    }
  }
}

function read(
  file: string,
  kinds: readonly EncoderFeatures[],
  places: readonly number[] | undefined,
): KindFeatures | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { tensors } = readSafetensors(file);
    touch(file);
    return new Map(
      kinds.map((kind) => {
        const { shape, data } = tensors.get(kind)!;
        const values = new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
        return [kind, { features: featureRows(values, shape[0]!, shape[1]!), places }];
      }),
    );
  } catch (error) {
    // A file that is damaged, or that another process has just removed, is written anew.
    if (!(error instanceof AnatomyError) && !isSystemError(error)) throw error;
    return undefined;
  }
}

/** Notes that a file was used. */
function touch(file: string): void {
  try {
    utimesSync(file, new Date(), new Date());
  } catch (error) {
    if (!isSystemError(error)) throw error; // a cache that cannot be written may still be read
  }
}

/** Removes files until the others have no more than so many bytes. */
function makeRoom(folder: string, bytes: number): void {
  const files = readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    const state = statSync(file, { throwIfNoEntry: false });
    return state === undefined ? [] : [{ file, size: state.size, used: state.mtimeMs }];
  });
  let excess = files.reduce((sum, { size }) => sum + size, 0) - bytes;
  for (const { file, size } of files.sort((a, b) => a.used - b.used)) {
    if (excess <= 0) break;
    rmSync(file, { force: true });
    excess -= size;
  }
}
