import { deflateRawSync } from 'node:zlib';
import { SHAPE } from './codestreams.mjs';
import { encodeElements } from './dicomElements.mjs';

const SYNTAXES = {
  implicit: { uid: '1.2.840.10008.1.2', explicit: false },
  explicit: { uid: '1.2.840.10008.1.2.1', explicit: true },
  deflated: { uid: '1.2.840.10008.1.2.1.99', explicit: true, deflated: true },
  bigEndian: { uid: '1.2.840.10008.1.2.2', explicit: true, bigEndian: true },
};

/**
 * DICOM: transfer syntaxes, shapes, photometric labels that are right or wrong, bits, planes, tables and scaling,
 * numbers of frames, fragments, offset tables, padding, endings.
 *
 * @param codestreams from `makeCodestreams`
 */
export function drawDicom(draw, codestreams) {
  const frames = draw.usually(draw.pick(1, 1, 2, 3), 4);
  const kind = draw.pick('raw', 'raw', 'rle', 'codec');
  const image =
    kind === 'raw'
      ? drawRaw(draw, frames)
      : kind === 'rle'
        ? drawRle(draw, frames)
        : drawCoded(draw, frames, codestreams);
  const { syntax, pixelData, ...shape } = image;
  const elements = [
    [0x00080060, 'CS', 'OT'],
    [0x00100020, 'LO', draw.usually('made-up', '', 'made up 1')],
    [0x0020000d, 'UI', '2.25.2'],
    ...shapeElements(draw, shape),
    ...framesElement(draw, frames),
    ...(shape.samples === 1 ? valueElements(draw, shape) : []),
    ...decoys(draw),
    [0x7fe00010, shape.bits === 8 || kind !== 'raw' ? 'OB' : 'OW', pixelData],
    ...(draw.chance(0.1) ? [[0xfffcfffc, 'OB', Buffer.alloc(draw.int(0, 20) * 2)]] : []),
  ];
  const options = { ...syntax, openEnded: draw.chance(0.5) };
  const content = encodeElements(elements, options);
  const meta = encodeElements([[0x00020010, 'UI', syntax.uid]], { explicit: true });
  const head = draw.usually('whole', 'bare', 'meta only', 'no group length');
  const group = encodeElements([[0x00020000, 'UL', [meta.length]]], { explicit: true });
  const preamble = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);
  const bytes = Buffer.concat([
    ...(head === 'whole' ? [preamble, group, meta] : head === 'no group length' ? [preamble, meta] : []),
    ...(head === 'meta only' ? [group, meta] : []),
    syntax.deflated ? deflateRawSync(content) : content,
  ]);
  const facts = {
    ...{ syntax: syntax.uid, head, ...shape, frames, openEnded: options.openEnded },
    table: pixelData.table,
    fragments: pixelData.fragments?.map(({ length }) => length),
    elements: elements
      .slice(3, -1)
      .map(([tag, , value]) => `${tag.toString(16)}=${String(value).slice(0, 40)}`),
  };
  return { extension: draw.usually('.dcm', '', '.IMA'), reader: 'dicom', bytes, facts };
}

function shapeElements(draw, { width, height, samples, bits, stored, high, signed, photometric, planar }) {
  return [
    [0x00280002, 'US', [samples]],
    [0x00280004, 'CS', draw.usually(photometric, `${photometric}  `, photometric.toLowerCase())],
    ...(samples === 3 ? [[0x00280006, 'US', [planar ? 1 : 0]]] : []),
    [0x00280010, 'US', [height]],
    [0x00280011, 'US', [width]],
    [0x00280100, 'US', [bits]],
    [0x00280101, 'US', [stored]],
    [0x00280102, 'US', [high]],
    ...(signed || draw.chance(0.95) ? [[0x00280103, 'US', [signed ? 1 : 0]]] : []),
  ];
}

function framesElement(draw, frames) {
  const value = draw.usually(
    String(frames),
    '',
    '0',
    String(frames + 1),
    String(Math.max(1, frames - 1)),
    'one',
  );
  return frames === 1 && draw.chance(0.7) ? [] : [[0x00280008, 'IS', value]];
}

