import { type Finding, finding } from './finding.js';
import type { ImageTable } from './measures/imageTable.js';
import { centreAndSpread } from './measures/robust.js';
import type { Scan } from './scan.js';
import { isNarrow, withoutPlace } from './settingFindings.js';

/** The side in pixels below which an image leaves the network almost nothing to see. */
const SMALLEST_SIDE = 32;
/** The share of images that must have one size before other sizes are called unusual. */
const COMMON = 0.9;
/**
 * The distance from the middle beyond which a brightness, contrast or colour is unusual, in robust standard
 * deviations.
 */
const FAR = 6;
/** The least spread, in gray levels, so that a uniform data set does not make a small step look far. */
const LEAST_SPREAD = 4;
/** The number of images below which they have no usual look. */
const ENOUGH = 20;

/** For each modality, the positions of samples whose image is odd for a reason that is told elsewhere. */
export type Explained = readonly ReadonlySet<number>[];

/**
 * Finds what is wrong with single images.
 *
 * @param explained those that are unreadable or unlike the others for a reason that is told elsewhere
 */
export function imageFindings(scan: Scan, explained: Explained): Finding[] {
  return [
    ...unreadable(scan, explained),
    ...incomplete(scan),
    ...blank(scan),
    ...tiny(scan),
    ...unusualSize(scan, explained),
    ...unusualLook(scan, explained),
  ];
}

function unreadable({ dataset, unreadable }: Scan, explained: Explained): Finding[] {
  const others = unreadable.filter(
    ({ position, modality, setting }) =>
      setting === undefined && !explained[dataset.modalities.indexOf(modality)]!.has(position),
  );
  return finding({
    code: 'unreadable',
    severity: 'error',
    title: 'Images that cannot be read',
    explanation: 'Damaged, truncated or foreign files stop every run at this sample.',
    fix: 'Copy the files again from where they came from, or leave these images or their samples out.',
    items: others.map(({ position, modality, problem }) => ({
      ids: [dataset.samples[position]!.id],
      modality,
      detail: withoutPlace(problem, dataset.samples[position]!.images),
      place: problem,
    })),
  });
}

function incomplete({ dataset, noted }: Scan): Finding[] {
  return finding({
    code: 'incomplete-file',
    severity: 'warning',
    title: 'Files that lack something, but none of their pixels',
    explanation: 'They are read as they are; other programs may warn of them or refuse them.',
    fix: 'Nothing, if that is how they were made; copy them again if a copy was cut short.',
    items: noted.map(({ position, modality, note }) => ({
      ids: [dataset.samples[position]!.id],
      modality,
      detail: note,
    })),
  });
}

function blank(scan: Scan): Finding[] {
  const narrow = scan.images.map(isNarrow);
  return finding({
    code: 'blank',
    severity: 'error',
    title: 'Blank images',
    explanation:
      'At least 95 % of the pixels lie within five neighbouring gray levels, so there is no anatomy to learn from; a blank mate teaches that anything goes with nothing.',
    fix: 'Look at the scans these come from; leave these images or their samples out if there is nothing in them.',
    // Where a whole modality is dark, an image that is not of one level is no worse than the others.
    items: each(scan, (table, position, modality, index) =>
      table.isBlank(position) && !(narrow[index] && table.deviation[position]! > 0)
        ? [
            {
              ids: [idOf(scan, position)],
              modality,
              detail: `${percent(table.flatShare[position]!)} of the pixels at one level, mean ${table.mean[position]!.toFixed(1)}`,
              value: table.flatShare[position]!,
            },
          ]
        : [],
    ),
  });
}

