import type { Pixels } from './pixels.js';

/** The samples of a pixel. */
export interface SampleOrder {
  readonly channels: number;
  /** The number of colours, which are the first channels. */
  readonly colours: 1 | 3;
  /** The position of the alpha among the channels; undefined where no sample is one. */
  readonly alpha?: number;
}

/**
 * Makes gray or RGB of interleaved samples 0 … `top`: alpha is composited onto black, and other samples beyond the
 * colours are left out.
 */
export function composite(
  samples: Uint8Array | Uint16Array,
  { channels, colours, alpha }: SampleOrder,
  top: number,
): Pick<Pixels, 'channels' | 'data'> {
  if (channels === colours) return { channels: colours, data: samples };
  const count = samples.length / channels;
  const data =
    samples instanceof Uint8Array ? new Uint8Array(count * colours) : new Uint16Array(count * colours);
  for (let pixel = 0; pixel < count; pixel += 1) {
    const opacity = alpha === undefined ? 1 : samples[pixel * channels + alpha]! / top;
    for (let c = 0; c < colours; c += 1) {
      data[pixel * colours + c] = Math.round(samples[pixel * channels + c]! * opacity);
    }
  }
  return { channels: colours, data };
}
