import type { Dataset, Raster, Sample } from '../../../src/data/sample.js';
import { changed, drawn, raster, spots } from './drawnPairs.js';
import { moved, redrawn } from './plantedPairs.js';

export const MODALITIES = ['a', 'b', 'c'] as const;
export type Modality = (typeof MODALITIES)[number];
type Images = Partial<Record<Modality, Raster>>;

const SIDE = 64;

const made = new Map<string, Record<Modality, Raster>>();

/** The images of one subject: the same layout in three brightnesses and contrasts, each with noise of its own. */
export function subjectImages(key: string): Record<Modality, Raster> {
  const known = made.get(key);
  if (known !== undefined) return known;
  const anatomy = spots(key, SIDE);
  const seen = (modality: Modality, gain: number, middle: number) => {
    const grain = spots(`${key} ${modality}`, SIDE);
    return changed(anatomy, (value, x, y) => {
      return middle + gain * (value - 128) + 0.08 * (grain.data[y * SIDE + x]! - 128);
    });
  };
  const images = { a: seen('a', 0.9, 128), b: seen('b', -0.35, 60), c: seen('c', 0.5, 190) };
  made.set(key, images);
  return images;
}

/** Samples as they should be: every fifth lacks `b`, every seventh `c` and every ninth `a`. */
export function soundSamples(count: number): (Omit<Sample, 'images'> & { images: Images })[] {
  return Array.from({ length: count }, (_, i) => {
    const { a, b, c } = subjectImages(`sound ${i}`);
    return {
      id: `sound-${i}`,
      subject: `subject-${i}`,
      label: i % 2 === 0 ? 'x' : 'y',
      images: { ...(i % 9 !== 5 && { a }), ...(i % 5 !== 2 && { b }), ...(i % 7 !== 3 && { c }) },
    };
  });
}

export function datasetOf(samples: readonly (Omit<Sample, 'images'> & { images: Images })[]): Dataset {
  return {
    name: 'planted',
    modalities: MODALITIES,
    samples: samples.map(({ images, ...rest }) => ({
      ...rest,
      images: Object.fromEntries(Object.entries(images).map(([name, image]) => [name, drawn(image)])),
    })),
  };
}

function annotated(image: Raster): Raster {
  return redrawn(image, (x, y, c, at) => (x === 20 && y > 15 && y < 25 ? 255 : 6 + 0.95 * at(x, y, c)));
}

/**
 * Plants one fault of each kind in one modality or between it and another one.
 *
 * @returns the data, and the ids that each finding must name, by its code
 */
export function planted(
  modality: Modality,
  other: Modality,
): { dataset: Dataset; expected: Record<string, string[]> } {
  const samples = soundSamples(40);
  const plant = (
    id: string,
    images: (own: Record<Modality, Raster>) => Images,
    rest: Partial<Sample> = {},
  ) => {
    const own = subjectImages(id);
    samples.push({ id, subject: `of ${id}`, label: 'x', ...rest, images: images(own) });
  };
  const inOne = (id: string, change: (image: Raster) => Raster) =>
    plant(id, (own) => ({ ...own, [modality]: change(own[modality]) }));
  const half = (image: Raster, width: number, height: number) =>
    redrawn(image, (x, y, c, at) => at(x, y, c), { width, height });
  inOne('blank', () => raster(SIDE, SIDE, (x, y) => (x + y) % 3));
  inOne('cut', (image) => half(image, SIDE, 40));
  inOne('small', (image) =>
    redrawn(image, (x, y, c, at) => at(3 * x + 1, 3 * y + 1, c), { width: 21, height: 21 }),
  );
  inOne('windowed', (image) => changed(image, (value) => (value > image.data[0]! ? 255 : 0)));
  inOne('shifted', (image) => moved(image, 4, -3));
  plant('same', (own) => ({ ...own, [other]: own[modality] }));
  plant('negative', (own) => ({ ...own, [other]: changed(own[modality], (value) => 255 - value) }));
  plant('swapped', (own) => ({ ...own, [modality]: own[other], [other]: own[modality] }));
  const alone = (
    id: string,
    key: string,
    change: (image: Raster) => Raster = (image) => image,
    rest = {},
  ) => {
    plant(id, () => ({ [modality]: change(subjectImages(key)[modality]) }), rest);
  };
  // Copies of one image, with nothing else in the second sample.
  for (const [first, second, change, rest] of [
    ['copied', 'copy', undefined, {}],
    ['disputed', 'disputing', undefined, { label: 'y' }],
    ['exported', 'export', annotated, {}],
    ['doubted', 'doubting', annotated, { label: 'y' }],
    ['frame-1', 'frame-2', annotated, { subject: 'of frame-1' }],
  ] as const) {
    plant(first, (own) => own);
    alone(second, first, change, rest);
  }
  plant('owner', (own) => ({ [modality]: own[modality] }));
  plant('borrower', () => ({ [other]: subjectImages('owner')[modality] }));
  const dataset = datasetOf(samples);
  const broken = { kind: 'file', path: '/nowhere/image.png' } as const;
  const unreadable: Sample = {
    id: 'unreadable',
    subject: 'of unreadable',
    label: 'x',
    images: { ...dataset.samples[0]!.images, [modality]: broken },
  };
  // Its other images are of a subject of its own.
  const own = subjectImages('unreadable');
  for (const name of MODALITIES)
    if (name !== modality) Object.assign(unreadable.images, { [name]: drawn(own[name]) });
  return {
    dataset: { ...dataset, samples: [...dataset.samples, unreadable] },
    expected: {
      unreadable: ['unreadable'],
      blank: ['blank'],
      'shape-mismatch': ['cut'],
      'unusual-size': ['cut', 'small'],
      tiny: ['small'],
      'unusual-intensity': ['windowed'],
      misaligned: ['shifted'],
      'same-image': ['same', 'negative'],
      swapped: ['swapped'],
      'exact-duplicates': ['copied', 'copy'],
      'exact-duplicates-across-classes': ['disputed', 'disputing'],
      'near-duplicates-across-subjects': ['exported', 'export'],
      'near-duplicates-across-classes': ['doubted', 'doubting'],
      'near-duplicates-within-subject': ['frame-1', 'frame-2'],
      'copies-across-modalities': ['owner', 'borrower'],
    },
  };
}
