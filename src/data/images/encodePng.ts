import type { Raster } from '../sample.js';

/** Encodes an 8-bit image as gray or RGB PNG. Equal pixels give equal bytes for one version of the encoder. */
export async function encodePng({ data, width, height, channels }: Raster): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  return sharp(data, { raw: { width, height, channels } })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .png()
    .toBuffer();
}
