/** Pictures of how two images of a sample lie on each other. */
import sharp from 'sharp';
import { type Affine, apply, IDENTITY, similarity } from '../../data/align/transformation.js';
import type { PairPlacement } from '../../data/audit/finding.js';
import { readSampleImage } from '../../data/images/readSampleImage.js';
import type { Dataset, Raster, Sample } from '../../data/sample.js';
import { DataError } from '../../errors.js';

export interface Blend {
  readonly name: string;
  readonly jpeg: Uint8Array;
}

/** The longer side of a blend, in pixels. */
const SIDE = 256;

/**
 * Makes two blends of a pair, the one image in red and the other in cyan: as the images lie, and with the second one
 * moved back by what was measured. An edge that both have is white where they lie on each other, else there are two.
 *
 * @returns nothing where an image cannot be read
 */
export async function blendsOf(
  dataset: Dataset,
  sample: Sample,
  modality: string,
  placement: PairPlacement,
): Promise<Blend[]> {
  try {
    const [first, second] = await Promise.all(
      [placement.against, modality].map((name) => readSampleImage(dataset, sample, name, SIDE)),
    );
    const scale = Math.min(1, SIDE / Math.max(first!.width, first!.height));
    const size = { width: Math.round(first!.width * scale), height: Math.round(first!.height * scale) };
    const [a, b] = await Promise.all([first!, second!].map((image) => grayAt(image, size)));
    const unit = size.width / second!.width;
    const measured = similarity(
      { ...placement, right: placement.right * unit, down: placement.down * unit },
      size,
    );
    const drawn = async (name: string, transformation: Affine): Promise<Blend> => ({
      name,
      jpeg: await sharp(laidOn(a!, b!, size, transformation), { raw: { ...size, channels: 3 } })
        .jpeg({ quality: 85 })
        .toBuffer(),
    });
    return Promise.all([drawn('as they lie', IDENTITY), drawn('as measured', measured)]);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return [];
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The gray image at a size, with its contrast spread. */
async function grayAt({ data, width, height, channels }: Raster, size: Size): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels } })
    .resize(size.width, size.height, { fit: 'fill' })
    .grayscale()
    .normalise({ lower: 1, upper: 99 })
    .raw()
    .toBuffer();
}

/** `a` in red and `b` under a transformation in cyan, as RGB. */
function laidOn(a: Uint8Array, b: Uint8Array, { width, height }: Size, transformation: Affine): Uint8Array {
  const drawn = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const [u, v] = apply(transformation, x + 0.5, y + 0.5);
      const [column, row] = [Math.floor(u), Math.floor(v)];
      const inside = column >= 0 && row >= 0 && column < width && row < height;
      const other = inside ? b[row * width + column]! : 0;
      drawn.set([a[at]!, other, other], 3 * at);
    }
  }
  return drawn;
}
