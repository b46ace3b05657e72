import { readImageSize } from '../formats/index.js';
import { type Finding, finding } from './finding.js';
import { sizeOf } from './imageFindings.js';
import { sameShape } from './measures/pairTable.js';
import { median } from './measures/robust.js';
import { FARTHEST_SHIFT } from './measures/shift.js';
import { swappedPairs } from './measures/swapped.js';
import type { Scan } from './scan.js';

/** The number of pairs from which a shift that all of them share is believed. */
const ENOUGH = 20;

/** The positions of pairs that seem swapped, for each modality after the first. */
export type Swapped = readonly (readonly number[])[];

export function findSwapped({ images }: Scan): Swapped {
  const [first, ...others] = images;
  return others.map((table) => swappedPairs(first!, table) ?? []);
}

/** Finds what is wrong between the images of a pair. */
export function pairFindings(scan: Scan, swapped: Swapped, composites: OddComposites): Finding[] {
  return [
    ...shapes(scan),
    ...oddComposites(scan, composites),
    ...sameImage(scan),
    ...swappedMates(scan, swapped),
    ...misaligned(scan),
    ...commonShift(scan),
  ];
}

function shapes({ dataset, images }: Scan): Finding[] {
  const [first, ...others] = images;
  const items = others.flatMap((table, i) =>
    dataset.samples.flatMap(({ id }, position) => {
      if (!first!.isReadable(position) || !table.isReadable(position)) return [];
      if (sameShape(first!.sizeAt(position), table.sizeAt(position))) return [];
      const detail = `${dataset.modalities[0]} is ${sizeOf(first!, position)}, ${dataset.modalities[i + 1]} is ${sizeOf(table, position)}`;
      return [{ ids: [id], detail }];
    }),
  );
  return finding({
    code: 'shape-mismatch',
    severity: 'error',
    title: 'Mates of different shape',
    explanation:
      'Width and height of the two images are in another proportion, so they cannot show the same region pixel by pixel.',
    fix: 'Crop both to the same region, or leave the pairs out.',
    items,
  });
}

/** The widths in pixels, by position, of the composites that cannot be cut into equal halves. */
export type OddComposites = ReadonlyMap<number, number>;

/** Finds such composites among the unreadable images. */
export async function findOddComposites({ dataset, unreadable }: Scan): Promise<OddComposites> {
  const widths = new Map<number, number>();
  for (const { position, modality } of unreadable) {
    const source = dataset.samples[position]!.images[modality];
    if (source?.kind !== 'file' || source.part?.kind !== 'half') continue;
    const size = await readImageSize({ kind: 'file', path: source.path }).catch(() => undefined);
    if (size !== undefined && size.width % 2 !== 0) widths.set(position, size.width);
  }
  return widths;
}

function oddComposites({ dataset }: Scan, widths: OddComposites): Finding[] {
  const items = [...widths].map(([position, width]) => ({
    ids: [dataset.samples[position]!.id],
    detail: `${width} pixels wide`,
    value: width,
  }));
  return finding({
    code: 'odd-composite',
    severity: 'error',
    title: 'Side-by-side composites of odd width',
    explanation:
      'Such an image cannot be cut into two equal halves: it has lost or gained a column, and one half may be shifted against the other.',
    fix: 'Export the two views as images of their own, or check that the cut lies between them.',
    items,
  });
}

function sameImage({ dataset, images, pairs }: Scan): Finding[] {
  const [first, ...others] = images;
  const { modalities, simulated = [] } = dataset;
  const items = others.flatMap((table, i) =>
    dataset.samples.flatMap(({ id }, position) => {
      const same = pairs[i]!.same[position]!;
      const names = `${modalities[0]} and ${modalities[i + 1]}`;
      if (same === 0) return [];
      const equal = first!.prints.digest(position) === table.prints.digest(position);
      const how = equal
        ? 'are equal to the pixel'
        : same > 0
          ? 'show the same gray values'
          : 'are negatives of each other';
      return [{ ids: [id], detail: `${names} ${how}` }];
    }),
  );
  return finding({
    code: 'same-image',
    severity: modalities.slice(1).some((name) => simulated.includes(name)) ? 'warning' : 'error',
    title: 'Pairs whose two modalities are the same image',
    explanation:
      'There is nothing to learn from a mate that is the image itself: probably one file was saved twice.',
    fix: 'Find the right second image, or leave the pairs out.',
    items,
  });
}

