import { fixed, numbered } from '../../text/numbers.js';
import { OTHER_ORIENTATIONS } from '../align/search.js';
import type { Motion } from '../align/transformation.js';
import { type Finding, type FindingItem, finding } from './finding.js';
import { sizeOf } from './imageFindings.js';
import { NOTABLE, type PairTable } from './measures/pairTable.js';
import { median } from './measures/robust.js';
import type { Scan, ScannedPair } from './scan.js';

/** The number of pairs from which what all of them share is believed, and the share of them that may be called all. */
const ENOUGH = 20;
const NEARLY_ALL = 0.8;

/** Finds pairs whose images do not lie on each other, and what all pairs have in common. */
export function alignmentFindings(scan: Scan): Finding[] {
  return [...misaligned(scan), ...turned(scan), ...commonShift(scan), ...commonOrientation(scan)];
}

type PairItem = FindingItem & { readonly value: number };

/** The item of each measured pair that is at fault, the worst first. */
function itemsOf(
  { dataset, images, pairs }: Scan,
  isFaulty: (pair: ScannedPair, position: number) => boolean,
  tell: (pair: ScannedPair, position: number) => { readonly how: string; readonly value: number },
): PairItem[] {
  const items = pairs.flatMap((pair): PairItem[] => {
    const { a, b, table } = pair;
    const [modality, against] = [dataset.modalities[b]!, dataset.modalities[a]!];
    return table
      .measured()
      .filter((position) => isFaulty(pair, position))
      .map((position) => {
        const uncertainty = table.uncertainty[position]!;
        const { how, value } = tell(pair, position);
        return {
          ids: [dataset.samples[position]!.id],
          modality,
          detail: `${modality} ${how} against ${against} (± ${fixed(uncertainty, 1)} px), in an image of ${sizeOf(images[b]!, position)}`,
          value,
          placement: { against, ...table.motionAt(position), uncertainty },
        };
      });
  });
  return items.sort((one, other) => other.value - one.value);
}

function misaligned(scan: Scan): Finding[] {
  const items = itemsOf(
    scan,
    ({ table }, position) => table.misaligned[position] !== 0,
    ({ b, table }, position) => {
      const { width, height } = scan.images[b]!.sizeAt(position);
      const motion = table.motionAt(position);
      const how = motionInWords(motion, Math.max(width, height), table.uncertainty[position]!);
      return { how, value: table.displacement[position]! };
    },
  );
  return finding({
    code: 'misaligned',
    severity: 'warning',
    title: 'Misaligned pairs',
    explanation:
      'Moved, turned or scaled, the two images share clearly more information than as they lie; the method compares the same place in both. The number after ± is by how much the ways from one image to the other and back, measured one by one, miss each other. Some modalities, and dark borders, mislead the measure.',
    fix: 'Look whether the two belong together: mates exchanged between samples also look best at some shift. If they do, register them again; else leave them out.',
    items,
  });
}

function turned(scan: Scan): Finding[] {
  const items = itemsOf(
    scan,
    ({ table }, position) => table.orientation[position] !== 0,
    ({ table }, position) => ({
      how: `is ${orientationInWords(table.orientation[position]!)}`,
      value: table.gain[position]!,
    }),
  );
  return finding({
    code: 'turned',
    severity: 'warning',
    title: 'Pairs of which one image is mirrored or turned',
    explanation:
      'Mirrored, or turned by a quarter or a half, the one image shares far more with the other than upright. Many organs are nearly symmetric, so that a mirror image is no certain sign: look at them.',
    fix: 'Turn back the image that is wrong and check how it was exported: labels such as left and right may be exchanged too.',
    items,
  });
}

/** Writes a motion, as in `lies 12.0 px to the right, turned 3.1° clockwise`, without parts that may be chance. */
function motionInWords({ right, down, degrees, scale }: Motion, side: number, uncertainty: number): string {
  const radius = side / 3;
  const pixels = (value: number) => `${fixed(Math.abs(value), 1)} px`;
  const parts = [
    { length: Math.abs(right), words: `${pixels(right)} to the ${right > 0 ? 'right' : 'left'}` },
    { length: Math.abs(down), words: `${pixels(down)} ${down > 0 ? 'down' : 'up'}` },
    {
      length: radius * Math.abs((degrees * Math.PI) / 180),
      words: `turned ${fixed(Math.abs(degrees), 1)}° ${degrees > 0 ? 'clockwise' : 'counterclockwise'}`,
    },
    { length: radius * Math.abs(Math.log(scale)), words: `${fixed(scale, 2)} times as large` },
  ];
  const sure = parts.filter(({ length }) => length >= Math.max(0.05, 2 * uncertainty));
  // Small parts may add up to a motion that is none of them alone.
  const told = sure.length > 0 ? sure : parts;
  return `lies ${told.map(({ words }) => words).join(', ')}`;
}