/** Rescaling, tables of the modality and of the palette, windows. */
function valueElements(draw, { stored, signed, photometric }) {
  const elements = [];
  if (photometric === 'PALETTE COLOR') {
    const wide = draw.chance(0.5);
    const count = draw.usually(Math.min(2 ** stored, 256), draw.int(1, 16));
    const descriptor = [count, draw.usually(0, 3), wide ? 16 : 8];
    for (let c = 0; c < 3; c += 1) {
      const packed = !wide && draw.chance(0.7);
      // Packed bytes are stored in words.
      const pair = () => draw.int(0, 65535);
      const data = packed
        ? Array.from({ length: Math.ceil(count / 2) }, pair)
        : draw.ints(count, 0, wide ? 65535 : 255);
      elements.push([0x00281101 + c, 'US', descriptor], [0x00281201 + c, 'OW', data]);
    }
    return elements;
  }
  const scaling = draw.pick('none', 'none', 'rescale', 'table');
  if (scaling === 'rescale') {
    elements.push(
      [0x00281052, 'DS', draw.usually(draw.pick('0', '-1024', ' 12.5', '-1.0e1'), '', 'x')],
      [0x00281053, 'DS', draw.usually(draw.pick('1', '2', '0.5 ', '-1'), '0', '', '1e400')],
    );
  }
  if (scaling === 'table') {
    const count = draw.int(1, 40);
    const first = signed ? draw.int(-20, 20) : draw.int(0, 20);
    const descriptor = [[0x00283002, signed ? 'SS' : 'US', [count, first, 16]]];
    const data = [[0x00283006, draw.pick('US', 'OW'), draw.ints(count, 0, 65535)]];
    const item = draw.usually([...descriptor, ...data], [], descriptor);
    elements.push([0x00283000, 'SQ', draw.usually([item], [])]);
  }
  if (draw.chance(0.3)) {
    elements.push(
      [0x00281050, 'DS', draw.usually('40\\300', '', 'x', '40')],
      [0x00281051, 'DS', draw.usually('400\\50', '', '0', '-5')],
    );
  }
  if (draw.chance(0.1))
    elements.push([0x00283010, 'SQ', draw.pick([], [[]], [[[0x00283002, 'US', [0, 0, 16]]]])]);
  return elements;
}

/** Elements that stand between those that are read and may lead a parser astray. */
function decoys(draw) {
  return [
    [0x00081140, 'SQ', [[[0x00081155, 'UI', '2.25.9']], []]],
    [0x00090010, 'LO', 'MADE UP'],
    [0x00091001, 'UN', draw.bytes(2 * draw.int(0, 9))],
    // An icon has pixels of its own.
    [
      0x00880200,
      'SQ',
      [
        [
          [0x00280010, 'US', [1]],
          [0x00280011, 'US', [2]],
          [0x7fe00010, 'OB', Buffer.from([1, 2])],
        ],
      ],
    ],
    [0x60003000, 'OW', draw.bytes(4)],
  ].filter(() => draw.chance(0.15));
}

function drawRaw(draw, frames) {
  const syntax = SYNTAXES[draw.pick('implicit', 'explicit', 'explicit', 'deflated', 'bigEndian')];
  const [width, height] = draw.ints(2, 1, 9);
  const photometric = draw.usually(
    draw.pick(
      'MONOCHROME2',
      'MONOCHROME2',
      'MONOCHROME1',
      'RGB',
      'YBR_FULL',
      'YBR_FULL_422',
      'PALETTE COLOR',
    ),
    ...['YBR_PARTIAL_420', 'HSV', 'YBR_RCT', ''],
  );
  const gray = photometric.startsWith('MONO') || photometric.startsWith('PAL');
  const samples = draw.usually(gray ? 1 : 3, 1, 3, 4);
  const bits = gray ? draw.usually(draw.pick(8, 16), 1, 12, 32) : draw.usually(8, 16);
  const { stored, high, signed } = drawBits(draw, bits, gray);
  // Two pixels share their colours; some files say so and store all of them.
  const halved = photometric === 'YBR_FULL_422' && draw.chance(0.7);
  const count = width * height * (halved ? 2 : samples) * frames;
  const data = cellsOf(draw, count, { bits, stored, high, signed });
  if (syntax.bigEndian && bits === 16) data.swap16();
  const padding = Buffer.alloc((data.length % 2) + draw.usually(0, 2, 10), draw.pick(0, 255));
  const cut = draw.usually(0, 1, 2, data.length);
  const pixelData = Buffer.concat([data, padding]).subarray(0, data.length + padding.length - cut);
  const planar = samples === 3 && !halved && draw.chance(0.4);
  return { syntax, width, height, samples, bits, stored, high, signed, photometric, planar, pixelData };
}

function drawBits(draw, bits, gray) {
  const stored = gray ? draw.usually(bits, Math.min(bits, 12), Math.max(1, bits - 3)) : bits;
  const high = draw.usually(stored - 1, bits - 1, bits);
  return { stored, high, signed: gray && draw.chance(0.3) };
}

/** A cell with a stored value in its place, the sign repeated above it as the standard's older editions allow. */
function inCell(cell, { bits, stored, high, signed }) {
  const shift = Math.max(0, high - stored + 1);
  const value = cell & (2 ** stored - 1);
  const negative = signed && (value & (2 ** (stored - 1))) !== 0;
  return ((negative ? value - 2 ** stored : value) << shift) & (2 ** bits - 1);
}

function cellsOf(draw, count, shape) {
  if (shape.bits === 8) return Buffer.from(draw.ints(count, 0, 255).map((cell) => inCell(cell, shape)));
  if (shape.bits !== 16) return draw.bytes(Math.ceil((count * shape.bits) / 8));
  const cells = Buffer.alloc(2 * count);
  for (let i = 0; i < count; i += 1) cells.writeUInt16LE(inCell(draw.int(0, 65535), shape), 2 * i);
  return cells;
}

