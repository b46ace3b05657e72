/** Writes shards. */
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { open, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { DataError, UsageError } from '../../errors.js';
import { syncFolder } from '../../files.js';
import { chooseSize } from '../cache/cacheBuild.js';
import { replaceFolder } from '../cache/cacheFolders.js';
import { describeImage, problemsError } from '../faults.js';
import { encodePng } from '../images/encodePng.js';
import { ImageNotes } from '../images/imageNotes.js';
import { readSampleImage, readSquareImage } from '../images/readSampleImage.js';
import { mapOrdered } from '../mapOrdered.js';
import { besideTarget, makePortable, type PortableOptions, type PortableSample } from '../pack/portable.js';
import { hasImage } from '../presence.js';
import type { Dataset, Sample } from '../sample.js';
import { SHARDS_FILE, type ShardsDescription } from './shardFormat.js';

export interface ShardsOptions extends PortableOptions {
  /** The number of samples in a shard; the last shard may hold fewer. */
  shardSize: number;
  /**
   * The side of the squares that images are squashed to, as in the cache; absent: each keeps its shape. Phantoms need
   * it.
   */
  size?: number;
  overwrite?: boolean;
}

/**
 * Writes `dataset` as shards into a new folder, which appears when it is complete: `NAME-000000.tar`, … and the
 * description. Equal data gives equal bytes. Memory holds a few samples at a time.
 *
 * @throws UsageError if the folder exists, DataError listing the images that cannot be read
 */
export async function writeShards(
  dataset: Dataset,
  target: string,
  { shardSize, overwrite = false, ...options }: ShardsOptions,
): Promise<ShardsDescription> {
  await refuseTarget(target, overwrite);
  const extensions = memberExtensions(dataset.modalities);
  const drawn = dataset.samples.some(({ images }) =>
    Object.values(images).some(({ kind }) => kind === 'generated'),
  );
  if (drawn && options.size === undefined) {
    throw new UsageError(
      `--size is missing: ${dataset.name} is drawn at any size; say --size 128, for example`,
    );
  }
  return besideTarget(target, async (folder) => {
    const { common, samples } = await makePortable(dataset, options);
    const size = options.size === undefined ? undefined : await chooseSize(dataset, options.size);
    const shards = await writeAll({ dataset, samples, extensions, size, shardSize, folder }, options);
    const description: ShardsDescription = {
      ...common,
      format: 'anatomy-shards',
      version: 1,
      count: samples.length,
      extensions,
      shards,
    };
    await writeFile(path.join(folder, SHARDS_FILE), `${JSON.stringify(description, null, 1)}\n`, {
      flush: true,
    });
    syncFolder(folder);
    await replaceFolder(target, folder);
    syncFolder(path.dirname(path.resolve(target)));
    return description;
  });
}

async function refuseTarget(target: string, overwrite: boolean): Promise<void> {
  const found = await stat(target).catch(() => undefined);
  if (found === undefined) return;
  const isFolder = found.isDirectory();
  if (isFolder && (await readdir(target)).length === 0) return;
  if (!overwrite) throw new UsageError(`${target} exists; choose another --shards, or --overwrite it`);
  if (!isFolder || !existsSync(path.join(target, SHARDS_FILE))) {
    throw new UsageError(`${target} holds no shards; --overwrite only replaces those, delete it yourself`);
  }
}

/**
 * Gives each modality the end of its files' names. It is in small letters, as Python's reader makes small letters of
 * it.
 */
function memberExtensions(modalities: readonly string[]): Record<string, string> {
  const extensions = modalities.map((modality) => `${encodeURIComponent(modality)}.png`);
  const folded = extensions.map((extension) => extension.toLowerCase());
  const twice = modalities.filter((_, i) => folded.indexOf(folded[i]!) !== i);
  if (twice.length > 0) {
    throw new DataError(
      `The modality "${twice[0]}" differs from another only in capitals, which readers of shards do not tell apart. Rename it with --column.`,
    );
  }
  return Object.fromEntries(modalities.map((modality, i) => [modality, extensions[i]!]));
}

interface Work {
  readonly dataset: Dataset;
  readonly samples: readonly PortableSample[];
  readonly extensions: Readonly<Record<string, string>>;
  readonly size: number | undefined;
  readonly shardSize: number;
  readonly folder: string;
}

async function writeAll(
  { dataset, samples, extensions, size, shardSize, folder }: Work,
  { onWarning, onProgress, signal }: PortableOptions,
): Promise<ShardsDescription['shards']> {
  const stem = dataset.name.replace(/[^\p{L}\p{N}_-]+/gu, '-');
  const shards: ShardsDescription['shards'] = [];
  const problems: string[] = [];
  const notes = new ImageNotes();
  let current: Shard | undefined;
  const finish = async () => {
    if (current !== undefined) shards.push(await current.finish());
    current = undefined;
  };
  let done = 0;
  try {
    for await (const images of mapOrdered(dataset.samples, 4, (sample) => encode(dataset, sample, size))) {
      signal?.throwIfAborted();
      const i = done;
      done += 1;
      onProgress?.(done, samples.length);
      if ('problems' in images) problems.push(...images.problems);
      if ('problems' in images || problems.length > 0) continue;
      for (const { note, name } of images.notes) notes.add(note, name);
      if (i % shardSize === 0) {
        await finish();
        current = new Shard(folder, `${stem}-${String(shards.length).padStart(6, '0')}.tar`);
      }
      const key = String(i).padStart(6, '0');
      for (const [modality, png] of Object.entries(images.png))
        await current!.add(`${key}.${extensions[modality]}`, png);
      await current!.describe(key, samples[i]!);
    }
    await finish();
  } finally {
    current?.abandon();
  }
  for (const warning of notes.warnings(samples.length * dataset.modalities.length)) onWarning?.(warning);
  if (problems.length === 0) return shards;
  throw problemsError(
    `${problems.length} images of ${dataset.name} cannot be read`,
    problems,
    'Repair or copy these files again, or leave their samples out.',
  );
}

interface Encoded {
  /** The images by modality. */
  readonly png: Readonly<Record<string, Buffer>>;
  /** What files lack although they are read, with the names of the images. */
  readonly notes: readonly { readonly note: string; readonly name: string }[];
}

async function encode(
  dataset: Dataset,
  sample: Sample,
  size: number | undefined,
): Promise<Encoded | { problems: string[] }> {
  const png: Record<string, Buffer> = {};
  const notes: Encoded['notes'][number][] = [];
  const problems: string[] = [];
  for (const modality of dataset.modalities) {
    if (!hasImage(sample, modality)) continue;
    try {
      // A size is missing only where no image is drawn; such data was refused before.
      const image = await (size === undefined
        ? readSampleImage(dataset, sample, modality, 0)
        : readSquareImage(dataset, sample, modality, size));
      if (image.note !== undefined) notes.push({ note: image.note, name: describeImage(sample, modality) });
      png[modality] = await encodePng(image);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      problems.push(`${describeImage(sample, modality)}: ${error.message}`);
    }
  }
  return problems.length > 0 ? { problems } : { png, notes };
}

/** One archive while it is written. Times and owners are the same for all, so that equal data gives equal bytes. */
class Shard {
  readonly #name: string;
  readonly #file: string;
  readonly #pack: Pack = pack();
  readonly #written: Promise<void>;
  readonly #descriptions: Hash = createHash('sha256');
  #samples = 0;

  constructor(folder: string, name: string) {
    this.#name = name;
    this.#file = path.join(folder, name);
    this.#written = pipeline(this.#pack, createWriteStream(this.#file, { flags: 'wx' }));
    // An error is thrown by `finish`; until then, or if that is not reached, it must not end the process.
    this.#written.catch(() => undefined);
  }

  async add(name: string, bytes: Buffer): Promise<void> {
    const entered = new Promise<void>((resolve, reject) => {
      const header = { name, size: bytes.length, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 };
      const entry = this.#pack.entry(header, bytes, (error) => (error == null ? resolve() : reject(error)));
      entry.on('error', reject);
    });
    await entered.catch(async (error: unknown) => {
      // Where the disk refused, its error is the reason, and not the one that the entry makes of it.
      await this.#written;
      throw error;
    });
  }

  /** Adds the last file of a sample, its json. */
  async describe(key: string, sample: PortableSample): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(sample));
    await this.add(`${key}.json`, bytes);
    this.#descriptions.update(bytes);
    this.#samples += 1;
  }

  async finish(): Promise<ShardsDescription['shards'][number]> {
    this.#pack.finalize();
    await this.#written;
    const handle = await open(this.#file, 'r');
    try {
      await handle.sync();
      return {
        file: this.#name,
        samples: this.#samples,
        bytes: (await handle.stat()).size,
        samplesSha256: this.#descriptions.digest('hex'),
      };
    } finally {
      await handle.close();
    }
  }

  abandon(): void {
    this.#pack.destroy();
  }
}
