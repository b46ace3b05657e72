import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Raster } from '../../../src/data/sample.js';
import { breastPhantom } from '../../../src/phantoms/breast/breastPhantom.js';
import { csv } from '../../../src/text/csv.js';

const SIDE = 128;
/** Pairs that stay as they are. */
const CLEAN = 40;

/** What a row of the manifest says and the two images it names. */
interface Row {
  id: string;
  subject: string;
  label: string;
  fold: number;
  a: Raster;
  b: Raster;
}

const phantom = breastPhantom({ pairs: 60, seed: 5 });

function row(index: number): Row {
  const { id, subject, label, images } = phantom.samples[index]!;
  const [a, b] = [images.a, images.b].map((source) => {
    if (source?.kind !== 'generated') throw new Error('phantoms are generated');
    return source.render(SIDE);
  }) as [Raster, Raster];
  return { id, subject, label: label!, fold: index % 4, a, b };
}

/** The same image with other pixels, by position. */
export function redrawn(
  image: Raster,
  value: (x: number, y: number, channel: number, at: (x: number, y: number, c: number) => number) => number,
  { width = image.width, height = image.height } = {},
): Raster {
  const at = (x: number, y: number, c: number) => {
    const column = Math.min(image.width - 1, Math.max(0, x));
    const line = Math.min(image.height - 1, Math.max(0, y));
    return image.data[(line * image.width + column) * image.channels + c]!;
  };
  const data = new Uint8Array(width * height * image.channels);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < image.channels; c += 1) {
        data[(y * width + x) * image.channels + c] = Math.max(
          0,
          Math.min(255, Math.round(value(x, y, c, at))),
        );
      }
    }
  }
  return { width, height, channels: image.channels, data };
}

/** Its content `right` pixels to the right and `down` pixels below. */
export function moved(image: Raster, right: number, down: number): Raster {
  return redrawn(image, (x, y, c, at) => at(x - right, y - down, c));
}

/** As another export of the same screen: brighter, a mark in it. */
function annotated(image: Raster): Raster {
  return redrawn(image, (x, y, c, at) =>
    (x === 40 && y > 30 && y < 50) || (y === 40 && x > 30 && x < 50) ? 255 : 12 + 0.9 * at(x, y, c),
  );
}

/** Ids of the samples with each defect, by the code of the finding. */
export const PLANTED = {
  unreadable: ['truncated', 'empty', 'text'],
  blank: ['blank'],
  'shape-mismatch': ['cut'],
  'same-image': ['same', 'negative'],
  swapped: ['swapped'],
  misaligned: ['shifted'],
  'unusual-size': ['cut', 'small'],
  'unusual-intensity': ['windowed'],
  tiny: ['small'],
  'exact-duplicates': ['copied', 'copy'],
  'exact-duplicates-across-classes': ['disputed', 'disputing'],
  'near-duplicates-across-subjects': ['exported', 'export'],
  'near-duplicates-across-classes': ['doubted', 'doubting'],
  'near-duplicates-within-subject': ['frame-1', 'frame-2'],
  'subject-across-folds': ['torn-1', 'torn-2'],
  'rare-class': [],
  unlabelled: [],
} as const;

/** Writes a phantom study with one of each defect, as PNG files and a manifest; returns the manifest. */
export async function writePlanted(folder: string): Promise<string> {
  const rows = Array.from({ length: CLEAN }, (_, i) => row(i));
  let next = CLEAN;
  const plant = (id: string, change: Partial<Row> = {}): Row => {
    const planted = { ...row(next), id, ...change };
    next += 1;
    rows.push(planted);
    return planted;
  };
  plant('truncated');
  plant('empty');
  plant('text');
  const black = redrawn(row(0).b, (x, y) => (x + y) % 3);
  plant('blank', { b: black });
  const cut = plant('cut');
  cut.b = redrawn(cut.b, (x, y, c, at) => at(x, y, c), { height: 96 });
  const same = plant('same');
  same.b = same.a;
  const negative = plant('negative');
  negative.b = redrawn(negative.a, (x, y, c, at) => 255 - at(x, y, c));
  const swapped = plant('swapped');
  [swapped.a, swapped.b] = [swapped.b, swapped.a];
  const shifted = plant('shifted');
  shifted.b = moved(shifted.b, 8, -5);
  const windowed = plant('windowed');
  windowed.a = redrawn(windowed.a, (x, y, c, at) => (at(x, y, c) > 80 ? 255 : 0));
  const small = plant('small');
  small.a = redrawn(small.a, (x, y, c, at) => at(5 * x, 5 * y, c), { width: 25, height: 25 });
  small.b = redrawn(small.b, (x, y, c, at) => at(5 * x, 5 * y, c), { width: 25, height: 25 });
  const copied = plant('copied', { fold: 1 });
  rows.push({ ...copied, id: 'copy', subject: 'another' });
  const disputed = plant('disputed', { label: 'benign', fold: 1 });
  rows.push({ ...disputed, id: 'disputing', subject: 'a-third', label: 'malignant' });
  const exported = plant('exported', { fold: 1 });
  rows.push({
    ...exported,
    id: 'export',
    subject: 'a-fourth',
    a: annotated(exported.a),
    b: annotated(exported.b),
  });
  const doubted = plant('doubted', { label: 'benign', fold: 1 });
  rows.push({
    ...doubted,
    id: 'doubting',
    subject: 'a-fifth',
    label: 'malignant',
    a: annotated(doubted.a),
    b: annotated(doubted.b),
  });
  const frame = plant('frame-1');
  rows.push({ ...frame, id: 'frame-2', a: annotated(frame.a), b: annotated(frame.b) });
  const torn = plant('torn-1', { fold: 2 });
  plant('torn-2', { fold: 3, subject: torn.subject });
  plant('odd-one', { label: 'cyst' });
  plant('nameless', { label: '' });

  mkdirSync(folder, { recursive: true });
  await Promise.all(
    rows.flatMap(({ id, a, b }) =>
      [a, b].map(({ data, width, height, channels }, i) =>
        sharp(data, { raw: { width, height, channels } })
          .png()
          .toFile(join(folder, `${id}-${'ab'[i]}.png`)),
      ),
    ),
  );
  const half = join(folder, 'truncated-a.png');
  truncateSync(half, Math.floor(readFileSync(half).length / 2));
  writeFileSync(join(folder, 'empty-b.png'), '');
  writeFileSync(join(folder, 'text-a.png'), 'not an image');
  const manifest = join(folder, 'manifest.csv');
  writeFileSync(
    manifest,
    csv([
      ['id', 'subject', 'a', 'b', 'label', 'fold'],
      ...rows.map(({ id, subject, label, fold }) => [
        id,
        subject,
        `${id}-a.png`,
        `${id}-b.png`,
        label,
        String(fold),
      ]),
    ]),
  );
  return manifest;
}
