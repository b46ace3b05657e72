/** Takes slices out of NIfTI volumes, turned as radiology shows them. */
import { DataError } from '../../errors.js';
import { Distribution, type Values } from './distribution.js';
import { readBytes, readHead } from './fileBytes.js';
import { NIFTI_HEAD, type NiftiHeader, readNiftiHeader, readVoxels } from './nifti.js';
import { emptyLike, type Pixels } from './pixels.js';
import { RecentFiles } from './recentFiles.js';

/** A stored axis of a volume. */
export type Axis = 0 | 1 | 2;
/** A plane across the patient, named as radiologists do. */
export type Plane = 'axial' | 'coronal' | 'sagittal';

/** The facts in a volume's header. */
export interface VolumeHeader {
  /** The numbers of voxels along the stored axes. */
  readonly dims: readonly [number, number, number];
  /** The distances between voxel centres along the stored axes, in millimetres. */
  readonly spacing: readonly [number, number, number];
  /**
   * The map from voxel indices to millimetres to the patient's right, front and top: three rows of four. It is
   * undefined where the file does not say how the patient lay.
   */
  readonly affine?: readonly (readonly number[])[];
  /**
   * Finds the stored axis that runs most nearly across a plane.
   *
   * @throws DataError if the file does not say how the patient lay
   */
  axisOf(plane: Plane): Axis;
}

/** The patient's axes (right, front, top) of each plane: one is its normal, one runs across the image, one down it. */
const PLANES: Readonly<Record<Plane, { normal: Axis; across: Axis; down: Axis }>> = {
  axial: { normal: 2, across: 0, down: 1 },
  coronal: { normal: 1, across: 0, down: 2 },
  sagittal: { normal: 0, across: 1, down: 2 },
};

interface Volume {
  readonly header: NiftiHeader;
  readonly values: Values;
  readonly distribution: Distribution;
}

const volumes = new RecentFiles<Volume>(
  async (path) => {
    const bytes = await readBytes({ kind: 'file', path });
    const header = readNiftiHeader(bytes.subarray(0, NIFTI_HEAD), path);
    const values = await readVoxels(bytes, header, path);
    return {
      content: { header, values, distribution: new Distribution(values) },
      bytes: values.byteLength,
    };
  },
  // This is room for two to five modalities of one patient, with those of the next.
  { files: 10, bytes: 2 ** 30 },
);

/**
 * Reads the header of a NIfTI volume, unzipping no more than that.
 *
 * @throws DataError if the file is no NIfTI file of one volume
 */
export async function readVolumeHeader(path: string): Promise<VolumeHeader> {
  const { dims, spacing, affine } = readNiftiHeader(await readHead(path, NIFTI_HEAD), path);
  return {
    dims,
    spacing,
    affine,
    axisOf: (plane) => {
      if (affine === undefined) {
        throw new DataError(
          `${path}: does not say how the patient lay (no sform, no qform), so ${plane} slices cannot be told. ` +
            'Name the stored axis: --set data.volumes.axis=0, 1 or 2.',
        );
      }
      return patientAxes(affine).findIndex(({ axis }) => axis === PLANES[plane].normal) as Axis;
    },
  };
}

/** Measures, for each slice across a stored axis, the share of its voxels above the volume's darkest value. */
export async function volumeContent(path: string, axis: Axis): Promise<Float64Array> {
  const { header, values, distribution } = await volumes.get(path);
  const [darkest] = distribution.extremes();
  const length = header.dims[axis];
  const stride = strides(header)[axis]!;
  const share = new Float64Array(length);
  for (let i = 0; i < values.length; i += 1) {
    if (values[i]! > darkest) share[Math.floor(i / stride) % length]! += 1;
  }
  return share.map((count) => count / (values.length / length));
}

/**
 * Reads one slice of a volume as radiology shows it: axial with the patient's right on the image's left and the front
 * up, coronal with the right on the left and the top up, sagittal with the front on the left and the top up. The
 * plane is the one that the stored axis runs across most nearly; nothing is interpolated. Without an orientation in
 * the file its axes are taken to run right, front, top, as nifti1.h does. Voxels need not be square: the image keeps
 * one pixel for each voxel.
 *
 * @throws DataError if the file is no readable volume or has no such slice
 */
export async function readSlice(path: string, axis: Axis, index: number): Promise<Pixels> {
  const { header, values, distribution } = await volumes.get(path);
  const { dims } = header;
  if (!Number.isInteger(index) || index < 0 || index >= dims[axis]) {
    throw new DataError(
      `${path}: has no slice ${index} across axis ${axis}; it has ${dims[axis]} (${dims.join('×')} voxels), counted from 0.`,
    );
  }
  const [x, y] = sliceAxes(header, axis);
  const stride = strides(header);
  // The image's axes run to the left, to the back and to the feet.
  const [stepX, stepY] = [x, y].map(({ stored, sign }) => -sign * stride[stored]!) as [number, number];
  const first = [x, y].reduce(
    (at, { stored, sign }) => at + (sign > 0 ? (dims[stored] - 1) * stride[stored]! : 0),
    index * stride[axis]!,
  );
  const [width, height] = [dims[x.stored], dims[y.stored]];
  const data = emptyLike(values, width * height);
  for (let row = 0; row < height; row += 1) {
    let from = first + row * stepY;
    for (let column = 0; column < width; column += 1) {
      data[row * width + column] = values[from]!;
      from += stepX;
    }
  }
  return { width, height, channels: 1, data, population: distribution };
}

/** Reads width and height of a slice from the header alone. */
export async function sliceSize(path: string, axis: Axis): Promise<{ width: number; height: number }> {
  const header = readNiftiHeader(await readHead(path, NIFTI_HEAD), path);
  const [x, y] = sliceAxes(header, axis);
  return { width: header.dims[x.stored], height: header.dims[y.stored] };
}

/** A stored axis, with the patient's axis (0 right, 1 front, 2 top) that it runs along: towards it (1) or away (−1). */
interface PatientAxis {
  readonly stored: Axis;
  readonly axis: Axis;
  readonly sign: 1 | -1;
}

/** Finds the stored axes that run across and down the image of a slice. */
function sliceAxes({ affine }: NiftiHeader, normal: Axis): readonly [PatientAxis, PatientAxis] {
  const axes = patientAxes(affine);
  const plane = Object.values(PLANES).find((candidate) => candidate.normal === axes[normal]!.axis)!;
  const along = (wanted: Axis) => axes.find(({ axis }) => axis === wanted)!;
  return [along(plane.across), along(plane.down)];
}

function strides({ dims }: NiftiHeader): readonly [number, number, number] {
  return [1, dims[0], dims[0] * dims[1]];
}

/**
 * Finds, for each stored axis, the patient's axis that it runs along most nearly. Each is taken once, the clearest
 * first.
 */
function patientAxes(affine: NiftiHeader['affine']): readonly PatientAxis[] {
  const stored: readonly Axis[] = [0, 1, 2];
  if (affine === undefined) return stored.map((axis) => ({ stored: axis, axis, sign: 1 }));
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
