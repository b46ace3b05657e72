/**
 * Some pairs of the data with the views that the method makes of them. They are the first thing to look at when nothing
 * is learned.
 */
import sharp from 'sharp';
import type { Config } from '../../config/index.js';
import { narrowWarnings, quickAudit } from '../../data/audit/quickAudit.js';
import { ImageLoader } from '../../data/loading/loader.js';
import { hasImage } from '../../data/presence.js';
import type { Dataset, Raster, Sample } from '../../data/sample.js';
import type { MessageConsole } from '../../log/console.js';
import { type ViewSpec, viewPart } from '../../methods/index.js';
import { Random, type Tensor, tidy } from '../../tensor/index.js';
import { escapeText } from '../../text/markup.js';
import { buildMethod, checkMethod } from '../../training/build.js';
import { openImages } from '../../training/imageCache.js';
import { openData } from '../../training/trainingData.js';

export interface Preview {
  /** The name of the data, without a path. */
  readonly data: string;
  /**
   * The names of the views, in the order in which the method makes them: A, B, Â, B̂ for the paper's method, each with
   * the name of its modality.
   */
  readonly views: readonly string[];
  readonly pairs: readonly PreviewPair[];
  /** The side of all images, in pixels. */
  readonly size: number;
}

export interface PreviewPair {
  readonly id: string;
  readonly label?: string;
  /** One image for each of `views`; undefined where the sample lacks it. */
  readonly images: readonly (Raster | undefined)[];
}

export interface PreviewOptions {
  readonly console: MessageConsole;
  readonly pairs?: number;
}

/**
 * Draws pairs by the seed of the config, from all classes in turn and so that each modality is seen. Their views are exactly the ones that a run of this
 * config makes of them in its first epoch.
 */
export async function preview(config: Config, { console, pairs = 6 }: PreviewOptions): Promise<Preview> {
  checkMethod(config);
  const dataset = await openData(config, console);
  const { modalities } = dataset;
  const folder = config.data.cacheFolder ?? undefined;
  const cache = await openImages(dataset, config, folder, console);
  for (const warning of narrowWarnings(await quickAudit(dataset, cache, folder))) console.warn(warning);
  const chosen = seeingAll(dataset, inTurn(dataset.samples, config.seed), pairs);
  // The views do not depend on the encoder, so the smallest one is built. They are shown before normalisation.
  const shown: Config = {
    ...config,
    data: { ...config.data, normalize: 'none' },
    model: { ...config.model, backbone: 'vgg16_bn', width: 0.25, initFrom: null },
  };
  const method = buildMethod(shown, dataset, 'cpu');
  const loader = new ImageLoader(cache);
  try {
    const ids = chosen.map((position) => cache.ids[position]!);
    const rows = chosen.map((_, i) => i);
    const { specs, columns } = tidy(() => {
      const views = method.views({ ...loader.load(chosen), ids, rows, epoch: 0 });
      const { present } = views.pairs;
      // The images of a view are those of the samples that have its modality.
      const columns = views.specs.map(({ modality }, view) => {
        const places = present?.[modality] ?? rows;
        const images = places.length === 0 ? [] : rasters(viewPart(views.images, views, view));
        return new Map(places.map((place, i) => [place, images[i]!]));
      });
      return { specs: views.specs, columns };
    });
    return {
      data: dataset.name,
      views: specs.map((spec) => viewName(spec, dataset, modalities)),
      size: config.data.size,
      pairs: chosen.map((position, i) => ({
        id: ids[i]!,
        label: dataset.samples[position]!.label,
        images: columns.map((column) => column.get(i)),
      })),
    };
  } finally {
    loader.dispose();
    method.dispose();
  }
}

/** Lists the positions of all samples in the order in which they are shown: from all classes in turn, else by lot. */
function inTurn(samples: readonly Pick<Sample, 'label'>[], seed: number): number[] {
  const order = Array.from(new Random(seed, 'preview').permutation(samples.length));
  const classes = new Map<string | undefined, number[]>();
  for (const position of order) {
    const { label } = samples[position]!;
    classes.set(label, [...(classes.get(label) ?? []), position]);
  }
  const queues = [...classes].sort(([a = ''], [b = '']) => (a < b ? -1 : 1)).map(([, queue]) => queue);
  const longest = Math.max(...queues.map((queue) => queue.length));
  const turns = Array.from({ length: longest }, (_, turn) => queues.flatMap((queue) => queue[turn] ?? []));
  return turns.flat();
}

/**
 * Takes the first positions of an order. The last of them give way to samples with a modality that would not be seen,
 * where there is room.
 */
