/** Crops decoded pixels and maps them to 8 bits, as `Preprocessing` asks. */
import { DataError, SettingNeeded } from '../../errors.js';
import { findColourBox } from '../formats/colourBox.js';
import type { Values } from '../formats/distribution.js';
import { type Box, contains, cropPixels, type Pixels, populationOf } from '../formats/pixels.js';
import type { Crop, Intensity, Preprocessing } from '../preprocessing.js';
import type { Raster } from '../sample.js';

/**
 * Makes one image of 8 bits, cropped and mapped as asked. A colour image that is gray everywhere comes back with one
 * channel.
 *
 * With nothing asked, values map linearly from the full range that the format fixes. The range is the same for every
 * image, so that intensities stay comparable: 8 bits stay as they are, 16-bit PNG and TIFF map 0 … 65535 → 0 … 255.
 * An image that uses 12 of its 16 bits comes out dark, which the audit tells. Other formats fix no range.
 *
 * @param name the name of the image, for messages
 * @param modality the name of the modality in the settings, for messages
 * @param screen the image in which a coloured box is looked for, if not `pixels`
 * @throws DataError if the crop does not fit or is not found, or the values need a setting
 */
export function mapPixels(
  pixels: Pixels,
  { crop, intensity }: Preprocessing,
  { name, modality, screen = pixels }: { name: string; modality: string; screen?: Pixels },
): Raster {
  const cropped = crop ? cropPixels(pixels, cropBox(crop, pixels, screen, name)) : pixels;
  const { width, height, data, fullScale, inverted } = cropped;
  const untouched = !intensity && fullScale?.[1] === 255 && !inverted && data instanceof Uint8Array;
  const mapped = untouched ? data : toBytes(data, levels(cropped, intensity, { name, modality }), inverted);
  return { width, height, ...asGray(mapped, cropped.channels) };
}

function cropBox(crop: Crop, pixels: Pixels, screen: Pixels, name: string): Box {
  const image = { left: 0, top: 0, width: pixels.width, height: pixels.height };
  const size = `${image.width}×${image.height}`;
  if (crop.kind === 'box') {
    if (contains(image, crop)) return crop;
    throw new DataError(
      `${name}: the crop of ${crop.width}×${crop.height} pixels at ${crop.left}, ${crop.top} does not lie in the image, ` +
        `which is ${size}. Give a box that fits all images of the modality.`,
    );
  }
  if (crop.kind === 'ultrasound-region') {
    const [region] = pixels.regions ?? [];
    if (region !== undefined) return region;
    throw new DataError(
      `${name}: declares no ultrasound region of tissue, which DICOM files of ultrasound scanners do. ` +
        'Give the box in pixels: crop={kind: box, left: …, top: …, width: …, height: …}.',
    );
  }
  if (screen.width !== pixels.width || screen.height !== pixels.height) {
    throw new DataError(
      `${name}: is ${size}, but the image of modality "${crop.of}" in which the coloured box is looked for is ` +
        `${screen.width}×${screen.height}. Both must be one pixel grid.`,
    );
  }
  const found = screen.data instanceof Uint8Array ? findColourBox(screen) : undefined;
  if (found === undefined) {
    throw new DataError(
      `${name}: no coloured box is found in the image of modality "${crop.of}", ${size}. Leave the sample out, or give the ` +
        'box in pixels: crop={kind: box, left: …, top: …, width: …, height: …}.',
    );
  }
  return grown(found, crop.margin, image, name);
}

function grown(box: Box, margin: number, image: Box, name: string): Box {
  const left = Math.max(0, box.left - margin);
  const top = Math.max(0, box.top - margin);
  const width = Math.min(image.width, box.left + box.width + margin) - left;
  const height = Math.min(image.height, box.top + box.height + margin) - top;
  if (width >= 1 && height >= 1) return { left, top, width, height };
  throw new DataError(
    `${name}: nothing is left of the coloured box, ${box.width}×${box.height} pixels, with a margin of ${margin}. ` +
      'Raise the margin.',
  );
}

/** Places a value between black, 0, and white, 1; values to be clipped lie beyond. */
type Level = (value: number) => number;

function levels(
  pixels: Pixels,
  intensity: Intensity | null | undefined,
  image: { name: string; modality: string },
): Level {
  if (!intensity) return linear(...(pixels.fullScale ?? refuseUnknownScale(pixels, image)));
  if (intensity.kind === 'window') return linear(intensity.low, intensity.high);
  if (intensity.kind === 'minmax') return linear(...populationOf(pixels).extremes());
  if (intensity.kind === 'percentile') {
    const [low, high] = populationOf(pixels).percentiles(intensity.low, intensity.high);
    return linear(low!, high!);
  }
  const [window] = pixels.windows ?? [];
  if (window === undefined) {
    throw new SettingNeeded(
      `${image.name}: carries no window of its own, which only DICOM files do. ${intensitySetting(image.modality)}`,
      `data.preprocess.${image.modality}.intensity`,
    );
  }
  if (window.kind === 'damaged') {
    throw new DataError(
      `${image.name}: the first window that it carries cannot be read (${window.reason}). ${intensitySetting(image.modality)}`,
    );
  }
  if (window.kind === 'linear') return linear(window.low, window.high);
  if (window.kind === 'sigmoid') {
    return (value) => 1 / (1 + Math.exp((-4 * (value - window.centre)) / window.width));
  }
  const { first, output, white } = window;
  return (value) => output[Math.max(0, Math.min(output.length - 1, Math.trunc(value) - first))]! / white;
}

/** Maps linearly. Where all values are alike, they become black. */
function linear(low: number, high: number): Level {
  if (low === high) return (value) => (value > high ? 1 : 0);
  return (value) => (value - low) / (high - low);
}

function refuseUnknownScale(pixels: Pixels, { name, modality }: { name: string; modality: string }): never {
  const [low, high] = populationOf(pixels).extremes();
  const windows = (pixels.windows ?? []).map((window) =>
    window.kind === 'linear' ? `${window.low} … ${window.high}` : window.kind,
  );
  throw new SettingNeeded(
    `${name}: the values run from ${low} to ${high}, and nothing says which are black and white` +
      `${windows.length === 0 ? '' : ` (the file suggests ${windows.join(', ')})`}. ${intensitySetting(modality, windows.length > 0)}`,
    `data.preprocess.${modality}.intensity`,
  );
}

function intensitySetting(modality: string, hasWindow = false): string {
  const setting = `--set data.preprocess.${modality}.intensity`;
  return (
    `Say how they become 8 bits: ${setting}='{kind: percentile, low: 1, high: 99}', ` +
    `'{kind: window, low: …, high: …}'${hasWindow ? ", '{kind: file-window}'" : ''} or '{kind: minmax}'.`
  );
}

function toBytes(values: Values, level: Level, inverted = false): Uint8Array {
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const share = Math.max(0, Math.min(1, level(values[i]!)));
    bytes[i] = Math.round(255 * (inverted ? 1 - share : share));
  }
  return bytes;
}

/** Keeps one channel if the three are equal everywhere. */
function asGray(data: Uint8Array, channels: 1 | 3): Pick<Raster, 'channels' | 'data'> {
  if (channels === 1) return { channels, data };
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return { channels, data };
  }
  return { channels: 1, data: Uint8Array.from({ length: data.length / 3 }, (_, i) => data[3 * i]!) };
}
