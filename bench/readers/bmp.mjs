import { drawSamples, packBits, truthOf } from './pixels.mjs';

/** BMP: lengths of the header, depths, palettes, bit fields, order of rows, offsets. */
export function drawBmp(draw) {
  const headerLength = draw.usually(40, 12, 52, 56, 64, 108, 124, 16);
  const [width, height] = draw.ints(2, 1, 13);
  const bits = draw.usually(draw.pick(1, 4, 8, 24, 32), 2, 16);
  const topDown = headerLength !== 12 && draw.chance(0.2);
  const compression = draw.usually(0, 1, 2, 3);
  const os2 = headerLength === 12;
  const colours = os2 ? 2 ** bits : draw.usually(2 ** bits, draw.int(1, 2 ** Math.min(bits, 8)));
  const palette = bits <= 8 ? Array.from({ length: colours }, () => draw.ints(3, 0, 255)) : [];
  const perPixel = bits <= 8 ? 1 : bits / 8;
  const top = bits <= 8 ? colours - 1 : 255;
  const samples = drawSamples(draw, width * height * perPixel, top);

  const header = Buffer.alloc(14 + headerLength);
  const gap = draw.usually(0, draw.int(1, 9));
  const entry = os2 ? 3 : 4;
  const declared = colours === 2 ** bits ? draw.pick(0, colours) : colours;
  const masks = compression === 3 ? [0xff0000, 0xff00, 0xff] : [];
  const outside = headerLength === 40 && compression === 3 ? masks : [];
  const pixelsAt = header.length + 4 * outside.length + entry * palette.length + gap;
  header.write('BM');
  header.writeUInt32LE(pixelsAt, 10);
  header.writeUInt32LE(headerLength, 14);
  if (os2) {
    for (const [i, value] of [width, height, 1, bits].entries()) header.writeUInt16LE(value, 18 + 2 * i);
  } else {
    header.writeInt32LE(width, 18);
    header.writeInt32LE(topDown ? -height : height, 22);
    header.writeUInt16LE(1, 26);
    header.writeUInt16LE(bits, 28);
    if (headerLength >= 40) {
      header.writeUInt32LE(compression, 30);
      header.writeUInt32LE(bits <= 8 ? declared : 0, 46);
    }
    if (headerLength >= 52) for (const [i, mask] of masks.entries()) header.writeUInt32LE(mask, 54 + 4 * i);
  }
  const rowLength = Math.ceil((width * bits) / 32) * 4;
  const rows = Array.from({ length: height }, (_, i) => {
    const y = topDown ? i : height - 1 - i;
    const row = Buffer.alloc(rowLength);
    packBits(samples.slice(y * width * perPixel, (y + 1) * width * perPixel), Math.min(bits, 8)).copy(row);
    return row;
  });
  const maskBytes = Buffer.alloc(4 * outside.length);
  for (const [i, mask] of outside.entries()) maskBytes.writeUInt32LE(mask, 4 * i);
  const bytes = Buffer.concat([
    header,
    maskBytes,
    Buffer.from(palette.flatMap((colour) => (os2 ? colour : [...colour, 0]))),
    Buffer.alloc(gap),
    ...rows,
  ]);
  // 16 bits and compressed rows are not drawn as such: both readers see bytes that may mean anything.
  const plain = compression === 0 || (compression === 3 && bits === 32);
  return { extension: '.bmp', reader: 'image', bytes, truth: plain && bits !== 16 ? truth() : undefined };

  function truth() {
    const values = Array.from({ length: width * height }, (_, pixel) => {
      const colour =
        bits <= 8 ? palette[samples[pixel]] : samples.slice(pixel * perPixel, pixel * perPixel + 3);
      return [colour[2], colour[1], colour[0]];
    });
    return truthOf({ width, height, channels: 3, samples: values.flat(), top: 255 });
  }
}
