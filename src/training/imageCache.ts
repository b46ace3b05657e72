/** The images of a run, which are cached on disk or streamed. */
import type { Config } from '../config/index.js';
import type { ImageCache } from '../data/cache/decodedImages.js';
import { openImageCache } from '../data/loading/imageCache.js';
import type { Stream } from '../data/loading/streamOrder.js';
import type { Dataset } from '../data/sample.js';
import { UsageError } from '../errors.js';
import type { MessageConsole } from '../log/console.js';
import { Progress } from '../log/progress.js';

/** The settings of a config that say how large images are. */
export interface ImageSizes {
  readonly data: Pick<Config['data'], 'size' | 'cacheSize'>;
}

/**
 * The side of the cached images in pixels, for pretraining, judging and looking alike: twice `data.size` unless
 * `data.cacheSize` says otherwise.
 * @throws UsageError when it is less than `data.size`
 */
export function cacheSizeOf({ data }: ImageSizes): number {
  const size = data.cacheSize ?? 2 * data.size;
  if (size >= data.size) return size;
  throw new UsageError(
    `data.cacheSize is ${size}, less than data.size ${data.size}: every image would be enlarged from fewer pixels; set data.cacheSize to ${data.size} or more, or to null for ${2 * data.size}`,
  );
}

/**
 * Opens the images at the config's size. Those that are not in the cache yet are decoded, with a progress bar.
 * @param root the folder of all caches; undefined means the user's cache folder
 */
export async function openImages(
  dataset: Dataset,
  config: ImageSizes,
  root: string | undefined,
  console: MessageConsole,
): Promise<ImageCache> {
  let progress: Progress | undefined;
  return openImageCache(dataset, {
    size: cacheSizeOf(config),
    root,
    onWarning: (message) => console.warn(message),
    onProgress: (done, total) => {
      progress ??= new Progress(total, console, { title: 'decoding' });
      progress.update(done);
    },
  }).finally(() => progress?.stop());
}

/**
 * Plans how the samples at `trained` are streamed; undefined where they are decoded into the cache first.
 * @throws UsageError when `data.shuffleBuffer` is set and the data is no shards
 */
export function streamOf(
  { name, samples }: Dataset,
  trained: readonly number[],
  { data }: Pick<Config, 'data'>,
): Stream | undefined {
  if (data.shuffleBuffer === null) return undefined;
  const numbers = new Map<string, number>();
  const shards = trained.map((position) => {
    const source = Object.values(samples[position]!.images)[0]!;
    if (source.kind !== 'member') {
      throw new UsageError(
        `data.shuffleBuffer is ${data.shuffleBuffer}, but ${name} is no tar shards, and only these are streamed; make some with anatomy data pack --shards, or set it to null`,
      );
    }
    const number = numbers.get(source.path) ?? numbers.size;
    numbers.set(source.path, number);
    return number;
  });
  return { shards, buffer: data.shuffleBuffer };
}
