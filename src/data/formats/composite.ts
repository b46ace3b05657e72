import type { Pixels } from './pixels.js';

/**
 * Makes gray or RGB of interleaved samples 0 … `top` with 1 to 4 channels. With 2 and 4 channels the last one is
 * alpha, which is composited onto black.
 */
export function composite(
  samples: Uint8Array | Uint16Array,
  channels: number,
  top: number,
): Pick<Pixels, 'channels' | 'data'> {
  const colours = channels < 3 ? 1 : 3;
  if (channels === colours) return { channels: colours, data: samples };
  const count = samples.length / channels;
  const data =
    samples instanceof Uint8Array ? new Uint8Array(count * colours) : new Uint16Array(count * colours);
  for (let pixel = 0; pixel < count; pixel += 1) {
    const opacity = samples[pixel * channels + colours]! / top;
    for (let c = 0; c < colours; c += 1) {
      data[pixel * colours + c] = Math.round(samples[pixel * channels + c]! * opacity);
    }
  }
  return { channels: colours, data };
}
