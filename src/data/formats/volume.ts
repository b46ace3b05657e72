/** Takes slices out of NIfTI volumes, turned as radiology shows them. */
import { DataError, SettingNeeded } from '../../errors.js';
import { Distribution, type Values } from './distribution.js';
import { readBytes, readHead } from './fileBytes.js';
import { MAX_BYTES } from './limits.js';
import { NIFTI_HEAD, type NiftiHeader, readNiftiHeader, readVoxels } from './nifti.js';
import { type Affine, type Axis, axesOfCodes, type PatientAxis, patientAxes } from './niftiAffine.js';
import { emptyLike, type Pixels } from './pixels.js';
import { RecentFiles } from './recentFiles.js';

/** A plane across the patient, named as radiologists do. */
export type Plane = 'axial' | 'coronal' | 'sagittal';

/** The facts in a volume's header. */
export interface VolumeHeader {
  /** The numbers of voxels along the stored axes. */
  readonly dims: readonly [number, number, number];
  /** The distances between voxel centres along the stored axes, in millimetres. */
  readonly spacing: readonly [number, number, number];
  /** The bytes that all voxels take as they are stored, unzipped. */
  readonly voxelBytes: number;
  /**
   * The map from voxel indices to millimetres to the patient's right, front and top. It is undefined where the file
   * does not say how the patient lay.
   */
  readonly affine?: Affine;
  /** What is wrong with a map that the header declares and that is not used, as in `sform is singular`. */
  readonly unusable?: string;
  /** What the header does not give of `affine`, so that two volumes can be compared by directions alone. */
  readonly lacks?: 'voxel size' | 'offset';
  /**
   * Finds the stored axis that runs most nearly across a plane.
   *
   * @throws SettingNeeded if the file does not say how the patient lay
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
  async (path, maxBytes) => {
    const bytes = await readBytes({ kind: 'file', path });
    const header = readNiftiHeader(bytes.subarray(0, NIFTI_HEAD), path, maxBytes);
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
 * @throws DataError if the file is no NIfTI file of one volume, or that volume takes more than `maxBytes`
 */
export async function readVolumeHeader(path: string, maxBytes = MAX_BYTES): Promise<VolumeHeader> {
  const { dims, spacing, orientation, type } = readNiftiHeader(
    await readHead(path, NIFTI_HEAD),
    path,
    maxBytes,
  );
  const { affine, unusable = 'no sform, no qform' } = orientation;
  return {
    dims,
    spacing,
    voxelBytes: dims[0] * dims[1] * dims[2] * type.bytes,
    ...orientation,
    axisOf: (plane) => {
      if (affine === undefined) {
        throw new SettingNeeded(
          `${path}: does not say how the patient lay (${unusable}), so ${plane} slices cannot be told. ` +
            'Name the stored axis: --set data.volumes.axis=0, 1 or 2.',
          'data.volumes.axis',
        );
      }
      return patientAxes(affine).findIndex(({ axis }) => axis === PLANES[plane].normal) as Axis;
    },
  };
}

/** A slice across a stored axis; both are counted from 0. */
export interface Slice {
  readonly axis: Axis;
  readonly index: number;
  /** The directions of the stored axes, as in `LPS`; they count where the file says none. */
  readonly orientation?: string;
}

/** Measures, for each slice across a stored axis, the share of its voxels above the volume's darkest value. */
export async function volumeContent(path: string, axis: Axis, maxBytes = MAX_BYTES): Promise<Float64Array> {
  const { header, values, distribution } = await volumes.get(path, maxBytes);
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
export async function readSlice(
  path: string,
  { axis, index, orientation }: Slice,
  maxBytes = MAX_BYTES,
): Promise<Pixels> {
  const { header, values, distribution } = await volumes.get(path, maxBytes);
  const { dims } = header;
  if (!Number.isInteger(index) || index < 0 || index >= dims[axis]) {
    throw new DataError(
      `${path}: has no slice ${index} across axis ${axis}; it has ${dims[axis]} (${dims.join('×')} voxels), counted from 0.`,
    );
  }
  const [x, y] = sliceAxes(header, axis, orientation);
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
export async function sliceSize(
  path: string,
  { axis, orientation }: Omit<Slice, 'index'>,
): Promise<{ width: number; height: number }> {
  const header = readNiftiHeader(await readHead(path, NIFTI_HEAD), path, Number.POSITIVE_INFINITY);
  const [x, y] = sliceAxes(header, axis, orientation);
  return { width: header.dims[x.stored], height: header.dims[y.stored] };
}

/** The directions that nifti1.h gives to the axes of a file that says none. */
export const UNTOLD = 'RAS';

/** Finds the stored axes that run across and down the image of a slice. */
function sliceAxes(
  { orientation: { affine } }: NiftiHeader,
  normal: Axis,
  codes = UNTOLD,
): readonly [PatientAxis, PatientAxis] {
  const axes = affine === undefined ? axesOfCodes(codes) : patientAxes(affine);
  const plane = Object.values(PLANES).find((candidate) => candidate.normal === axes[normal]!.axis)!;
  const along = (wanted: Axis) => axes.find(({ axis }) => axis === wanted)!;
  return [along(plane.across), along(plane.down)];
}

function strides({ dims }: NiftiHeader): readonly [number, number, number] {
  return [1, dims[0], dims[0] * dims[1]];
}
