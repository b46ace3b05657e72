/**
 * The images of the pairs in the similarity maps of a result. They are shown only of phantoms, or when the user asks.
 */
import type { Config } from '../../config/index.js';
import { ImageLoader } from '../../data/loading/loader.js';
import { published } from '../../data/pseudonym.js';
import type { Raster } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import type { PairsResult } from '../../evaluation/results/pairsResult.js';
import type { MessageConsole } from '../../log/console.js';
import { type Tensor, tidy } from '../../tensor/index.js';
import { openImages } from '../../training/imageCache.js';
import { openData } from '../../training/trainingData.js';
import { rasterPng } from './preview.js';

/** The side of the pictures, in pixels. It is a little larger than a panel's, as each picture is shown in two. */
const SIDE = 128;

/**
 * Reads the images as PNG data URIs, by the position of the pair in the data.
 *
 * @param config the settings of the data that was measured
 * @throws UsageError when the data is not the one that was measured, as a position would then mean another pair
 */
export async function exampleImages(
  config: Config,
  { data, examples }: PairsResult,
  console: MessageConsole,
): Promise<Map<number, { a: string; b: string }>> {
  const dataset = await openData(config, console);
  const cache = await openImages(dataset, config, config.data.cacheFolder ?? undefined, console);
  if (published(cache.dataHash) !== data.dataHash) {
    throw new UsageError(
      `${dataset.name}: is not the data that the claims were measured on, so its images are not those of the figures; name that data, or measure again with anatomy evaluate pairs`,
    );
  }
  const loader = new ImageLoader(cache);
  const found = new Map<number, { a: string; b: string }>();
  try {
    for (const { position } of examples) {
      const rasters = tidy(() => {
        const { images } = loader.load([position]);
        return data.modalities.map((modality) => rasterOf(images[modality]!));
      });
      const [a, b] = await Promise.all(rasters.map(dataUri));
      found.set(position, { a: a!, b: b! });
    }
  } finally {
    loader.dispose();
  }
  return found;
}

/** Turns an image into a picture. @param image u8 [1, C, S, S] */
function rasterOf(image: Tensor): Raster {
  const [, channels, height, width] = image.shape as [number, 1 | 3, number, number];
  const planes = image.toArray() as Uint8Array;
  const pixels = width * height;
  const data = Uint8Array.from(planes, (_, i) => planes[(i % channels) * pixels + Math.floor(i / channels)]!);
  return { width, height, channels, data };
}

async function dataUri(image: Raster): Promise<string> {
  return `data:image/png;base64,${(await rasterPng(image, SIDE)).toString('base64')}`;
}
