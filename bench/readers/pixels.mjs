/** Samples of images: how they are drawn and packed, and the values that our reader should give for them. */

/** Whole numbers from 0 to `top`, the extremes often among them. */
export function drawSamples(draw, count, top) {
  return draw.ints(count, 0, top).map((value) => (draw.chance(0.05) ? draw.pick(0, top) : value));
}

/** Samples of 1 to 16 bits as bytes, the highest bit first, padded to whole bytes. */
export function packBits(samples, bits, littleEndian = false) {
  if (bits === 8) return Buffer.from(samples);
  if (bits === 16) {
    const bytes = Buffer.alloc(2 * samples.length);
    for (const [i, value] of samples.entries()) {
      if (littleEndian) bytes.writeUInt16LE(value, 2 * i);
      else bytes.writeUInt16BE(value, 2 * i);
    }
    return bytes;
  }
  const bytes = Buffer.alloc(Math.ceil((samples.length * bits) / 8));
  for (const [i, value] of samples.entries()) {
    const at = i * bits;
    bytes[at >> 3] |= value << (8 - bits - (at & 7));
  }
  return bytes;
}

/**
 * The image that samples stand for: fewer than 8 bits fill the range of 8, alpha is composited onto black.
 *
 * @param alpha one value from 0 to `top` a pixel, where it does not follow the colours of a pixel
 */
export function truthOf({ width, height, channels, samples, top, alpha }) {
  const colours = channels < 3 ? 1 : 3;
  const scale = top < 255 ? 255 / top : 1;
  const values = [];
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const opacity = alpha ? alpha[pixel] : channels === colours ? top : samples[pixel * channels + colours];
    for (let c = 0; c < colours; c += 1) {
      values.push(Math.round((samples[pixel * channels + c] * scale * opacity) / top));
    }
  }
  return { images: [{ width, height, channels: colours, values }] };
}