/** By the numbers that a pair table gives to orientations. */
function orientationInWords(number: number): string {
  const { degrees, mirrored } = OTHER_ORIENTATIONS[number - 1]!;
  if (!mirrored)
    return degrees === 180 ? 'upside down' : `turned 90° ${degrees === 90 ? '' : 'counter'}clockwise`;
  if (degrees % 180 === 0) return `mirrored ${degrees === 0 ? 'top to bottom' : 'left to right'}`;
  return `mirrored left to right and turned 90° ${degrees === 270 ? '' : 'counter'}clockwise`;
}

/** Finds a shift that pairs share. It is a fault of the export, even if each is too small to stand out. */
function commonShift({ dataset, images, pairs }: Scan): Finding[] {
  const items = pairs.flatMap(({ a, b, table }) => {
    const upright = table.measured().filter((position) => table.orientation[position] === 0);
    // How mirrored images lie upright to each other says nothing.
    if (upright.length < ENOUGH || sharedOrientation(table) !== undefined) return [];
    const x = median(upright.map((position) => table.x[position]!));
    const y = median(upright.map((position) => table.y[position]!));
    const side = median(
      upright.map((position) => Math.max(images[b]!.width[position]!, images[b]!.height[position]!)),
    );
    if (Math.hypot(x, y) < Math.max(1, NOTABLE * side)) return [];
    const modality = dataset.modalities[b]!;
    const words = motionInWords({ right: x, down: y, degrees: 0, scale: 1, mirrored: false }, side, 0);
    const detail = `${modality} ${words} against ${dataset.modalities[a]}, in the median pair`;
    return [{ ids: [], modality, detail, value: Math.hypot(x, y) }];
  });
  return finding({
    code: 'common-shift',
    severity: 'warning',
    title: 'All pairs are shifted alike',
    explanation: 'By a margin, a crop or a cut between two halves that is off.',
    fix: 'Correct it for all pairs at once, where they are exported or cropped.',
    items,
  });
}

/**
 * Finds an orientation that nearly all pairs prefer to lying upright. Of each alone it may be no clear sign, but chance
 * would prefer another one in each.
 */
function commonOrientation({ dataset, pairs }: Scan): Finding[] {
  const items = pairs.flatMap(({ a, b, table }) => {
    const first = sharedOrientation(table);
    if (first === undefined) return [];
    const modality = dataset.modalities[b]!;
    const detail = `${modality} is ${orientationInWords(first.number)} against ${dataset.modalities[a]}: so ${first.likelier} of ${numbered(first.measured, 'pair')} share more than as they lie`;
    return [{ ids: [], modality, detail, value: first.likelier / first.measured }];
  });
  return finding({
    code: 'common-orientation',
    severity: 'warning',
    title: 'All pairs are mirrored or turned alike',
    explanation:
      'Nearly all pairs share more in one other orientation than upright, which chance does not do: one modality was exported in another orientation. In a nearly symmetric organ no single pair shows it clearly.',
    fix: 'Turn the images of one modality, where they are exported; look at some pairs first.',
    items,
  });
}

/** The number of the orientation that nearly all pairs prefer, with how many do, of how many. */
function sharedOrientation(
  table: PairTable,
): { number: number; likelier: number; measured: number } | undefined {
  const measured = table.measured();
  if (measured.length < ENOUGH) return undefined;
  const count = (holds: (position: number) => boolean) => measured.filter(holds).length;
  const [first] = OTHER_ORIENTATIONS.map((_, i) => ({
    number: i + 1,
    likelier: count((position) => (table.likelier[position]! & (1 << i)) !== 0),
    likeliest: count((position) => table.likeliest[position] === i + 1),
    measured: measured.length,
  }))
    .filter(({ likelier }) => likelier >= NEARLY_ALL * measured.length)
    .sort((one, other) => other.likeliest - one.likeliest);
  return first;
}