function seeingAll({ samples, modalities }: Dataset, order: readonly number[], count: number): number[] {
  const sees = (positions: readonly number[], modality: string) =>
    positions.some((position) => hasImage(samples[position]!, modality));
  let chosen = order.slice(0, count);
  for (const modality of modalities) {
    if (sees(chosen, modality)) continue;
    const added = order.find((position) => hasImage(samples[position]!, modality));
    // The one that goes shows nothing that the others and the new one do not.
    const gone = chosen.findLast((position) => {
      const rest = [...chosen.filter((one) => one !== position), ...(added === undefined ? [] : [added])];
      return modalities.every((own) => !hasImage(samples[position]!, own) || sees(rest, own));
    });
    if (added !== undefined && gone !== undefined)
      chosen = [...chosen.filter((position) => position !== gone), added];
  }
  return chosen;
}

/**
 * Names a view: A, B or as many letters as there are modalities, with a hat where it is augmented, a number from the
 * second one on, and the name of the modality.
 */
function viewName(
  { modality, look }: ViewSpec,
  { simulated = [], modalities: all }: Dataset,
  modalities: readonly string[],
): string {
  const index = modalities.indexOf(modality);
  const plain = String.fromCodePoint('A'.codePointAt(0)! + index);
  const letter = typeof look === 'number' ? `${plain}\u0302`.normalize() : plain;
  const number = typeof look === 'number' && look > 0 ? ` ${look + 1}` : '';
  // Where all modalities are simulated, as in phantoms, the name of the data says it.
  const drawn = simulated.includes(modality) && simulated.length < all.length ? ' (simulated)' : '';
  return `${letter}${number}${modality === 'ab'[index] ? '' : `: ${modality}`}${drawn}`;
}

/** Turns views into pictures. @param views f32 [n, C, size, size] in 0..1 */
function rasters(views: Tensor): Raster[] {
  const [count, channels, height, width] = views.shape as [number, 1 | 3, number, number];
  const values = views.to({ dtype: 'f32' }).toArray() as Float32Array;
  const plane = height * width;
  return Array.from({ length: count }, (_, image) => {
    const data = new Uint8Array(plane * channels);
    for (let c = 0; c < channels; c += 1) {
      const start = (image * channels + c) * plane;
      for (let i = 0; i < plane; i += 1) {
        data[i * channels + c] = Math.round(255 * Math.min(1, Math.max(0, values[start + i]!)));
      }
    }
    return { width, height, channels, data };
  });
}

/**
 * @param side the side of the picture; each pixel becomes a square of several, which keeps the network's input visible
 */
export function rasterPng({ width, height, channels, data }: Raster, side: number): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels } })
    .resize(side, side, { kernel: 'nearest' })
    .toColourspace('srgb')
    .png()
    .toBuffer();
}

const GAP = 10;
const HEAD = 34;
/** The width in pixels that is kept for the names of the pairs. */
const SIDE = 150;

/** The side of an image on the sheet. Small images are enlarged by a whole factor. */
export function tileSide(size: number): number {
  return size * Math.max(1, Math.round(160 / size));
}

/** Draws all pairs on one picture, with a row for each pair below the names of the views. */
export async function contactSheet({ views, pairs, size }: Preview): Promise<Buffer> {
  const tile = tileSide(size);
  const left = (column: number) => SIDE + column * (tile + GAP);
  const top = (row: number) => HEAD + row * (tile + GAP);
  const [width, height] = [left(views.length), top(pairs.length)];
  const tiles = await Promise.all(
    pairs.flatMap(({ images }, row) =>
      images.flatMap((image, column) =>
        image === undefined
          ? []
          : [rasterPng(image, tile).then((input) => ({ input, left: left(column), top: top(row) }))],
      ),
    ),
  );
  const gaps = pairs.flatMap(({ images }, row) =>
    images.flatMap((image, column) => (image === undefined ? [gap(left(column), top(row), tile)] : [])),
  );
  const heads = views.map((name, column) => text(name, left(column), HEAD - 11, 'font-weight="600"'));
  const names = pairs.flatMap(({ id, label }, row) => [
    text(shorten(id), 12, top(row) + 18, ''),
    text(shorten(label ?? ''), 12, top(row) + 37, 'fill="#5b6470"'),
  ]);
  const lettering = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="14" fill="#1a1d21">${[...gaps, ...heads, ...names].join('')}</svg>`;
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([...tiles, { input: Buffer.from(lettering), left: 0, top: 0 }])
    .png()
    .toBuffer();
}

/** Draws the place of an image that a sample lacks. */
function gap(x: number, y: number, side: number): string {
  const frame = `<rect x="${x + 0.5}" y="${y + 0.5}" width="${side - 1}" height="${side - 1}" fill="#f4f5f7" stroke="#b6bcc6" stroke-dasharray="5 4"/>`;
  const words = text('missing', x + side / 2, y + side / 2 + 5, 'fill="#5b6470" text-anchor="middle"');
  return frame + words;
}

function text(words: string, x: number, y: number, style: string): string {
  return `<text x="${x}" y="${y}" ${style}>${escapeText(words)}</text>`;
}

function shorten(words: string): string {
  return words.length > 18 ? `${words.slice(0, 17)}…` : words;
}
