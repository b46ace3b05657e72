/** Tells by their headers whether the DICOM images of one sample lie at the same place. */
import type { DicomHeader } from '../formats/index.js';

type Placed = Pick<DicomHeader, 'rows' | 'columns' | 'geometry'>;

/**
 * The tolerance for the corners of two images, in pixels. Headers hold decimal numbers, which some programs round to
 * three digits; neighbouring slices lie further apart.
 */
const MOST_PIXELS_APART = 0.5;

/**
 * Measures how far the corners of two images, or of the first and last frames of two files, lie apart by what both
 * headers say: spacing, orientation and position. What one of them does not say cannot contradict, and positions from
 * different origins cannot either.
 *
 * @returns the distance in millimetres; undefined where nothing contradicts
 */
export function millimetresApart(a: Placed, b: Placed): number | undefined {
  const distances = a.geometry.map((_, i) => (i < b.geometry.length ? framesApart(a, b, i) : 0));
  const furthest = Math.max(...distances);
  return furthest > 0 ? furthest : undefined;
}

/** Measures the distance for one of the frames; 0 within the tolerance. */
function framesApart(a: Placed, b: Placed, i: number): number {
  const [first, second] = [a.geometry[i]!, b.geometry[i]!];
  const sameSize = a.rows === b.rows && a.columns === b.columns;
  if (first.spacing === undefined || first.spacing.at !== second.spacing?.at) return 0;
  // Only a part of a screen has the spacing of its region, so screens of other sizes cannot be laid on each other.
  if (first.spacing.at === 'screen' && !sameSize) return 0;
  const [origin, other] = [first.frameOfReference, second.frameOfReference];
  const oneOrigin = origin === undefined || other === undefined || origin === other;
  const known = {
    orientation: oneOrigin && first.orientation !== undefined && second.orientation !== undefined,
    position: oneOrigin && first.position !== undefined && second.position !== undefined,
  };
  const [ours, theirs] = [cornersOf(a, i, known), cornersOf(b, i, known)];
  const apart = ours.map((corner, k) =>
    Math.hypot(...corner.map((value, axis) => value - theirs[k]![axis]!)),
  );
  const edges = [first.spacing, second.spacing].flatMap(({ across, down }) => [across, down]);
  // Images of different numbers of pixels may agree in the centres or in the edges of their first ones.
  const edge = sameSize ? Math.min(...edges) : 2 * Math.max(...edges);
  const furthest = Math.max(...apart);
  return furthest > MOST_PIXELS_APART * edge ? furthest : 0;
}

/**
 * Finds the outer corners of an image in millimetres. Where orientations or positions are not known of both images,
 * these are laid side on side and corner on corner.
 */
function cornersOf(
  { rows, columns, geometry }: Placed,
  i: number,
  known: { orientation: boolean; position: boolean },
): readonly (readonly number[])[] {
  const { spacing, orientation, position } = geometry[i]!;
  const [x0, x1, x2, y0, y1, y2] = known.orientation ? orientation! : [1, 0, 0, 0, 1, 0];
  const [from, origin] = known.position ? [-0.5, position!] : [0, [0, 0, 0]];
  const directions = [
    [x0!, y0!],
    [x1!, y1!],
    [x2!, y2!],
  ] as const;
  return [0, 1, 2, 3].map((corner) => {
    const across = (from + (corner % 2) * columns) * spacing!.across;
    const down = (from + (corner >> 1) * rows) * spacing!.down;
    return directions.map(([x, y], axis) => origin[axis]! + across * x + down * y);
  });
}
