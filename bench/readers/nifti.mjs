import { gzipSync } from 'node:zlib';

/** The bytes of a voxel for each datatype code; those of 1 bit and of long doubles are refused by all. */
const TYPES = { 2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8 };
const STRANGE_TYPES = { 0: 1, 1: 1, 32: 8, 128: 3, 1536: 16, 1792: 16, 2304: 4, 7: 2 };

/** NIfTI: both versions and byte orders, orientations of every kind, scaling, datatypes, offsets, gzip. */
export function drawNifti(draw) {
  const version = draw.pick(1, 1, 2);
  const littleEndian = draw.chance(0.7);
  const sides = draw.ints(3, 1, 6);
  const datatype = draw.usually(
    Number(draw.pick(...Object.keys(TYPES))),
    ...Object.keys(STRANGE_TYPES).map(Number),
  );
  const bytesEach = TYPES[datatype] ?? STRANGE_TYPES[datatype];
  const length = version === 1 ? 348 : 540;
  const dataAt = length + 4 + draw.usually(0, 4, 12, 16, 100);
  const header = Buffer.alloc(Math.max(dataAt, length + 4));
  const put = {
    int16: (value, at) => (littleEndian ? header.writeInt16LE(value, at) : header.writeInt16BE(value, at)),
    int32: (value, at) => (littleEndian ? header.writeInt32LE(value, at) : header.writeInt32BE(value, at)),
    int64: (value, at) =>
      littleEndian ? header.writeBigInt64LE(BigInt(value), at) : header.writeBigInt64BE(BigInt(value), at),
    float: (value, at) => (littleEndian ? header.writeFloatLE(value, at) : header.writeFloatBE(value, at)),
    double: (value, at) => (littleEndian ? header.writeDoubleLE(value, at) : header.writeDoubleBE(value, at)),
  };
  const pair = draw.usually(false, true);
  const magic = `${pair ? 'ni' : 'n+'}${version}\0`;
  put.int32(length, 0);
  header.write(version === 1 ? magic : `${magic}\r\n\x1a\n`, version === 1 ? 344 : 4, 'latin1');

  const dim = drawDims(draw, sides);
  const offset = draw.usually(dataAt, 0, 1, length, dataAt + 1, -16, dataAt + 0.5);
  const [slope, intercept] = drawScaling(draw);
  const { pixdim, quatern, qoffset, srow } = drawOrientation(draw);
  const codes = [
    draw.pick(0, 0, 1, 1, 2, draw.usually(3, -1, 99)),
    draw.pick(0, 0, 1, 1, 2, draw.usually(4, -1, 99)),
  ];
  const place = (values, write, at, step) => {
    for (const [i, value] of values.entries()) write(value, at + step * i);
  };
  if (version === 1) {
    place(dim, put.int16, 40, 2);
    put.int16(datatype, 70);
    put.int16(8 * bytesEach, 72);
    place(pixdim, put.float, 76, 4);
    put.float(offset, 108);
    place([slope, intercept], put.float, 112, 4);
    place(codes, put.int16, 252, 2);
    place([...quatern, ...qoffset, ...srow.flat()], put.float, 256, 4);
  } else {
    put.int16(datatype, 12);
    put.int16(8 * bytesEach, 14);
    place(dim, put.int64, 16, 8);
    place(pixdim, put.double, 104, 8);
    put.int64(Math.trunc(offset), 168);
    place([slope, intercept], put.double, 176, 8);
    place(codes, put.int32, 344, 4);
    place([...quatern, ...qoffset, ...srow.flat()], put.double, 352, 8);
  }
  const voxels = drawVoxels(draw, datatype, sides[0] * sides[1] * sides[2], bytesEach, littleEndian);
  const whole = Buffer.concat([header, voxels, draw.usually(Buffer.alloc(0), Buffer.alloc(20, 1))]);
  const zipped = draw.chance(0.4);
  return {
    extension: zipped ? draw.usually('.nii.gz', '.nii') : draw.usually('.nii', '.nii.gz'),
    reader: 'nifti',
    bytes: zipped ? zip(draw, whole) : whole,
    axis: draw.int(0, 2),
    facts: {
      version,
      littleEndian,
      pair,
      dim,
      datatype,
      offset,
      slope,
      intercept,
      pixdim,
      quatern,
      srow,
      codes,
      zipped,
    },
  };
}

