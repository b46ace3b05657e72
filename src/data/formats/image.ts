/** Decodes the formats that sharp reads: PNG, JPEG, TIFF and WebP. */
import type { Metadata, OutputInfo } from 'sharp';
import { AnatomyError, DataError } from '../../errors.js';
import { composite } from './composite.js';
import { mendJpeg } from './jpegMend.js';
import { MAX_BYTES, refuseAbove } from './limits.js';
import type { Pixels } from './pixels.js';
import { readTiffLayout, type TiffLayout, withPlainExtras } from './tiffLayout.js';

/** The formats that sharp may read, told by the content of the file and not by its name. */
const FORMATS: ReadonlySet<string> = new Set(['png', 'jpeg', 'tiff', 'webp']);

/**
 * The way in which each colour space is read. Naming the space keeps sharp from converting 16 bits to 8 by itself,
 * which is off by one for a sixth of all values. Gray with further samples is read as sRGB, as sharp's 8-bit gray
 * output would drop them.
 */
const READ_AS: Readonly<Record<string, ReadAs>> = {
  'b-w': { colours: 1, space: 'b-w', extraSpace: 'srgb', depth: 'uchar' },
  srgb: { colours: 3, space: 'srgb', extraSpace: 'srgb', depth: 'uchar' },
  cmyk: { colours: 4, space: 'srgb', extraSpace: 'srgb', depth: 'uchar' },
  grey16: { colours: 1, space: 'grey16', extraSpace: 'grey16', depth: 'ushort' },
  rgb16: { colours: 3, space: 'rgb16', extraSpace: 'rgb16', depth: 'ushort' },
};

interface ReadAs {
  /** The number of samples of a pixel that are colours, as stored. */
  readonly colours: number;
  readonly space: string;
  /** The space to read where a pixel has samples beyond the colours. */
  readonly extraSpace: string;
  readonly depth: 'uchar' | 'ushort';
}

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
 *   background of medical images. The extra samples of a TIFF are alpha only where it says so; others are left out.
 * - Embedded colour profiles are ignored, as the numbers are measurements, not colours; only CMYK is converted by its
 *   own profile.
 *
 * @param name the name of the file, for messages
 * @param maxBytes the most bytes that the pixels may take
 * @throws DataError if the bytes are truncated, damaged, too large, of another format, or hold several pages or float
 * samples
 */
export async function decodeImage(bytes: Uint8Array, name: string, maxBytes = MAX_BYTES): Promise<Pixels> {
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
  const wide = readAs.depth === 'ushort';
  const pixelBytes = header.channels * (wide ? 2 : 1);
  refuseAbove(
    maxBytes,
    header.width * header.height * pixelBytes,
    `${header.width}×${header.height} pixels of ${pixelBytes} ${pixelBytes === 1 ? 'byte' : 'bytes'}`,
    name,
  );
  const layout = header.format === 'tiff' ? readTiffLayout(bytes) : undefined;
  if (layout?.blockFault !== undefined) {
    throw new DataError(
      `${name}: this TIFF ${layout.blockFault}. The file is damaged, truncated or its tags are wrong: copy it again, or save it anew.`,
    );
  }
  const extras = header.channels - readAs.colours;
  const alpha = extras === 0 ? undefined : alphaOf(header, readAs, layout, name);
  const space = extras === 0 ? readAs.space : readAs.extraSpace;
  const { info, data, note } = await decodeSamples(bytes, header, layout, {
    space,
    depth: readAs.depth,
  }).catch((error: unknown) => {
    throw unreadable(name, error);
  });
  const { width, height, channels } = info;
  // 16-bit samples are in the machine's byte order. A pooled Buffer need not start at an even address.
  const aligned = data.byteOffset % 2 === 0 ? data : Buffer.from(Uint8Array.from(data).buffer);
  const { buffer, byteOffset, byteLength } = aligned;
  const samples = wide
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint8Array(buffer, byteOffset, byteLength);
  const order = {
    channels,
    colours: readAs.colours === 1 ? 1 : 3,
    alpha: alpha === undefined ? undefined : channels - extras + alpha,
  } as const;
  const white = wide ? 65535 : 255;
  const pixels = { width, height, ...composite(samples, order, white), fullScale: [0, white] as const };
  return note === undefined ? pixels : { ...pixels, note };
}

/** Tells whether a JPEG holds all of its pixels. libvips does not look at warnings that come in the last rows. */
async function hasAllPixels(jpeg: Uint8Array): Promise<boolean> {
  const { jpeg8 } = await import('./dicom/wasmCodec.js');
  return jpeg8.decode(jpeg).then(
    () => true,
    () => false,
  );
}

