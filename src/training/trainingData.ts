/** The data that a config names, opened once, however many encoders are trained on it. */
import type { Config } from '../config/index.js';
import { type QuickAudit, quickAudit } from '../data/audit/quickAudit.js';
import { chooseSize } from '../data/cache/cacheBuild.js';
import { streamHash } from '../data/cache/dataHash.js';
import { ImageLoader, type Loader } from '../data/loading/loader.js';
import { StreamLoader } from '../data/loading/streamLoader.js';
import { openDataset } from '../data/openDataset.js';
import type { Dataset } from '../data/sample.js';
import { loadSplits, makeSplits, type Splits } from '../data/splits/splits.js';
import { UsageError } from '../errors.js';
import type { MessageConsole } from '../log/console.js';
import type { Device } from '../tensor/index.js';
import { datasetSpec } from './datasetSpec.js';
import { cacheSizeOf, openImages } from './imageCache.js';

/** Opens the config's data and decodes nothing. Labels only serve a monitor here, so unusable ones are no error. */
export async function openData(config: Config, console: Pick<MessageConsole, 'warn'>): Promise<Dataset> {
  const onWarning = (message: string) => console.warn(message);
  return openDataset(datasetSpec(config), { onWarning, positive: 'optional' });
}

/** The folds of the data. @throws UsageError where none are given or published */
export async function foldsOf(config: Config, dataset: Dataset): Promise<Splits> {
  const { splits } = config.data;
  if (splits !== null) return loadSplits(splits, dataset.samples);
  if (dataset.samples.every(({ fold }) => fold !== undefined)) return makeSplits(dataset);
  throw new UsageError(
    'data.fold asks for folds, and the data publishes none; make some with `anatomy data split --data DATA --out splits.json` and give --splits',
  );
}

/** The images of a data set, decoded into the cache or streamed from their shards. */
export interface TrainingImages {
  /**
   * The digest of images, labels and subjects. It is the key of the run's pseudonyms, so no file of the run may hold
   * it.
   */
  readonly dataHash: string;
  /** The findings of a quick look through the cache; absent where the images are streamed. */
  readonly audit?: QuickAudit;
  /** Makes a loader that gives the images on a device; the caller disposes it. */
  readonly makeLoader: (device: Device) => Loader;
}

/**
 * Data set, folds and images of a config. Each is opened when it is first asked for, and then kept: the encoders of
 * `--fold all` share them, and so each warning about the data is given once.
 */
export class TrainingData {
  /** Opens the data set, as `openData` does. */
  readonly dataset: () => Promise<Dataset>;
  /** Reads or makes the folds, as `foldsOf` does. */
  readonly folds: () => Promise<Splits>;
  /** Opens the images and decodes those that the cache does not hold yet, unless they are streamed. */
  readonly images: () => Promise<TrainingImages>;
  readonly #console: MessageConsole;
  #told = false;

  /** @param config names the data; `data.fold` is not looked at */
  constructor(config: Config, console: MessageConsole) {
    this.#console = console;
    this.dataset = once(() => openData(config, console));
    this.folds = once(async () => foldsOf(config, await this.dataset()));
    this.images = once(async () => imagesOf(await this.dataset(), config, console));
  }

  /** Warns of each fault of the data at the first call, and of none at later ones. */
  warnOnce(faults: readonly string[]): void {
    if (!this.#told) for (const fault of faults) this.#console.warn(fault);
    this.#told = true;
  }
}

/** Calls `open` at most once; later calls share what it resolved to. */
function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open();
    return opened;
  };
}

/** A streamed set may have a million images, and opening each of them takes longer than the first epoch. */
const MOST_OPENED = 1000;

/** A data set of at most so many of the samples, evenly spread: whatever the size of the set, few images are opened. */
function someOf(dataset: Dataset): Dataset {
  const every = Math.ceil(dataset.samples.length / MOST_OPENED);
  return { ...dataset, samples: dataset.samples.filter((_, position) => position % every === 0) };
}

async function imagesOf(
  dataset: Dataset,
  config: Pick<Config, 'data'>,
  console: MessageConsole,
): Promise<TrainingImages> {
  if (config.data.shuffleBuffer !== null) {
    const size = await chooseSize(someOf(dataset), cacheSizeOf(config));
    const dataHash = await streamHash(dataset, size);
    return { dataHash, makeLoader: (device) => new StreamLoader(dataset, size, device) };
  }
  const root = config.data.cacheFolder ?? undefined;
  const cache = await openImages(dataset, config, root, console);
  const audit = await quickAudit(dataset, cache, root);
  return { dataHash: cache.dataHash, audit, makeLoader: (device) => new ImageLoader(cache, device) };
}