/** The field `dim`: the rank and seven sides. */
function drawDims(draw, sides) {
  const kind = draw.usually('plain', 'rank 4', 'series', 'rank', 'side');
  const rest = [1, 1, 1, 1];
  if (kind === 'rank 4') return [draw.int(4, 7), ...sides, ...rest];
  if (kind === 'series') return [4, ...sides, 2, 1, 1, 1];
  if (kind === 'rank') return [draw.pick(-1, 0, 1, 2, 8), ...sides, ...rest];
  if (kind === 'side') return [3, ...sides.slice(0, 2), draw.pick(0, -1, 32767), ...rest];
  return [3, ...sides, ...draw.usually(rest, [0, 0, 0, 0])];
}

function drawScaling(draw) {
  if (draw.chance(0.5)) return [1, 0];
  return [
    draw.usually(draw.pick(2, 0.5, -1.5, 0.1, 1), 0, Number.NaN, Infinity),
    draw.usually(draw.pick(0, -1024, 3.25), Number.NaN, -Infinity),
  ];
}

/** Turned by up to a fifth of a right angle from the axes, so that the nearest axes are clear; or degenerate. */
function drawOrientation(draw) {
  const order = draw.pick([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]);
  const tilt = draw.pick(0, 0, 0.05, 0.2);
  const sizes = draw.usually([1, 1, 1], [0.5, 0.5, 3], [0, 0, 0], [1, 1, 0]);
  const srow = order.map((axis) => {
    const row = [0, 1, 2].map((column) => (column === axis ? 1 : tilt * (draw.chance(0.5) ? 1 : -1) * 0.3));
    const sign = draw.chance(0.5) ? 1 : -1;
    return [...row.map((value, column) => sign * value * sizes[column]), draw.int(-100, 100)];
  });
  if (draw.chance(0.04)) srow[draw.int(0, 2)][draw.int(0, 3)] = draw.pick(Number.NaN, Infinity, 1e30);
  if (draw.chance(0.04)) srow.fill([0, 0, 0, 0]);
  // Half turns, quarter turns and a little tilt; the last ones are longer than a unit quaternion.
  const half = Math.SQRT1_2;
  const quatern = draw.pick(
    [0, 0, 0],
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
    [half, 0, 0],
    [0, half, 0],
    [0, 0, -half],
    [0.5, 0.5, 0.5],
    [0.1, -0.05, 0.08],
    draw.usually([0, 0, 0], [1, 1, 0], [Number.NaN, 0, 0]),
  );
  const steps = draw.usually([1, 1, 1], [0.7, 0.7, 5], [0, 1, 1], [-1, 1, 1], [Number.NaN, 1, 1], [0, 0, 0]);
  const qfac = draw.pick(1, 1, -1, 0);
  return { pixdim: [qfac, ...steps, 1, 1, 1, 1], quatern, qoffset: draw.ints(3, -100, 100), srow };
}

function drawVoxels(draw, datatype, count, bytesEach, littleEndian) {
  if (datatype !== 16 && datatype !== 64) return draw.bytes(count * bytesEach);
  const bytes = Buffer.alloc(count * bytesEach);
  const write = {
    16: littleEndian ? 'writeFloatLE' : 'writeFloatBE',
    64: littleEndian ? 'writeDoubleLE' : 'writeDoubleBE',
  }[datatype];
  for (let i = 0; i < count; i += 1) {
    const value = draw.int(-2000, 2000) / 8;
    bytes[write](draw.chance(0.98) ? value : draw.pick(Number.NaN, Infinity, -Infinity), i * bytesEach);
  }
  return bytes;
}

function zip(draw, whole) {
  const cut = draw.int(0, whole.length);
  const kind = draw.usually('one', 'two', 'after', 'sum', 'short');
  if (kind === 'two') return Buffer.concat([gzipSync(whole.subarray(0, cut)), gzipSync(whole.subarray(cut))]);
  const zipped = gzipSync(whole, { level: draw.pick(0, 6) });
  if (kind === 'after') return Buffer.concat([zipped, Buffer.alloc(draw.int(1, 600), draw.pick(0, 7))]);
  if (kind === 'short') return zipped.subarray(0, zipped.length - draw.int(1, 12));
  if (kind === 'sum') zipped[zipped.length - 8] ^= 1;
  return zipped;
}
