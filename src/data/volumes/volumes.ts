/** The room `data/volumes` turns files that hold many images into many samples: volumes by slice, DICOM by frame. */
import { DataError, UsageError } from '../../errors.js';
import type { FaultySample, Reading } from '../faults.js';
import { fileKind } from '../formats/fileKind.js';
import { type DicomHeader, readDicomHeader, readVolumeHeader, volumeContent } from '../formats/index.js';
import { mapOrdered } from '../mapOrdered.js';
import type { FileSource, ImagePart, Sample } from '../sample.js';
import { millimetresApart } from './dicomPlanes.js';
import { type FoundNote, noteWarnings } from './headerNotes.js';

/** The choice of the slices of a volume that become samples. */
export interface VolumeOptions {
  /** The axis across which slices lie: a stored one, or that of a plane, found by the file's orientation. */
  readonly axis: 0 | 1 | 2 | 'axial' | 'coronal' | 'sagittal';
  readonly from: number | null;
  readonly to: number | null;
  readonly step: number;
  /** The least share of pixels above the volume's darkest value; slices with less are left out. */
  readonly content: number;
}

const ALL_SLICES: VolumeOptions = { axis: 'axial', from: null, to: null, step: 1, content: 0 };

/** The number of samples that are taken apart at a time. */
const AT_ONCE = 4;

/**
 * Takes samples whose files are NIfTI volumes or multi-frame DICOM apart into one sample for each slice or frame,
 * which keep subject, label, fold and all else. `p1` becomes `p1/z=000`, `p1/z=001`, … (x, y, z: the first, second
 * and third stored axis, counted from 0) or `p1/frame=0`, …. Other samples stay as they are. A sample is faulty if
 * its modalities are not on one grid, or if no slice is left of it. Warnings tell of DICOM headers that were not
 * believed.
 *
 * @throws UsageError if no slice can be among those asked for
 */
export async function expandVolumes(
  samples: readonly Sample[],
  volumes: VolumeOptions = ALL_SLICES,
): Promise<Reading> {
  if (volumes.from !== null && volumes.to !== null && volumes.from > volumes.to) {
    throw new UsageError(
      `data.volumes.from is ${volumes.from} and data.volumes.to is ${volumes.to}: there is no slice from the one to the other.`,
    );
  }
  const expanded: Sample[] = [];
  const faulty: FaultySample[] = [];
  const notes: FoundNote[] = [];
  const all = mapOrdered(samples, AT_ONCE, async (sample) => {
    try {
      return await expand(sample, volumes);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return { kind: 'bad-row', id: sample.id, problems: [error.message] } as const;
    }
  });
  for await (const result of all) {
    if ('problems' in result) faulty.push(result);
    else {
      expanded.push(...result.samples);
      notes.push(...result.notes);
    }
  }
  return {
    samples: expanded,
    faults: [
      {
        headline: (problems) =>
          `${problems} ${problems === 1 ? 'sample' : 'samples'} cannot be taken apart into slices`,
        fix: 'Correct these samples, or leave them out.',
        faulty,
      },
    ],
    warnings: noteWarnings(notes, samples.length),
  };
}

/** The content of one modality's file. */
interface Stack {
  readonly modality: string;
  readonly source: FileSource;
  /**
   * The size in words, for messages and to compare: `240×240×155 voxels`, `12 frames of 640×480 pixels`, `one image`.
   */
  readonly shape: string;
  readonly dicom?: DicomHeader;
  readonly volume?: Awaited<ReturnType<typeof readVolumeHeader>>;
}

interface Expanded {
  readonly samples: readonly Sample[];
  readonly notes: readonly FoundNote[];
}

async function expand(sample: Sample, volumes: VolumeOptions): Promise<Expanded> {
  const files = Object.entries(sample.images).filter(
    (entry): entry is [string, FileSource] => entry[1].kind === 'file' && entry[1].part === undefined,
  );
  const stacks = await Promise.all(files.map(([modality, source]) => readStack(modality, source)));
  const [first, ...others] = stacks;
  if (first === undefined) return { samples: [sample], notes: [] };
  for (const other of others) refuseOtherGrid(sample, first, other);
  const notes = stacks.flatMap(({ modality, dicom }) =>
    (dicom?.notes ?? []).map((note) => ({ ...note, id: sample.id, modality })),
  );
  const { dicom, volume } = first;
  if (volume !== undefined) return { samples: await slicesOf(sample, stacks, volume, volumes), notes };
  const frames = dicom?.frames ?? 1;
  if (frames === 1) return { samples: [sample], notes };
  const parts = Array.from({ length: frames }, (_, index) =>
    partOf(sample, `frame=${index}`, { kind: 'frame', index }),
  );
  return { samples: parts, notes };
}

const ONE_IMAGE = 'one image';

