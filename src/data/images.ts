import { decodeImage, readImage } from './formats/image.js';
import { memberName, readMember } from './member.js';
import { readPackedImage } from './pack.js';
import type { Dataset, Raster, Sample } from './sample.js';

/**
 * One image of a sample as 8 bits, cropped and mapped as `dataset.preprocess` says: what the cache, the audit and packs see.
 *
 * @param size side at which a generated image is drawn; others keep their own size
 * @throws DataError if the image cannot be read
 */
export async function readSampleImage(
  _dataset: Pick<Dataset, 'preprocess'>,
  sample: Sample,
  modality: string,
  size: number,
): Promise<Raster> {
  const source = sample.images[modality]!;
  if (source.kind === 'generated') return source.render(size);
  if (source.kind === 'file') return readImage(source.path);
  if (source.kind === 'packed') return readPackedImage(source);
  return decodeImage(await readMember(source), memberName(source));
}
