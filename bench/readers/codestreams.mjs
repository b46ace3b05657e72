/** Compressed images for DICOM's transfer syntaxes, made once: each codec encodes several images of one shape. */
import charls from '@cornerstonejs/codec-charls/wasmjs';
import openjpeg from '@cornerstonejs/codec-openjpeg/wasmjs';
import sharp from 'sharp';
import { Draw } from './draw.mjs';

export const SHAPE = { width: 7, height: 5 };
/** The number of different images of each kind. */
const IMAGES = 4;

/**
 * Gives the images of each kind: `bytes`, `bits` of a sample, `channels`, and the photometric interpretation that
 * they are stored in.
 */
export async function makeCodestreams() {
  const silent = { print: () => undefined, printErr: () => undefined };
  const [{ JpegLSEncoder }, { J2KEncoder }] = await Promise.all([
    charls({ ...silent }),
    openjpeg({ ...silent }),
  ]);
  const kinds = [];
  for (const [bits, channels] of [
    [8, 1],
    [12, 1],
    [16, 1],
    [8, 3],
  ]) {
    const images = Array.from({ length: IMAGES }, (_, i) => imageOf(i, bits, channels));
    const photometric = channels === 1 ? 'MONOCHROME2' : 'RGB';
    const add = (syntax, bytes, more) => kinds.push({ syntax, bits, channels, photometric, bytes, ...more });
    add(
      '1.2.840.10008.1.2.4.80',
      images.map((image) => encodeBy(JpegLSEncoder, image)),
    );
    if (channels === 1) {
      add(
        '1.2.840.10008.1.2.4.81',
        images.map((image) => encodeBy(JpegLSEncoder, image, (encoder) => encoder.setNearLossless(2))),
      );
    }
    add(
      '1.2.840.10008.1.2.4.90',
      images.map((image) => encodeBy(J2KEncoder, image, losslessly)),
      channels === 3 ? { photometric: 'YBR_RCT' } : {},
    );
    if (channels === 1)
      add(
        '1.2.840.10008.1.2.4.70',
        images.map((image) => encodeJpegLossless(image, 1)),
      );
    if (channels === 1)
      add(
        '1.2.840.10008.1.2.4.57',
        images.map((image, i) => encodeJpegLossless(image, 1 + i)),
      );
    if (bits === 8) {
      const jpeg = channels === 1 ? {} : { photometric: 'YBR_FULL_422' };
      add(
        '1.2.840.10008.1.2.4.50',
        await Promise.all(images.map((image) => encodeJpeg(image, '4:4:4'))),
        jpeg,
      );
    }
  }
  return kinds;
}

function imageOf(index, bits, channels) {
  const draw = new Draw('codestream', index, bits, channels);
  const top = 2 ** bits - 1;
  const { width, height } = SHAPE;
  const samples = Array.from({ length: width * height * channels }, (_, i) => {
    const slope = ((Math.floor(i / channels) % width) + index) / (width + IMAGES);
    return Math.round(top * (0.8 * slope + (0.2 * draw.int(0, 100)) / 100));
  });
  return { samples, bits, channels };
}

/** Few decompositions, as the images are small. */
function losslessly(encoder) {
  encoder.setQuality(true, 1);
  encoder.setDecompositions(1);
}

function encodeBy(Encoder, { samples, bits, channels }, set = () => undefined) {
  const encoder = new Encoder();
  const shape = { ...SHAPE, bitsPerSample: bits, componentCount: channels, isSigned: false };
  const raw = bits > 8 ? new Uint8Array(Uint16Array.from(samples).buffer) : Uint8Array.from(samples);
  encoder.getDecodedBuffer(shape).set(raw);
  set(encoder);
  encoder.encode();
  const bytes = Buffer.from(encoder.getEncodedBuffer().slice());
  encoder.delete();
  return bytes;
}

async function encodeJpeg({ samples, channels }, chromaSubsampling) {
  return sharp(Uint8Array.from(samples), { raw: { ...SHAPE, channels } })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .jpeg({ quality: 95, chromaSubsampling })
    .toBuffer();
}

/** JPEG lossless (T.81 annex H) of one component. Every category of a difference has a code of five bits. */
function encodeJpegLossless({ samples, bits }, predictor) {
  const { width, height } = SHAPE;
  const written = [];
  const write = (value, count) => {
    for (let bit = count - 1; bit >= 0; bit -= 1) written.push((value >> bit) & 1);
  };
  for (const [i, sample] of samples.entries()) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const [left, up, corner] = [samples[i - 1], samples[i - width], samples[i - width - 1]];
    const inside = [
      left,
      left,
      up,
      corner,
      left + up - corner,
      left + ((up - corner) >> 1),
      up + ((left - corner) >> 1),
    ];
    const predicted = i === 0 ? 2 ** (bits - 1) : y === 0 ? left : x === 0 ? up : inside[predictor];
    const difference = ((sample - predicted + 32768) & 0xffff) - 32768;
    const category = difference === 0 ? 0 : 32 - Math.clz32(Math.abs(difference));
    write(category, 5);
    if (category < 16) write(difference < 0 ? difference + 2 ** category - 1 : difference, category);
  }
  while (written.length % 8) written.push(1);
  const scan = [];
  for (let at = 0; at < written.length; at += 8) {
    const byte = Number.parseInt(written.slice(at, at + 8).join(''), 2);
    scan.push(byte, ...(byte === 255 ? [0] : []));
  }
  const categories = Array.from({ length: 17 }, (_, i) => i);
  const counts = Array.from({ length: 16 }, (_, i) => (i === 4 ? 17 : 0));
  return Buffer.from([
    ...[0xff, 0xd8, 0xff, 0xc3, 0, 11, bits, 0, height, 0, width, 1, 1, 0x11, 0],
    ...[0xff, 0xc4, 0, 36, 0, ...counts, ...categories],
    ...[0xff, 0xda, 0, 8, 1, 1, 0, predictor, 0, 0],
    ...scan,
    ...[0xff, 0xd9],
  ]);
}