/** The words for a JPEG whose end marker alone is missing, which other readers overlook or warn of. */
const UNENDED =
  'the JPEG lacks its last two bytes, the end marker, and nothing else; all of its pixels are there';

/** The compressions of TIFF in which libtiff only warns of damage: fax and JPEG. */
const LENIENT_COMPRESSIONS: ReadonlySet<number> = new Set([2, 3, 4, 6, 7]);

async function decodeSamples(
  bytes: Uint8Array,
  { format, space: stored }: Metadata,
  layout: TiffLayout | undefined,
  { space, depth }: { space: string; depth: 'uchar' | 'ushort' },
): Promise<{ info: OutputInfo; data: Buffer; note?: string }> {
  const sharp = await loadSharp();
  // libtiff warns of sound files too, such as those whose tags are not in order. Of tiles, libvips takes all damage for
  // a warning and leaves them black.
  const lenient = layout === undefined || layout.tiled || LENIENT_COMPRESSIONS.has(layout.compression);
  const failOn = lenient ? 'warning' : 'error';
  const decode = (input: Uint8Array) =>
    sharp(input, { ...UNLIMITED, autoOrient: true, failOn, ignoreIcc: stored !== 'cmyk' })
      .toColourspace(space)
      .raw({ depth })
      .toBuffer({ resolveWithObject: true });
  if (layout?.extras.includes('premultiplied')) return decode(withPlainExtras(bytes, layout));
  try {
    return await decode(bytes);
  } catch (error) {
    const mended = format === 'jpeg' ? mendJpeg(bytes) : undefined;
    if (mended === undefined) throw error;
    const decoded = await decode(mended.bytes);
    if (!mended.unended) return decoded;
    if (!(await hasAllPixels(mended.bytes))) throw error;
    return { ...decoded, note: UNENDED };
  }
}

/** Gives the position, among the samples beyond the colours, of the alpha that the colours are yet to be multiplied by. */
function alphaOf(
  { format, channels }: Metadata,
  { colours }: ReadAs,
  layout: TiffLayout | undefined,
  name: string,
): number | undefined {
  if (format !== 'tiff') return 0;
  const extras = channels - colours;
  if (layout?.extras.length !== extras) {
    throw new DataError(
      `${name}: a pixel of this TIFF has ${channels} samples, of which ${extras} are no colours, and the tag ExtraSamples, ` +
        `which says what they are, names ${layout?.extras.length ?? 0}. Save it without them, or as PNG.`,
    );
  }
  if (layout.planar && colours === 1) {
    // libvips 8.18 takes such planes for one plane of interleaved samples.
    throw new DataError(
      `${name}: is a gray TIFF with ${extras} more ${extras === 1 ? 'plane' : 'planes'}, expected interleaved samples. ` +
        'Save the gray plane alone, or as PNG.',
    );
  }
  const alphas = [...layout.extras.keys()].filter((i) => layout.extras[i] !== 'unspecified');
  if (alphas.length > 1) {
    throw new DataError(
      `${name}: this TIFF says that ${alphas.length} samples of a pixel are alpha, expected one. Save it with one, or as PNG.`,
    );
  }
  // Colours that are multiplied by their alpha already lie on black.
  return alphas.find((i) => layout.extras[i] === 'alpha');
}

async function readHeader(bytes: Uint8Array, name: string): Promise<Metadata> {
  if (bytes.length === 0)
    throw new DataError(`${name}: is empty (0 bytes), expected an image. Copy it again.`);
  const sharp = await loadSharp();
  const header = await sharp(bytes, { ...UNLIMITED, failOn: 'error' })
    .metadata()
    .catch((error: unknown) => {
      throw unreadable(name, error);
    });
  if (!FORMATS.has(header.format)) {
    throw new DataError(`${name}: is ${header.format}, expected PNG, JPEG, TIFF or WebP. Convert it to PNG.`);
  }
  return header;
}

/** sharp's own limits are off, as `data.maxBytes` is the limit, and it is told by its name. */
const UNLIMITED = { limitInputPixels: false, limitInputChannels: false } as const;

function unreadable(name: string, error: unknown): DataError {
  const lines = (error instanceof Error ? error.message : String(error)).split('\n');
  // sharp's first line may only say that it takes warnings for errors.
  const reason = lines.find((line) => line.trim() !== '' && !line.includes('failOn')) ?? 'damaged data';
  const compression = /(\S+) compression support is not configured/.exec(reason)?.[1];
  if (compression !== undefined) {
    return new DataError(
      `${name}: is compressed by ${compression}, which is not read. Save it with LZW, or as PNG.`,
    );
  }
  return new DataError(
    `${name}: cannot be decoded as PNG, JPEG, TIFF or WebP (${reason}). The file is damaged, truncated or of another format: ` +
      'copy it again or leave it out.',
  );
}
