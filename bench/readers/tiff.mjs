import { deflateSync } from 'node:zlib';
import { drawSamples, packBits, truthOf } from './pixels.mjs';

/**
 * TIFF: both byte orders, depths, photometric interpretations, further channels of every kind, planes, strips and
 * tiles, compression, predictor, pages.
 */
export function drawTiff(draw) {
  const littleEndian = draw.chance(0.7);
  const [width, height] = draw.ints(2, 1, 13);
  const photometric = draw.usually(draw.pick(0, 1, 2, 3), 4, 5, 6, 8);
  const bits = draw.usually(photometric === 2 ? draw.pick(8, 16) : draw.pick(1, 2, 4, 8, 16), 12, 32);
  const colours = { 2: 3, 5: 4, 6: 3, 8: 3 }[photometric] ?? 1;
  const extras = draw.chance(bits < 8 || photometric === 3 ? 0.05 : 0.35) ? draw.int(1, 3) : 0;
  const channels = colours + extras;
  const extraKinds = extras > 0 && draw.chance(0.85) ? draw.ints(extras, 0, 2) : undefined;
  const format = draw.usually(1, 2, 3, 4);
  const planar = channels > 1 && draw.chance(0.2);
  const compression = draw.pick(1, 1, 8, 32946, 32773);
  const deflated = compression === 8 || compression === 32946;
  // Only the codecs of LZW and deflate know the predictor; with others readers ignore it.
  const predictor = deflated && (bits === 8 || bits === 16) && draw.chance(0.4) ? 2 : 1;
  const top = 2 ** Math.min(bits, 16) - 1;
  const samples = drawSamples(draw, width * height * channels, top);
  premultiply();
  const palette = draw.ints(3 * 2 ** Math.min(bits, 8), 0, 65535);
  const tiled = draw.chance(0.2);
  const rowsPerStrip = draw.usually(height, draw.int(1, height));
  const orientation = draw.usually(undefined, ...draw.ints(1, 1, 8));

  const planes = planar
    ? Array.from({ length: channels }, (_, c) => [c])
    : [samples.slice(0, channels).keys()];
  const blocks = planes.flatMap((chosen) => blocksOf([...chosen]));
  const pages = draw.usually(1, 2);
  const bytes = assemble();
  const readable = format === 1 && [8, 16].includes(bits) && photometric <= 2 && pages === 1;
  const facts = {
    ...{
      littleEndian,
      width,
      height,
      photometric,
      bits,
      channels,
      extraKinds,
      format,
      planar,
      predictor,
      compression,
    },
    ...{ tiled, rowsPerStrip, orientation, pages },
  };
  return { extension: '.tif', reader: 'image', bytes, facts, truth: readable ? truth() : undefined };

  /** Where the alpha is premultiplied, no colour exceeds it. */
  function premultiply() {
    if (extraKinds?.[0] !== 1) return;
    for (let at = 0; at < samples.length; at += channels) {
      for (let c = 0; c < colours; c += 1) samples[at + c] = Math.min(samples[at + c], samples[at + colours]);
    }
  }

  function blocksOf(chosen) {
    const [blockWidth, blockHeight] = tiled ? [16, 16] : [width, rowsPerStrip];
    const found = [];
    for (let up = 0; up < height; up += blockHeight) {
      const rows = [];
      for (let y = up; y < up + (tiled ? blockHeight : Math.min(blockHeight, height - up)); y += 1) {
        const row = [];
        for (let x = 0; x < blockWidth; x += 1) {
          for (const c of chosen)
            row.push(y < height && x < width ? samples[(y * width + x) * channels + c] : 0);
        }
        rows.push(packRow(row, chosen.length));
      }
      found.push(compress(Buffer.concat(rows)));
    }
    return found;
  }

  function packRow(row, step) {
    const coded = predictor === 1 ? row : row.map((value, i) => (value - (row[i - step] ?? 0)) & top);
    if (bits === 32 || bits === 12) return draw.bytes(Math.ceil((row.length * bits) / 8));
    return packBits(coded, bits, littleEndian);
  }

  function compress(raw) {
    if (compression === 32773) return packBytes(raw);
    return deflated ? deflateSync(raw) : raw;
  }

  function truth() {
    // Turning an image is a matter of its own.
    if (orientation !== undefined && orientation !== 1) return undefined;
    const plain = samples.map((value, i) =>
      photometric === 0 && i % channels < colours ? top - value : value,
    );
    const alphaAt = extraKinds?.indexOf(2) ?? -1;
    const pixels = Array.from({ length: width * height }, (_, pixel) =>
      plain.slice(pixel * channels, (pixel + 1) * channels),
    );
    if (photometric === 0 && extras > 0) return undefined;
    const image = truthOf({
      width,
      height,
      channels: colours,
      samples: pixels.flatMap((pixel) => pixel.slice(0, colours)),
      top,
      // Colours are multiplied by unassociated alpha alone. Other further channels are no alpha, or already applied.
      alpha: alphaAt < 0 ? undefined : pixels.map((pixel) => pixel[colours + alphaAt]),
    });
    return { ...image, tolerance: extraKinds?.includes(1) ? 1 : 0 };
  }

  function assemble() {
    const data = Buffer.concat(
      blocks.map((block) => (block.length % 2 ? Buffer.concat([block, Buffer.alloc(1)]) : block)),
    );
    const offsets = [];
    let at = 8;
    for (const block of blocks) {
      offsets.push(at);
      at += block.length + (block.length % 2);
    }
    const lengths = blocks.map(({ length }) => length);
    const tags = [
      [256, 4, [width]],
      [257, 4, [height]],
      [258, 3, new Array(channels).fill(bits)],
      [259, 3, [compression]],
      [262, 3, [photometric]],
      ...(orientation === undefined ? [] : [[274, 3, [orientation]]]),
      ...(tiled
        ? [
            [322, 4, [16]],
            [323, 4, [16]],
            [324, 4, offsets],
            [325, 4, lengths],
          ]
        : [
            [273, 4, offsets],
            ...(rowsPerStrip < height || draw.chance(0.9) ? [[278, 4, [rowsPerStrip]]] : []),
            [279, 4, lengths],
          ]),
      [277, 3, [channels]],
      ...(planar || draw.chance(0.5) ? [[284, 3, [planar ? 2 : 1]]] : []),
      ...(predictor === 1 ? [] : [[317, 3, [predictor]]]),
      ...(photometric === 3 ? [[320, 3, palette]] : []),
      ...(photometric === 6 ? [[530, 3, [1, 1]]] : []),
      ...(extraKinds ? [[338, 3, extraKinds]] : []),
      ...(format !== 1 || draw.chance(0.3) ? [[339, 3, new Array(channels).fill(format)]] : []),
    ].sort(([a], [b]) => a - b);
    const start = 8 + data.length;
    const directory = (from, next) => directoryOf(tags, from, next, littleEndian);
    const one = directory(start, 0);
    const header = Buffer.from(
      littleEndian ? [0x49, 0x49, 42, 0, 0, 0, 0, 0] : [0x4d, 0x4d, 0, 42, 0, 0, 0, 0],
    );
    if (littleEndian) header.writeUInt32LE(start, 4);
    else header.writeUInt32BE(start, 4);
    if (pages === 1) return Buffer.concat([header, data, one]);
    const first = directory(start, start + one.length);
    return Buffer.concat([header, data, first, directory(start + first.length, 0)]);
  }
}

