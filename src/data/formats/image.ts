import { readFile } from 'node:fs/promises';
import sharp, { type Metadata } from 'sharp';
import { DataError } from '../../errors.js';
import type { Raster } from '../sample.js';

/** The formats that `decodeImage` takes, by the content of the file and not by its name. */
const FORMATS: ReadonlySet<string> = new Set(['png', 'jpeg', 'tiff', 'webp']);

/** File-name endings, lower case, that a folder of images is searched for. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([
  '.png',
  '.jpg',
  '.jpeg',
  '.tif',
  '.tiff',
  '.webp',
]);

/** Changes when decoded pixels may change: part of every cache key. */
export const DECODER_VERSION = `sharp-${sharp.versions.sharp}/vips-${sharp.versions.vips}`;

/**
 * How each colour space is read. Naming the space keeps sharp from converting 16 bits to 8 by itself, which is off by one
 * for a sixth of all values. Gray with alpha is read as sRGB, as sharp's 8-bit gray output would drop the alpha.
 */
const READ_AS: Readonly<Record<string, { space: string; alphaSpace: string; depth: 'uchar' | 'ushort' }>> = {
  'b-w': { space: 'b-w', alphaSpace: 'srgb', depth: 'uchar' },
  srgb: { space: 'srgb', alphaSpace: 'srgb', depth: 'uchar' },
  cmyk: { space: 'srgb', alphaSpace: 'srgb', depth: 'uchar' },
  grey16: { space: 'grey16', alphaSpace: 'grey16', depth: 'ushort' },
  rgb16: { space: 'rgb16', alphaSpace: 'rgb16', depth: 'ushort' },
};

/** Reads and decodes one image file; see `decodeImage`. */
export async function readImage(path: string): Promise<Raster> {
  return decodeImage(await readBytes(path), path);
}

/** Width and height in pixels as stored, before EXIF orientation, from the header alone. */
export async function readImageSize(path: string): Promise<{ width: number; height: number }> {
  return imageSize(await readBytes(path), path);
}

/** The same for the bytes of a file. */
export async function imageSize(bytes: Uint8Array, name: string): Promise<{ width: number; height: number }> {
  const { width, height } = await readHeader(bytes, name);
  return { width, height };
}

/**
 * Decodes PNG, JPEG, TIFF or WebP, 8 or 16 bit, gray, colour, palette or CMYK, into 8-bit gray or RGB.
 *
 * - EXIF orientation is applied.
 * - 16 bit maps linearly from the full range, 0 … 65535 → 0 … 255: the same for every image, so intensities stay
 *   comparable between images. (An image that uses 12 of its 16 bits comes out dark.)
 * - Alpha is composited onto black and dropped: pixels under full transparency may hold anything, and black is the
 *   background of medical images.
 * - Embedded colour profiles are ignored, as the numbers are measurements, not colours; only CMYK is converted by its own.
 * - A colour image with R = G = B everywhere comes back with one channel.
 *
 * @param name the file, for messages
 * @throws DataError if the bytes are truncated, damaged, of another format, or hold several pages or float samples
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Raster> {
  const header = await readHeader(bytes, name);
  const readAs = READ_AS[header.space];
  const wholeNumbers = header.depth === 'uchar' || header.depth === 'ushort';
  if (readAs === undefined || !wholeNumbers) {
    throw new DataError(
      `${name}: the pixels are ${header.depth} in colour space "${header.space}", expected 8- or 16-bit gray, RGB or CMYK. ` +
        'Convert the image to 8- or 16-bit PNG with an intensity range you choose.',
    );
  }
  if ((header.pages ?? 1) > 1) {
    throw new DataError(
      `${name}: holds ${header.pages} pages or frames, expected one image a file. Save the one that is meant as a file of its own.`,
    );
  }
  const decoded = await sharp(bytes, {
    autoOrient: true,
    failOn: 'warning',
    ignoreIcc: header.space !== 'cmyk',
  })
    .toColourspace(header.hasAlpha ? readAs.alphaSpace : readAs.space)
    .raw({ depth: readAs.depth })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw unreadable(name, error);
    });
  const { width, height, channels } = decoded.info;
  const samples = readAs.depth === 'ushort' ? words(decoded.data) : decoded.data;
  return { width, height, ...compose(samples, channels, readAs.depth === 'ushort' ? 65535 : 255) };
}

async function readBytes(path: string): Promise<Buffer> {
  // Bytes and not the path go to sharp: libvips reads options out of file names with brackets, and caches by name.
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'no such file' : error.message;
    throw new DataError(`${path}: cannot be read: ${reason}. Check the path and its permissions.`);
  });
}

async function readHeader(bytes: Uint8Array, name: string): Promise<Metadata> {
  if (bytes.length === 0)
    throw new DataError(`${name}: is empty (0 bytes), expected an image. Copy it again.`);
  const header = await sharp(bytes, { failOn: 'warning' })
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(name, error);
    });
  if (!FORMATS.has(header.format)) {
    throw new DataError(`${name}: is ${header.format}, expected PNG, JPEG, TIFF or WebP. Convert it to PNG.`);
  }
  return header;
}

function unreadable(name: string, error: unknown): DataError {
  const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
  return new DataError(
    `${name}: cannot be decoded as PNG, JPEG, TIFF or WebP (${reason}). The file is damaged, truncated or of another format: ` +
      'copy it again or leave it out.',
  );
}

/** 16-bit samples in the machine's byte order; copied, as a pooled Buffer need not start at an even address. */
function words(data: Buffer): Uint16Array {
  return new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

/**
 * Interleaved samples 0 … `top` with 1 to 4 channels (2 and 4: the last is alpha) → 8 bit, alpha composited onto
 * black, one channel if all three are equal.
 */
function compose(
  samples: Uint8Array | Uint16Array,
  channels: number,
  top: number,
): Pick<Raster, 'channels' | 'data'> {
  const colours = channels < 3 ? 1 : 3;
  const hasAlpha = channels > colours;
  const pixels = samples.length / channels;
  const data = new Uint8Array(pixels * colours);
  let gray = true;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const from = pixel * channels;
    const opacity = hasAlpha ? samples[from + colours]! / top : 1;
    for (let c = 0; c < colours; c += 1) {
      data[pixel * colours + c] = Math.round((samples[from + c]! * opacity * 255) / top);
    }
    if (colours === 3 && gray) {
      const to = pixel * 3;
      gray = data[to] === data[to + 1] && data[to] === data[to + 2];
    }
  }
  if (colours === 1 || !gray) return { channels: colours, data };
  return { channels: 1, data: Uint8Array.from({ length: pixels }, (_, pixel) => data[pixel * 3]!) };
}