function swappedMates({ dataset }: Scan, swapped: Swapped): Finding[] {
  const items = swapped.flatMap((positions, i) => {
    const [a, b] = [dataset.modalities[0]!, dataset.modalities[i + 1]!];
    return positions.map((position) => ({
      ids: [dataset.samples[position]!.id],
      detail: `${a} looks like ${b} and ${b} like ${a}`,
    }));
  });
  return finding({
    code: 'swapped',
    severity: 'error',
    title: 'Pairs whose two images seem to be swapped',
    explanation:
      'Brightness, contrast, colour and texture of each image are those of the other modality, and nearly all other pairs can be told apart.',
    fix: 'Exchange the two files (or halves) of these pairs.',
    items,
  });
}

function misaligned({ dataset, images, pairs }: Scan): Finding[] {
  const items = pairs.flatMap(({ x, y, shifted }, i) =>
    dataset.samples.flatMap(({ id }, position) => {
      if (shifted[position] === 0) return [];
      const table = images[i + 1]!;
      const [right, down] = [x[position]!, y[position]!];
      const share = Math.max(
        Math.abs(right) / table.width[position]!,
        Math.abs(down) / table.height[position]!,
      );
      const edge = share > FARTHEST_SHIFT - 1e-4 ? ', as far as is looked' : '';
      const detail = `shifted ${offset(right, down)} against ${dataset.modalities[0]}${edge}, in an image of ${sizeOf(table, position)}`;
      return [{ ids: [id], modality: dataset.modalities[i + 1]!, detail, value: Math.hypot(right, down) }];
    }),
  );
  return finding({
    code: 'misaligned',
    severity: 'warning',
    title: 'Misaligned pairs',
    explanation:
      'Shifted against each other, the two images share clearly more information than as they lie; the method compares the same place in both. A shift as far as is looked may be larger, or none: some modalities, and dark borders, mislead the measure.',
    fix: 'Look whether the two belong together: mates exchanged between samples also look best at some shift. If they do, register them again; else leave them out.',
    items: items.sort((one, other) => other.value - one.value),
  });
}

/** Writes a shift, as in `12 px to the right, 3 px down`. */
function offset(x: number, y: number): string {
  const parts = [
    ...(Math.round(x) === 0 ? [] : [`${Math.abs(Math.round(x))} px to the ${x > 0 ? 'right' : 'left'}`]),
    ...(Math.round(y) === 0 ? [] : [`${Math.abs(Math.round(y))} px ${y > 0 ? 'down' : 'up'}`]),
  ];
  return parts.join(', ');
}

/** Finds a shift that pairs share. It is a fault of the export, even if each is too small to stand out. */
function commonShift({ dataset, images, pairs }: Scan): Finding[] {
  return pairs.flatMap((table, i) => {
    const measured = [...table.x.keys()].filter((position) => !Number.isNaN(table.x[position]!));
    if (measured.length < ENOUGH) return [];
    const x = median(measured.map((position) => table.x[position]!));
    const y = median(measured.map((position) => table.y[position]!));
    const side = median(measured.map((position) => images[i + 1]!.width[position]!));
    // A pixel of the working size is the least that is measured; more than one and a half are no rounding.
    if (Math.hypot(x, y) < Math.max(1, (1.5 * side) / 128)) return [];
    const modality = dataset.modalities[i + 1]!;
    return finding({
      code: 'common-shift',
      severity: 'warning',
      title: 'All pairs are shifted alike',
      explanation: `In the median pair ${modality} is shifted ${offset(x, y)} against ${dataset.modalities[0]}: by a margin, a crop or a cut between two halves that is off.`,
      fix: 'Correct it for all pairs at once, where they are exported or cropped.',
      items: [{ ids: [], modality, detail: offset(x, y), value: Math.hypot(x, y) }],
    });
  });
}
