import { gaussianBlur } from '../../../src/data/images/gaussianBlur.js';
import type { Dataset, ImageSource, Raster, Sample } from '../../../src/data/sample.js';
import { Random } from '../../../src/tensor/random.js';

/** A gray picture of smooth spots, another one for each key, 10 ms at 160². */
export function spots(key: string, side = 160): Raster {
  const random = new Random('spots', key);
  const noise = Float32Array.from({ length: side * side }, () => random.normal());
  const smooth = gaussianBlur(noise, side, side, side / 32, side / 32);
  const deviation = Math.sqrt(smooth.reduce((sum, v) => sum + v * v, 0) / smooth.length);
  return raster(side, side, (x, y) => 128 + (45 * smooth[y * side + x]!) / deviation);
}

export function raster(width: number, height: number, level: (x: number, y: number) => number): Raster {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      data[y * width + x] = Math.max(0, Math.min(255, Math.round(level(x, y))));
  return { width, height, channels: 1, data };
}

/** The same picture with another value at each pixel. */
export function changed(
  { width, height, data }: Raster,
  level: (value: number, x: number, y: number) => number,
): Raster {
  return raster(width, height, (x, y) => level(data[y * width + x]!, x, y));
}

export function drawn(image: Raster): ImageSource {
  return { kind: 'generated', key: 'drawn', render: () => image };
}

/** Samples of `images`, one subject each unless told otherwise. */
export function drawnDataset(
  samples: readonly ({ images: Record<string, Raster> } & Partial<Omit<Sample, 'images'>>)[],
): Dataset {
  return {
    name: 'drawn',
    modalities: Object.keys(samples[0]!.images),
    samples: samples.map(({ images, ...rest }, i) => ({
      id: `sample-${i}`,
      subject: `subject-${i}`,
      ...rest,
      images: Object.fromEntries(Object.entries(images).map(([name, image]) => [name, drawn(image)])),
    })),
  };
}