function drawRle(draw, frames) {
  const [width, height] = draw.ints(2, 1, 9);
  const samples = draw.pick(1, 1, 3);
  const bits = draw.pick(8, 16);
  const wideColour = samples === 3 && bits === 16;
  const { stored, high, signed } =
    samples === 1 ? drawBits(draw, bits, true) : { stored: bits, high: bits - 1, signed: false };
  const photometric =
    samples === 1
      ? draw.pick('MONOCHROME1', 'MONOCHROME2')
      : wideColour
        ? 'RGB'
        : draw.pick('RGB', 'YBR_FULL');
  const images = Array.from({ length: frames }, () => {
    const count = width * height * samples;
    const cells = cellsOf(draw, count, { bits, stored, high, signed });
    return encodeRle(draw, cells, samples, bits / 8);
  });
  const syntax = { uid: '1.2.840.10008.1.2.5', explicit: true };
  const planar = samples === 3 && draw.chance(0.7);
  return {
    ...{ syntax, width, height, samples, bits, stored, high, signed, photometric, planar },
    pixelData: drawFragments(draw, images, { mayCut: false }),
  };
}

/** One segment for each byte of each sample, the most significant first; runs where two bytes are alike. */
function encodeRle(draw, cells, samples, bytesEach) {
  const stride = samples * bytesEach;
  const segments = [];
  for (let sample = 0; sample < samples; sample += 1) {
    for (let byte = bytesEach - 1; byte >= 0; byte -= 1) {
      const plane = cells.filter((_, i) => i % stride === sample * bytesEach + byte);
      const parts = [];
      for (let at = 0; at < plane.length; ) {
        let run = 1;
        while (at + run < plane.length && run < 128 && plane[at + run] === plane[at]) run += 1;
        parts.push(...(run > 1 ? [257 - run, plane[at]] : [0, plane[at]]));
        at += run;
      }
      if (draw.chance(0.1)) parts.push(128);
      if (parts.length % 2) parts.push(draw.pick(0, 128));
      segments.push(Buffer.from(parts));
    }
  }
  const header = Buffer.alloc(64);
  header.writeUInt32LE(segments.length, 0);
  let at = 64;
  for (const [i, segment] of segments.entries()) {
    header.writeUInt32LE(at, 4 + 4 * i);
    at += segment.length;
  }
  return Buffer.concat([header, ...segments]);
}

function drawCoded(draw, frames, codestreams) {
  const { syntax, bits, channels, photometric, bytes } = draw.pick(...codestreams);
  const images = Array.from({ length: frames }, () => draw.pick(...bytes));
  const cells = bits > 8 ? 16 : 8;
  const label =
    channels === 1 ? draw.usually(photometric, 'MONOCHROME1') : draw.usually(photometric, 'RGB', 'YBR_FULL');
  return {
    ...{
      syntax: { uid: syntax, explicit: true },
      ...SHAPE,
      samples: channels,
      bits: cells,
      stored: bits,
      high: bits - 1,
    },
    ...{ signed: false, photometric: label, planar: channels === 3 && draw.chance(0.2) },
    pixelData: drawFragments(draw, images, { mayCut: true }),
  };
}

/**
 * Frames as fragments: one each or several, padded with one byte or another, with a table of offsets that is right,
 * missing or wrong, with and without an end mark.
 */
function drawFragments(draw, images, { mayCut }) {
  const filler = draw.usually(0, 255, 32, 0x5a);
  const fragments = [];
  const table = [];
  let at = 0;
  for (const image of images) {
    table.push(at);
    const pieces = mayCut && draw.chance(0.3) ? cutUp(draw, image) : [image];
    for (const piece of pieces) {
      const missing = (piece.length % 2) + draw.usually(0, 2, 6);
      const padded = Buffer.concat([piece, Buffer.alloc(missing, filler)]);
      fragments.push(padded);
      at += 8 + padded.length;
    }
  }
  const kind = draw.pick(
    'right',
    'right',
    'none',
    'none',
    draw.usually('right', 'shifted', 'short', 'reversed'),
  );
  const tables = {
    right: table,
    none: [],
    shifted: table.map((offset) => offset + 2),
    short: table.slice(1),
    reversed: [...table].reverse(),
  };
  if (draw.chance(0.03)) fragments.splice(draw.int(0, fragments.length), 0, Buffer.alloc(0));
  if (draw.chance(0.03)) fragments.pop();
  return { table: tables[kind], fragments, ends: draw.chance(0.95) };
}

/** Two or three pieces of even length, but for the last. */
function cutUp(draw, image) {
  const first = 2 * draw.int(1, Math.max(1, (image.length >> 1) - 1));
  const rest = image.subarray(first);
  const second = 2 * draw.int(0, rest.length >> 1);
  return [image.subarray(0, first), rest.subarray(0, second), rest.subarray(second)].filter(
    ({ length }) => length > 0,
  );
}
