/** Decodes the formats that sharp reads: PNG, JPEG, TIFF and WebP. */
import type { Metadata } from 'sharp';
import { AnatomyError, DataError } from '../../errors.js';
import { composite } from './composite.js';
import type { Pixels } from './pixels.js';

/** The formats that sharp may read, told by the content of the file and not by its name. */
const FORMATS: ReadonlySet<string> = new Set(['png', 'jpeg', 'tiff', 'webp']);

/**
 * The way in which each colour space is read. Naming the space keeps sharp from converting 16 bits to 8 by itself,
 * which is off by one for a sixth of all values. Gray with alpha is read as sRGB, as sharp's 8-bit gray output would
 * drop the alpha.
 */
const READ_AS: Readonly<Record<string, { space: string; alphaSpace: string; depth: 'uchar' | 'ushort' }>> = {
  'b-w': { space: 'b-w', alphaSpace: 'srgb', depth: 'uchar' },
  srgb: { space: 'srgb', alphaSpace: 'srgb', depth: 'uchar' },
  cmyk: { space: 'srgb', alphaSpace: 'srgb', depth: 'uchar' },
  grey16: { space: 'grey16', alphaSpace: 'grey16', depth: 'ushort' },
  rgb16: { space: 'rgb16', alphaSpace: 'rgb16', depth: 'ushort' },
};

/** Loads sharp with the first image that needs it. Phantoms, packs, DICOM and NIfTI work on machines without it. */
async function loadSharp() {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    throw new AnatomyError(
      `PNG, JPEG, TIFF and WebP are read by the package sharp, which cannot be loaded here (${(error as Error).message.split('\n')[0]}). ` +
        'Run npm install on this machine, or carry the data over as one file made by data pack.',
    );
  }
}

/** Gives a version that changes when decoded pixels may change. */
export async function sharpVersion(): Promise<string> {
  const { versions } = await loadSharp();
  return `sharp-${versions.sharp}/vips-${versions.vips}`;
}

/** Reads, from the header alone, width and height in pixels as stored, before EXIF orientation. */
export async function imageSize(bytes: Uint8Array, name: string): Promise<{ width: number; height: number }> {
  const { width, height } = await readHeader(bytes, name);
  return { width, height };
}

/**
 * Decodes PNG, JPEG, TIFF or WebP, 8 or 16 bit, gray, colour, palette or CMYK, into gray or RGB of the same depth.
 *
 * - EXIF orientation is applied.
 * - Alpha is composited onto black and dropped: pixels under full transparency may hold anything, and black is the
 *   background of medical images.
 * - Embedded colour profiles are ignored, as the numbers are measurements, not colours; only CMYK is converted by its
 *   own profile.
 *
 * @param name the name of the file, for messages
 * @throws DataError if the bytes are truncated, damaged, of another format, or hold several pages or float samples
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<Pixels> {
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
  const sharp = await loadSharp();
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
  const { buffer, byteOffset, byteLength } = decoded.data;
  // The bytes are copied, as a pooled Buffer need not start at an even address. 16-bit samples are in the machine's
  // byte order.
  const copy = buffer.slice(byteOffset, byteOffset + byteLength);
  const wide = readAs.depth === 'ushort';
  const samples = wide ? new Uint16Array(copy) : new Uint8Array(copy);
  const white = wide ? 65535 : 255;
  return { width, height, ...composite(samples, channels, white), fullScale: [0, white] };
}

async function readHeader(bytes: Uint8Array, name: string): Promise<Metadata> {
  if (bytes.length === 0)
    throw new DataError(`${name}: is empty (0 bytes), expected an image. Copy it again.`);
  const sharp = await loadSharp();
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