async function readStack(modality: string, source: FileSource): Promise<Stack> {
  const { path } = source;
  const kind = await fileKind(path);
  if (kind === 'volume') {
    const volume = await readVolumeHeader(path);
    return { modality, source, shape: `${volume.dims.join('×')} voxels`, volume };
  }
  if (kind === 'dicom') {
    const dicom = await readDicomHeader(path);
    const { frames, rows, columns } = dicom;
    const shape = frames > 1 ? `${frames} frames of ${columns}×${rows} pixels` : ONE_IMAGE;
    return { modality, source, shape, dicom };
  }
  return { modality, source, shape: ONE_IMAGE };
}

function refuseOtherGrid({ id }: Sample, a: Stack, b: Stack): void {
  if (a.dicom && b.dicom && a.shape === b.shape) refuseOtherPlane(id, [a, a.dicom], [b, b.dicom]);
  const apart = a.volume && b.volume && a.shape === b.shape ? voxelsApart(a.volume, b.volume) : 0;
  if (a.shape === b.shape && apart <= MOST_VOXELS_APART) return;
  const where = apart > 0 ? `, and their voxels lie up to ${apart.toPrecision(2)} voxels apart` : '';
  throw new DataError(
    `"${id}": ${a.modality} and ${b.modality} are not co-registered: ${a.source.path} has ${a.shape}, ` +
      `${b.source.path} ${b.shape}${where}. Bring them onto one grid first.`,
  );
}

function refuseOtherPlane(
  id: string,
  [a, first]: readonly [Stack, DicomHeader],
  [b, second]: readonly [Stack, DicomHeader],
): void {
  const apart = millimetresApart(first, second);
  if (apart === undefined) return;
  const [here, there] = [first, second].map(({ columns, rows, geometry }) => {
    const { across, down } = geometry[0]!.spacing!;
    return `${columns}×${rows} pixels of ${across}×${down} mm`;
  });
  throw new DataError(
    `"${id}": ${a.modality} and ${b.modality} are not co-registered: by their headers ${a.source.path} has ${here}, ` +
      `${b.source.path} ${there}, and their corners lie up to ${apart.toPrecision(2)} mm apart. ` +
      'Bring them onto one grid first, or correct the headers.',
  );
}

/** The tolerance for the grids of two volumes, in voxels: headers of different programs differ in the last digits. */
const MOST_VOXELS_APART = 0.1;

type Volume = NonNullable<Stack['volume']>;

/**
 * The greatest distance at which two grids of the same size place the same voxel, in units of the first one's
 * smallest edge.
 */
function voxelsApart({ dims, affine: a }: Volume, { affine: b }: Volume): number {
  if (a === undefined || b === undefined) return 0;
  const length = (vector: readonly number[]) => Math.hypot(...vector);
  // The difference of two affine maps is affine, so it is greatest at a corner.
  const corners = Array.from({ length: 8 }, (_, corner) =>
    dims.map((size, axis) => ((corner >> axis) & 1) * (size - 1)),
  );
  const apart = corners.map((corner) =>
    length(
      [0, 1, 2].map((row) =>
        [...corner, 1].reduce((sum, at, i) => sum + (a[row]![i]! - b[row]![i]!) * at, 0),
      ),
    ),
  );
  const edge = Math.min(...[0, 1, 2].map((axis) => length([0, 1, 2].map((row) => a[row]![axis]!))));
  return Math.max(...apart) / edge;
}

async function slicesOf(
  sample: Sample,
  stacks: readonly Stack[],
  { dims, axisOf }: Volume,
  { axis: asked, from, to, step, content }: VolumeOptions,
): Promise<readonly Sample[]> {
  const axis = typeof asked === 'number' ? asked : axisOf(asked);
  const shares =
    content > 0 ? await Promise.all(stacks.map(({ source }) => volumeContent(source.path, axis))) : [];
  const slices: Sample[] = [];
  // Volumes differ in length, so the slices of one end with it where it ends before `to`.
  for (let index = from ?? 0; index <= Math.min(to ?? Infinity, dims[axis] - 1); index += step) {
    if (shares.some((share) => share[index]! < content)) continue;
    const name = `${'xyz'[axis]}=${String(index).padStart(3, '0')}`;
    slices.push(partOf(sample, name, { kind: 'slice', axis, index }));
  }
  if (slices.length > 0) return slices;
  throw new DataError(
    `"${sample.id}": none of the ${dims[axis]} slices is left: data.volumes asks for slices ${from ?? 0} to ` +
      `${to ?? 'the last'}, content ${content} or more. Widen these settings, or leave the sample out.`,
  );
}

function partOf(sample: Sample, name: string, part: ImagePart): Sample {
  const images = Object.entries(sample.images).map(([modality, source]) => [
    modality,
    source.kind === 'file' ? { ...source, part } : source,
  ]);
  return { ...sample, id: `${sample.id}/${name}`, images: Object.fromEntries(images) };
}