function tiny(scan: Scan): Finding[] {
  return finding({
    code: 'tiny',
    severity: 'warning',
    title: 'Very small images',
    explanation: `A side of less than ${SMALLEST_SIDE} pixels is enlarged many times before an encoder sees it.`,
    fix: 'Check whether these are previews, and use the full images.',
    items: each(scan, ({ width, height, channels }, position, modality) =>
      channels[position]! > 0 && Math.min(width[position]!, height[position]!) < SMALLEST_SIDE
        ? [
            {
              ids: [idOf(scan, position)],
              modality,
              detail: `${width[position]} × ${height[position]} pixels`,
              value: Math.min(width[position]!, height[position]!),
            },
          ]
        : [],
    ),
  });
}

function unusualSize(scan: Scan, explained: Explained): Finding[] {
  const usual = scan.images.map(commonestSize);
  return finding({
    code: 'unusual-size',
    severity: 'warning',
    title: 'Images of an unusual size or number of colours',
    explanation:
      'Nearly all images of this modality are alike in size and colours; these are not, so they may be cropped, scaled or from another source.',
    fix: 'Check where they come from and whether their mates cover the same region.',
    items: each(scan, (table, position, modality, index) => {
      const common = usual[index];
      if (common === undefined || explained[index]!.has(position) || !table.hasContent(position)) return [];
      if (sizeOf(table, position) === common) return [];
      const detail = `${sizeOf(table, position)}; ${percent(COMMON)} or more are ${common}`;
      return [{ ids: [idOf(scan, position)], modality, detail }];
    }),
  });
}

/** Writes the size of an image, as in `640 × 480 gray`. */
export function sizeOf({ width, height, channels }: ImageTable, position: number): string {
  return `${width[position]} × ${height[position]} ${channels[position] === 1 ? 'gray' : 'colour'}`;
}

function commonestSize(table: ImageTable): string | undefined {
  const counts = new Map<string, number>();
  let total = 0;
  for (let position = 0; position < table.channels.length; position += 1) {
    if (!table.hasContent(position)) continue;
    const size = sizeOf(table, position);
    counts.set(size, (counts.get(size) ?? 0) + 1);
    total += 1;
  }
  return [...counts].find(([, count]) => total >= ENOUGH && count >= COMMON * total)?.[0];
}

const LOOKS = [
  ['mean', 'brightness'],
  ['deviation', 'contrast'],
  ['colour', 'colour'],
] as const;

function unusualLook(scan: Scan, explained: Explained): Finding[] {
  const usual = scan.images.map((table) => {
    const positions = [...table.channels.keys()].filter((position) => table.hasContent(position));
    const looks = LOOKS.map(([measure]) =>
      centreAndSpread(positions.map((position) => table[measure][position]!)),
    );
    return { count: positions.length, looks };
  });
  return finding({
    code: 'unusual-intensity',
    severity: 'warning',
    title: 'Images of an unusual brightness, contrast or colour',
    explanation: `More than ${FAR} robust standard deviations from the middle of their modality: often another export, window or an inverted image.`,
    fix: 'Look at them beside the others; export them again or leave them out.',
    items: each(scan, (table, position, modality, index) => {
      const { count, looks } = usual[index]!;
      if (count < ENOUGH || explained[index]!.has(position) || !table.hasContent(position)) return [];
      return LOOKS.flatMap(([measure, name], i) => {
        const { centre, spread } = looks[i]!;
        const value = table[measure][position]!;
        const distance = Math.abs(value - centre) / Math.max(spread, LEAST_SPREAD);
        if (distance <= FAR) return [];
        const detail = `${name} ${value.toFixed(0)}, usually about ${centre.toFixed(0)}`;
        return [{ ids: [idOf(scan, position)], modality, detail, value: distance }];
      });
    }),
  });
}

function each<Item>(
  { dataset, images }: Scan,
  look: (table: ImageTable, position: number, modality: string, index: number) => Item[],
): Item[] {
  return dataset.samples.flatMap((_, position) =>
    dataset.modalities.flatMap((modality, index) => look(images[index]!, position, modality, index)),
  );
}

function idOf({ dataset }: Scan, position: number): string {
  return dataset.samples[position]!.id;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
