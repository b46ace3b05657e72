/** The room `data/volumes` turns files that hold many images into many samples: volumes by slice, DICOM by frame. */
import { DataError, SettingNeeded, UsageError } from '../../errors.js';
import type { FaultySample, Reading } from '../faults.js';
import { fileKind } from '../formats/fileKind.js';
import {
  type Affine,
  axisCodes,
  type DicomHeader,
  readDicomHeader,
  readVolumeHeader,
  volumeContent,
} from '../formats/index.js';
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
 * its modalities are not on one grid, or if no slice is left of it. A volume that does not say how the patient lay is
 * taken to lie as its mate does; warnings tell of this, of orientations that cannot be used, and of DICOM headers that
 * were not believed.
 *
 * @param maxBytes the most bytes that a volume may take in memory
 * @throws UsageError if no slice can be among those asked for
 */
export async function expandVolumes(
  samples: readonly Sample[],
  volumes: VolumeOptions = ALL_SLICES,
  maxBytes?: number,
): Promise<Reading> {
  if (volumes.from !== null && volumes.to !== null && volumes.from > volumes.to) {
    throw new UsageError(
      `data.volumes.from is ${volumes.from} and data.volumes.to is ${volumes.to}: there is no slice from the one to the other.`,
    );
  }
  const expanded: Sample[] = [];
  const faulty: FaultySample[] = [];
  const notes: FoundNote[] = [];
  const told = new Map<string, string[]>();
  const all = mapOrdered(samples, AT_ONCE, async (sample) => {
    try {
      return await expand(sample, volumes, maxBytes);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const kind = error instanceof SettingNeeded ? 'needs-setting' : 'bad-row';
      return { kind, id: sample.id, problems: [error.message] } as const;
    }
  });
  for await (const result of all) {
    if ('problems' in result) {
      faulty.push(result);
      continue;
    }
    expanded.push(...result.slices);
    notes.push(...result.dicomNotes);
    for (const note of result.notes) told.set(note, [...(told.get(note) ?? []), result.id]);
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
    warnings: [
      ...noteWarnings(notes, samples.length),
      ...[...told].map(
        ([note, ids]) =>
          `${ids.length} of ${samples.length} samples (${ids[0]}${ids.length > 1 ? ', …' : ''}): ${note}`,
      ),
    ],
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
  readonly volume?: Volume;
}

type Volume = Awaited<ReturnType<typeof readVolumeHeader>>;

/** A sample taken apart. */
interface Expanded {
  readonly id: string;
  readonly slices: readonly Sample[];
  /** Sentences about what was assumed of its files. */
  readonly notes: readonly string[];
  /** What was not believed of its DICOM headers. */
  readonly dicomNotes: readonly FoundNote[];
}

async function expand(
  sample: Sample,
  volumes: VolumeOptions,
  maxBytes: number | undefined,
): Promise<Expanded> {
  const { id } = sample;
  const files = Object.entries(sample.images).filter(
    (entry): entry is [string, FileSource] => entry[1].kind === 'file' && entry[1].part === undefined,
  );
  const stacks = await Promise.all(files.map(([modality, source]) => readStack(modality, source, maxBytes)));
  // The others are measured against one that says how the patient lay.
  const reference = stacks.find(({ volume }) => volume?.affine !== undefined) ?? stacks[0];
  if (reference === undefined) return { id, slices: [sample], notes: [], dicomNotes: [] };
  for (const other of stacks) if (other !== reference) refuseOtherGrid(sample, reference, other);
  const notes = stacks.flatMap((stack) => orientationNotes(stack, reference));
  const dicomNotes = stacks.flatMap(({ modality, dicom }) =>
    (dicom?.notes ?? []).map((note) => ({ ...note, id, modality })),
  );
  const { dicom, volume } = reference;
  if (volume !== undefined) {
    return { id, slices: await slicesOf(sample, stacks, volume, volumes, maxBytes), notes, dicomNotes };
  }
  const frames = dicom?.frames ?? 1;
  if (frames === 1) return { id, slices: [sample], notes, dicomNotes };
  const slices = Array.from({ length: frames }, (_, index) =>
    partOf(sample, `frame=${index}`, () => ({ kind: 'frame', index })),
  );
  return { id, slices, notes, dicomNotes };
}

/** Tells what is taken where a volume's own header does not say, or says in a way that cannot be used. */
function orientationNotes({ modality, volume }: Stack, reference: Stack): string[] {
  if (volume === undefined) return [];
  const { affine, unusable, lacks } = volume;
  const mate = reference.volume?.affine === undefined ? undefined : reference.modality;
  const header = `the NIfTI header of ${modality}`;
  const fault = unusable === undefined ? `${header} says no orientation` : `in ${header} the ${unusable}`;
  if (affine === undefined && mate !== undefined) {
    return [`${fault}; it is taken to lie as ${mate}, which has as many voxels. Check that it does.`];
  }
  if (affine === undefined)
    return unusable === undefined ? [] : [`${fault}; it counts as without orientation.`];
  if (unusable !== undefined) return [`${fault}; the qform is taken.`];
  return lacks === undefined ? [] : [`${header} gives no valid ${lacks}, so only directions are compared.`];
}

const ONE_IMAGE = 'one image';

async function readStack(modality: string, source: FileSource, maxBytes: number | undefined): Promise<Stack> {
  const { path } = source;
  const kind = await fileKind(path);
  if (kind === 'volume') {
    const volume = await readVolumeHeader(path, maxBytes);
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
  const apart = a.volume && b.volume && a.shape === b.shape ? difference(a.volume, b.volume) : undefined;
  if (a.shape === b.shape && apart === undefined) return;
  throw new DataError(
    `"${id}": ${a.modality} and ${b.modality} are not co-registered: ${a.source.path} has ${a.shape}, ` +
      `${b.source.path} ${b.shape}${apart ?? ''}. Bring them onto one grid first.`,
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

/** Says, for the end of a sentence, how two grids of the same size differ; undefined where they do not. */
function difference(a: Volume, b: Volume): string | undefined {
  if (a.affine === undefined || b.affine === undefined) {
    if (a.affine === b.affine || !contradict(a.spacing, b.spacing)) return undefined;
    return `, and the voxels are of ${a.spacing.join('×')} and ${b.spacing.join('×')} mm`;
  }
  if (a.lacks !== undefined || b.lacks !== undefined) {
    const [codesA, codesB] = [axisCodes(a.affine), axisCodes(b.affine)];
    return codesA === codesB ? undefined : `, and their axes run ${codesA} and ${codesB}`;
  }
  const apart = voxelsApart(a.dims, a.affine, b.affine);
  if (apart <= MOST_VOXELS_APART) return undefined;
  return `, and their voxels lie up to ${apart.toPrecision(2)} voxels apart`;
}

/** Tells whether two headers give voxels of other sizes. Sizes of 1 or 0 stand where a program knew none. */
function contradict(a: readonly number[], b: readonly number[]): boolean {
  if ([a, b].some((sizes) => sizes.every((size) => !(size > 0) || size === 1))) return false;
  return a.some((size, axis) => Math.abs(size - b[axis]!) > 0.01 * size);
}

/** The tolerance for the grids of two volumes, in voxels: headers of different programs differ in the last digits. */
const MOST_VOXELS_APART = 0.1;

/**
 * The greatest distance at which two grids of the same size place the same voxel, in units of the first one's
 * smallest edge.
 */
function voxelsApart(dims: readonly number[], a: Affine, b: Affine): number {
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
  { dims, axisOf, affine }: Volume,
  { axis: asked, from, to, step, content }: VolumeOptions,
  maxBytes: number | undefined,
): Promise<readonly Sample[]> {
  const axis = typeof asked === 'number' ? asked : axisOf(asked);
  const shares =
    content > 0
      ? await Promise.all(stacks.map(({ source }) => volumeContent(source.path, axis, maxBytes)))
      : [];
  const codes = affine && axisCodes(affine);
  const untold = new Set(
    stacks.filter(({ volume }) => volume?.affine === undefined).map(({ modality }) => modality),
  );
  const slices: Sample[] = [];
  // Volumes differ in length, so the slices of one end with it where it ends before `to`.
  for (let index = from ?? 0; index <= Math.min(to ?? Infinity, dims[axis] - 1); index += step) {
    if (shares.some((share) => share[index]! < content)) continue;
    const name = `${'xyz'[axis]}=${String(index).padStart(3, '0')}`;
    const slice = { kind: 'slice', axis, index } as const;
    const turned = codes === undefined ? slice : { ...slice, orientation: codes };
    slices.push(partOf(sample, name, (modality) => (untold.has(modality) ? turned : slice)));
  }
  if (slices.length > 0) return slices;
  throw new DataError(
    `"${sample.id}": none of the ${dims[axis]} slices is left: data.volumes asks for slices ${from ?? 0} to ` +
      `${to ?? 'the last'}, content ${content} or more. Widen these settings, or leave the sample out.`,
  );
}

function partOf(sample: Sample, name: string, part: (modality: string) => ImagePart): Sample {
  const images = Object.entries(sample.images).map(([modality, source]) => [
    modality,
    source.kind === 'file' ? { ...source, part: part(modality) } : source,
  ]);
  return { ...sample, id: `${sample.id}/${name}`, images: Object.fromEntries(images) };
}
