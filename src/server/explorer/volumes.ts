/** Leads from the samples of a run that are slices back to their volumes. */
import { affineOfCodes, readVolumeHeader, UNTOLD } from '../../data/formats/index.js';
import { DataError, UsageError } from '../../errors.js';
import type { CaseVolumes, VolumeFile } from '../messages.js';
import { type OpenRun, requireImage, requireSample } from './openRun.js';
import { isOfVolume, slicesOf, volumeNumbers } from './slices.js';
import { refuseLarge, requireVolume, type VolumePlace } from './volumeFile.js';

/** @throws UsageError where the image is no slice of a volume */
export function volumePlace(
  { dataset, volumeState }: Pick<OpenRun, 'dataset' | 'volumeState'>,
  sample: number,
  modality: string,
): VolumePlace {
  requireImage(dataset, sample, modality);
  const { id, images } = dataset.samples[sample]!;
  const image = images[modality]!;
  if (!isOfVolume(image)) throw new UsageError(`"${id}": its image of ${modality} is no slice of a volume`);
  return { path: image.path, state: volumeState(image.path) };
}

/** @throws UsageError where the sample is no slice of a volume */
export async function caseVolumes(
  { dataset, volumeState }: Pick<OpenRun, 'dataset' | 'volumeState'>,
  sample: number,
): Promise<CaseVolumes> {
  const slices = slicesOf(requireSample(dataset, sample));
  const [first] = slices;
  if (first === undefined) throw new UsageError(`sample ${sample} is no slice of a volume`);
  const { axis } = first[1].part;
  let dims: CaseVolumes['dims'] = null;
  const files: Record<string, VolumeFile | { refused: string }> = {};
  for (const [modality, { path, part }] of slices) {
    try {
      const bytes = await requireVolume({ path, state: volumeState(path) });
      const header = await readVolumeHeader(path, Number.POSITIVE_INFINITY);
      dims = header.dims;
      refuseLarge(path, bytes, 'long');
      refuseLarge(path, header.voxelBytes, 'unzipped');
      files[modality] = {
        bytes,
        affine: header.affine ?? affineOfCodes(part.orientation ?? UNTOLD, header.spacing),
      };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      files[modality] = { refused: error.message };
    }
  }
  const numbers = volumeNumbers(dataset);
  const of = new Map<number, number>();
  for (const [place, one] of dataset.samples.entries()) {
    if (numbers[place] === numbers[sample]) of.set(slicesOf(one)[0]![1].part.index, place);
  }
  const length = dims?.[axis] ?? Math.max(...of.keys()) + 1;
  return { axis, dims, samples: Array.from({ length }, (_, slice) => of.get(slice) ?? null), files };
}
