/** Which samples are slices of volumes, and of which files. */
import { fileState } from '../../data/cache/unchanged.js';
import type { Dataset, FileSource, ImagePart, ImageSource, Sample } from '../../data/sample.js';
import { isSystemError } from '../../files.js';

export type Slice = FileSource & { readonly part: Extract<ImagePart, { kind: 'slice' }> };

/** For each sample that is a slice of volumes the first sample that is a slice of the same volumes. */
export function volumeNumbers({ samples }: Dataset): readonly (number | undefined)[] {
  const firsts = new Map<string, number>();
  return samples.map((sample, place) => {
    const [slice] = slicesOf(sample);
    if (slice === undefined) return undefined;
    const [modality, { path, part }] = slice;
    // By its file, as ids may be written in any way.
    const volume = `${modality} ${part.axis} ${path}`;
    if (!firsts.has(volume)) firsts.set(volume, place);
    return firsts.get(volume);
  });
}

/** The states of all files that slices come from, by path; without those that are not there. */
export function statesOfVolumes({ samples }: Dataset): ReadonlyMap<string, string> {
  const states = new Map<string, string>();
  const gone = new Set<string>();
  for (const { images } of samples) {
    for (const image of Object.values(images)) {
      if (!isOfVolume(image) || states.has(image.path) || gone.has(image.path)) continue;
      try {
        states.set(image.path, fileState(image.path));
      } catch (error) {
        if (!isSystemError(error)) throw error;
        gone.add(image.path);
      }
    }
  }
  return states;
}

/** The images of a sample that are slices of volumes, by modality. */
export function slicesOf({ images }: Sample): [modality: string, slice: Slice][] {
  return Object.entries(images).flatMap(([modality, image]): [string, Slice][] =>
    isOfVolume(image) ? [[modality, image]] : [],
  );
}

export function isOfVolume(image: ImageSource): image is Slice {
  return image.kind === 'file' && image.part?.kind === 'slice';
}