/** A directory with its long values behind it. */
function directoryOf(tags, start, next, littleEndian) {
  const fixed = Buffer.alloc(2 + 12 * tags.length + 4);
  const uint16 = (buffer, value, at) =>
    littleEndian ? buffer.writeUInt16LE(value, at) : buffer.writeUInt16BE(value, at);
  const uint32 = (buffer, value, at) =>
    littleEndian ? buffer.writeUInt32LE(value, at) : buffer.writeUInt32BE(value, at);
  uint16(fixed, tags.length, 0);
  const long = [];
  let after = start + fixed.length;
  for (const [i, [tag, type, values]] of tags.entries()) {
    const size = type === 3 ? 2 : 4;
    const content = Buffer.alloc(Math.max(4, size * values.length));
    for (const [k, value] of values.entries()) {
      if (type === 3) uint16(content, value, 2 * k);
      else uint32(content, value, 4 * k);
    }
    const at = 2 + 12 * i;
    uint16(fixed, tag, at);
    uint16(fixed, type, at + 2);
    uint32(fixed, values.length, at + 4);
    if (content.length === 4) content.copy(fixed, at + 8);
    else {
      uint32(fixed, after, at + 8);
      long.push(content);
      after += content.length;
    }
  }
  uint32(fixed, next, fixed.length - 4);
  return Buffer.concat([fixed, ...long]);
}

/** PackBits without runs. */
function packBytes(raw) {
  const parts = [];
  for (let at = 0; at < raw.length; at += 128) {
    const part = raw.subarray(at, at + 128);
    parts.push(Buffer.from([part.length - 1]), part);
  }
  return Buffer.concat(parts);
}
