import { crc32, deflateSync } from 'node:zlib';
import { drawSamples, packBits, truthOf } from './pixels.mjs';

/** PNG: colour types, depths, filters, interlacing, transparency, chunks in and out of order, wrong sums. */
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
/** Adam7: first column, first row, column step, row step. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

export function drawPng(draw) {
  const [width, height] = draw.ints(2, 1, 13);
  const type = draw.pick(0, 2, 3, 4, 6);
  const bits = draw.pick(...DEPTHS[type]);
  const channels = CHANNELS[type];
  const palette = type === 3 ? draw.ints(3 * draw.int(1, 2 ** bits), 0, 255) : undefined;
  const top = palette === undefined ? 2 ** bits - 1 : palette.length / 3 - 1;
  const samples = drawSamples(draw, width * height * channels, top);
  const interlaced = draw.chance(0.25);
  const compressed = deflateSync(
    interlaced
      ? Buffer.concat(PASSES.map((pass) => passOf(draw, { samples, width, height, channels, bits }, pass)))
      : rowsOf(draw, samples, width, height, channels, bits),
  );
  const transparent = type < 4 && draw.chance(0.2) ? drawTransparency(draw, type, top, samples) : undefined;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, type, 0, 0, interlaced ? 1 : 0], 8);
  const cut = draw.int(1, compressed.length);
  const bytes = Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    ...extras(draw),
    ...(palette ? [chunk('PLTE', Buffer.from(palette))] : []),
    ...(transparent ? [chunk('tRNS', transparent.bytes)] : []),
    ...(draw.chance(0.3)
      ? [chunk('IDAT', compressed.subarray(0, cut)), chunk('IDAT', compressed.subarray(cut))]
      : [chunk('IDAT', compressed)]),
    chunk('IEND', Buffer.alloc(0)),
    draw.usually(Buffer.alloc(0), Buffer.from('after the end')),
  ]);
  return { extension: '.png', reader: 'image', bytes, truth: truth() };

  function truth() {
    if (palette === undefined) {
      const key = transparent?.key;
      const colours = key === undefined ? undefined : key.length;
      const isKey = (pixel) => key.every((value, c) => samples[pixel * channels + c] === value);
      const alpha = key && Array.from({ length: width * height }, (_, pixel) => (isKey(pixel) ? 0 : top));
      return truthOf({ width, height, channels: colours ?? channels, samples, top, alpha });
    }
    const opaque = Array.from(samples, (index) => transparent?.bytes[index] ?? 255);
    const colours = Array.from(samples).flatMap((index) => palette.slice(3 * index, 3 * index + 3));
    return truthOf({ width, height, channels: 3, samples: colours, top: 255, alpha: opaque });
  }
}

/** One alpha for each colour of the palette, or one colour that is transparent everywhere. */
function drawTransparency(draw, type, top, samples) {
  if (type === 3) return { bytes: draw.bytes(draw.int(1, top + 1)) };
  const key = Array.from(samples.slice(0, type === 0 ? 1 : 3));
  return { key, bytes: Buffer.from(key.flatMap((value) => [value >> 8, value & 255])) };
}

/** Chunks that do not change the values, as we ignore gamma and profiles. */
function extras(draw) {
  return [
    ['gAMA', [0, 0, 177, 143]],
    ['sRGB', [0]],
    ['pHYs', [0, 0, 11, 19, 0, 0, 11, 19, 1]],
    ['tEXt', [...Buffer.from('Comment\0made up')]],
    ['tIME', [7, 230, 1, 1, 0, 0, 0]],
  ]
    .filter(() => draw.chance(0.1))
    .map(([name, content]) => chunk(name, Buffer.from(content)));
}

function chunk(name, content) {
  const body = Buffer.concat([Buffer.from(name), content]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(content.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
  return framed;
}

function passOf(draw, { samples, width, height, channels, bits }, [left, up, across, down]) {
  const columns = Math.max(0, Math.ceil((width - left) / across));
  const rows = Math.max(0, Math.ceil((height - up) / down));
  if (columns * rows === 0) return Buffer.alloc(0);
  const chosen = [];
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const at = ((up + y * down) * width + left + x * across) * channels;
      chosen.push(...samples.slice(at, at + channels));
    }
  }
  return rowsOf(draw, chosen, columns, rows, channels, bits);
}

/** Rows of packed samples, each after the number of its filter. */
function rowsOf(draw, samples, width, height, channels, bits) {
  const perPixel = Math.max(1, (channels * bits) >> 3);
  let above = Buffer.alloc(Math.ceil((width * channels * bits) / 8));
  const rows = [];
  for (let y = 0; y < height; y += 1) {
    const row = packBits(samples.slice(y * width * channels, (y + 1) * width * channels), bits);
    const filter = draw.int(0, 4);
    const filtered = row.map((byte, i) => {
      const [left, up, corner] = [row[i - perPixel] ?? 0, above[i], above[i - perPixel] ?? 0];
      return byte - [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
    });
    rows.push(Buffer.from([filter]), filtered);
    above = row;
  }
  return Buffer.concat(rows);
}

function paeth(left, up, corner) {
  const estimate = left + up - corner;
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(estimate - value));
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
