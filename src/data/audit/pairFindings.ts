import { readImageSize } from '../formats/index.js';
import type { Dataset, FileSource } from '../sample.js';
import { alignmentFindings } from './alignmentFindings.js';
import type { CrossModalCopy } from './duplicateFindings.js';
import { type Finding, finding } from './finding.js';
import { sizeOf } from './imageFindings.js';
import { sameShape } from './measures/pairTable.js';
import { swappedPairs } from './measures/swapped.js';
import type { Scan } from './scan.js';

/** The positions of samples of which two images seem swapped, for each pair of modalities of the scan. */
export type Swapped = readonly (readonly number[])[];

export function findSwapped({ images, pairs }: Scan): Swapped {
  return pairs.map(({ a, b }) => swappedPairs(images[a]!, images[b]!) ?? []);
}

/** What is found between images, and accounts for oddities of a single one. */
interface Between {
  readonly swapped: Swapped;
  readonly composites: OddComposites;
  readonly copies: readonly CrossModalCopy[];
}

/**
 * For each modality, the positions of the samples whose image is unreadable or unlike the others for a reason that is
 * told as one between images.
 */
export function explainedByPairs(
  { dataset, pairs }: Scan,
  { swapped, composites, copies }: Between,
): readonly ReadonlySet<number>[] {
  return dataset.modalities.map((modality, index) => {
    const cut = [...composites.keys()].filter((position) => isHalf(dataset, position, modality));
    const paired = pairs.flatMap(({ a, b, table }, i) => {
      if (a !== index && b !== index) return [];
      return [...swapped[i]!, ...[...table.same.keys()].filter((position) => table.same[position] !== 0)];
    });
    const copied = copies.flatMap((under) =>
      [...under].flatMap(([position, modalities]) => (modalities.includes(index) ? [position] : [])),
    );
    return new Set([...cut, ...paired, ...copied]);
  });
}

/** Finds what is wrong between two images of a sample. */
export function pairFindings(scan: Scan, swapped: Swapped, composites: OddComposites): Finding[] {
  return [
    ...shapes(scan),
    ...oddComposites(scan, composites),
    ...sameImage(scan),
    ...swappedMates(scan, swapped),
    ...alignmentFindings(scan),
  ];
}

function shapes({ dataset, images, pairs }: Scan): Finding[] {
  const items = pairs.flatMap(({ a, b }) => {
    const [first, second] = [images[a]!, images[b]!];
    return dataset.samples.flatMap(({ id }, position) => {
      if (!first.isReadable(position) || !second.isReadable(position)) return [];
      if (sameShape(first.sizeAt(position), second.sizeAt(position))) return [];
      const detail = `${dataset.modalities[a]} is ${sizeOf(first, position)}, ${dataset.modalities[b]} is ${sizeOf(second, position)}`;
      return [{ ids: [id], detail }];
    });
  });
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
    if (!isHalf(dataset, position, modality)) continue;
    const { path } = dataset.samples[position]!.images[modality] as FileSource;
    const size = await readImageSize({ kind: 'file', path }).catch(() => undefined);
    if (size !== undefined && size.width % 2 !== 0) widths.set(position, size.width);
  }
  return widths;
}

/** Tells whether an image is a half of a side-by-side composite. */
function isHalf({ samples }: Dataset, position: number, modality: string): boolean {
  const source = samples[position]!.images[modality];
  return source?.kind === 'file' && source.part?.kind === 'half';
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
  const { modalities, simulated = [] } = dataset;
  const isSimulated = (index: number) => simulated.includes(modalities[index]!);
  const found = pairs.flatMap(({ a, b, table }) =>
    dataset.samples.flatMap(({ id }, position) => {
      const same = table.same[position]!;
      const names = `${modalities[a]} and ${modalities[b]}`;
      if (same === 0) return [];
      const equal = images[a]!.prints.digest(position) === images[b]!.prints.digest(position);
      const how = equal
        ? 'are equal to the pixel'
        : same > 0
          ? 'show the same gray values'
          : 'are negatives of each other';
      return [
        { scanned: !isSimulated(a) && !isSimulated(b), item: { ids: [id], detail: `${names} ${how}` } },
      ];
    }),
  );
  return finding({
    code: 'same-image',
    severity: found.some(({ scanned }) => scanned) ? 'error' : 'warning',
    title: 'Samples of which two modalities are the same image',
    explanation:
      'There is nothing to learn from a mate that is the image itself: probably one file was saved twice.',
    fix: 'Find the right second image, or leave it out.',
    items: found.map(({ item }) => item),
  });
}

function swappedMates({ dataset, pairs }: Scan, swapped: Swapped): Finding[] {
  const items = swapped.flatMap((positions, i) => {
    const [a, b] = [dataset.modalities[pairs[i]!.a], dataset.modalities[pairs[i]!.b]];
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
