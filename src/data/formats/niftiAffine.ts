/** Finds where the voxels of a NIfTI volume lie in the patient, from the fields of its header. */

/** Three rows of four: voxel indices → millimetres to the patient's right, front and top. */
export type Affine = readonly (readonly number[])[];

/** The fields of the header, named as in nifti1.h. */
export interface OrientationFields {
  readonly pixdim: readonly number[];
  readonly qformCode: number;
  readonly sformCode: number;
  /** The quaternion's b, c and d. */
  readonly quatern: readonly number[];
  readonly qoffset: readonly number[];
  /** The three rows of the sform. */
  readonly srow: Affine;
}

export interface Orientation {
  /** The sform if there is one that can be used, else such a qform; undefined if the file has neither. */
  readonly affine?: Affine;
  /** What is wrong with a map that the header declares and that is not used, as in `sform is singular`. */
  readonly unusable?: string;
  /**
   * What the header does not give of `affine`: the length of its steps, which count as 1, or the place of the first
   * voxel, which counts as 0.
   */
  readonly lacks?: 'voxel size' | 'offset';
}

/**
 * Chooses the sform if there is one, else the qform, as nibabel and ITK do. A map that turns voxels in no direction, or
 * places all of them in one plane, is none, nor is one of a code that the format does not know.
 */
export function orientationOf(fields: OrientationFields): Orientation {
  const unusable: string[] = [];
  if (fields.sformCode !== 0) {
    const fault = codeFault(fields.sformCode) ?? faultOf(fields.srow);
    if (fault === undefined) return placed(fields.srow);
    unusable.push(`sform ${fault}`);
  }
  if (fields.qformCode !== 0) {
    const affine = qformAffine(fields);
    const fault = codeFault(fields.qformCode) ?? (affine === undefined ? 'is no rotation' : faultOf(affine));
    if (fault === undefined) {
      const sized = [1, 2, 3].every((axis) => stepOf(fields.pixdim, axis) !== undefined);
      return { ...placed(affine!), ...(sized ? {} : { lacks: 'voxel size' }), unusable: unusable[0] };
    }
    unusable.push(`qform ${fault}`);
  }
  return { unusable: unusable.length === 0 ? undefined : unusable.join(', ') };
}

/** The greatest code of a map in nifti1.h. */
const LAST_CODE = 5;

function codeFault(code: number): string | undefined {
  return code >= 1 && code <= LAST_CODE ? undefined : `has the unknown code ${code}`;
}

/** Gives a map a place of 0 where it has none. The directions hold without it. */
function placed(affine: Affine): Orientation {
  if (affine.every(([, , , offset]) => Number.isFinite(offset))) return { affine };
  return { affine: affine.map((row) => [...row.slice(0, 3), 0]), lacks: 'offset' };
}

/** The least volume of the box that unit steps along the voxels' axes span; less is singular. */
const LEAST_VOLUME = 1e-4;

function faultOf(affine: Affine): string | undefined {
  if (affine.some((row) => !row.slice(0, 3).every(Number.isFinite))) return 'is not finite';
  const columns = [0, 1, 2].map((axis) => affine.map((row) => row[axis]!));
  const [a, b, c] = columns.map((column) => {
    const length = Math.hypot(...column) || 1;
    return column.map((value) => value / length);
  }) as [number[], number[], number[]];
  const volume =
    a[0]! * (b[1]! * c[2]! - b[2]! * c[1]!) +
    a[1]! * (b[2]! * c[0]! - b[0]! * c[2]!) +
    a[2]! * (b[0]! * c[1]! - b[1]! * c[0]!);
  return Math.abs(volume) < LEAST_VOLUME ? 'is singular' : undefined;
}

/** Gives the voxel's size along an axis (1, 2, 3); undefined where the header says none. */
function stepOf(pixdim: readonly number[], axis: number): number | undefined {
  const size = Math.abs(pixdim[axis]!);
  return Number.isFinite(size) && size > 0 ? size : undefined;
}

/** The excess of b² + c² + d² over 1 that rounding may leave. */
const ROUNDING = 1e-3;

/**
 * Makes the affine map by method 2 of nifti1.h: a rotation by the unit quaternion (a, b, c, d), the voxels' sizes and
 * the sign of the third axis. A size of 0 counts as 1, as in nifti1_io.c.
 *
 * @returns undefined if b, c and d are too large for a unit quaternion
 */
function qformAffine({ quatern, qoffset, pixdim }: OrientationFields): number[][] | undefined {
  const squares = quatern.reduce((sum, part) => sum + part * part, 0);
  if (!(squares <= 1 + ROUNDING)) return undefined;
  const [b, c, d] = quatern.map((part) => part / Math.max(1, Math.sqrt(squares))) as [number, number, number];
  const a = Math.sqrt(Math.max(0, 1 - squares));
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
  ];
  const [x, y, z] = [1, 2, 3].map((axis) => stepOf(pixdim, axis) ?? 1) as [number, number, number];
  const steps = [x, y, pixdim[0]! < 0 ? -z : z];
  return rotation.map((row, i) => [...row.map((value, axis) => value * steps[axis]!), qoffset[i]!]);
}

/** A stored axis of a volume. */
export type Axis = 0 | 1 | 2;

/** A stored axis, with the patient's axis (0 right, 1 front, 2 top) that it runs along: towards it (1) or away (−1). */
export interface PatientAxis {
  readonly stored: Axis;
  readonly axis: Axis;
  readonly sign: 1 | -1;
}

/**
 * Finds, for each stored axis, the patient's axis that it runs along most nearly. Each is taken once, the clearest
 * first.
 */
export function patientAxes(affine: Affine): readonly PatientAxis[] {
  const stored: readonly Axis[] = [0, 1, 2];
  const candidates = stored.flatMap((column) => {
    const direction = affine.map((row) => row[column]!);
    const length = Math.hypot(...direction) || 1;
    return stored.map((axis) => ({ stored: column, axis, cosine: direction[axis]! / length }));
  });
  candidates.sort((a, b) => Math.abs(b.cosine) - Math.abs(a.cosine));
  const found: PatientAxis[] = [];
  for (const { stored: column, axis, cosine } of candidates) {
    if (found[column] !== undefined || found.some((other) => other?.axis === axis)) continue;
    found[column] = { stored: column, axis, sign: cosine < 0 ? -1 : 1 };
  }
  return found;
}

/** The letters of the patient's axes: towards (R, A, S) and away (L, P, I). */
const LETTERS = ['RL', 'AP', 'SI'] as const;

/** Writes the directions of the stored axes as letters, as in `LPS` for left, back, top. */
export function axisCodes(affine: Affine): string {
  return patientAxes(affine)
    .map(({ axis, sign }) => LETTERS[axis]![sign > 0 ? 0 : 1])
    .join('');
}

/** The map of a volume whose stored axes run as the letters say, with its first voxel at 0. */
export function affineOfCodes(codes: string, spacing: readonly number[]): Affine {
  const axes = axesOfCodes(codes);
  return [0, 1, 2].map((row) => [
    ...axes.map(({ axis, sign, stored }) => (axis === row ? sign * (spacing[stored]! || 1) : 0)),
    0,
  ]);
}

/** Reads letters that `axisCodes` wrote. */
export function axesOfCodes(codes: string): readonly PatientAxis[] {
  return [...codes].map((letter, stored) => {
    const axis = LETTERS.findIndex((pair) => pair.includes(letter));
    return { stored: stored as Axis, axis: axis as Axis, sign: LETTERS[axis]!.startsWith(letter) ? 1 : -1 };
  });
}
