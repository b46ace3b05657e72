/**
 * Finds out how the pixel data of a DICOM file really lie, where its header and its bytes contradict each other.
 * Whatever was not believed is told in notes.
 */
import { type DicomFile, refuse } from './dataSet.js';
import { type Fragment, framesOf, type ReadAt, readFragments } from './fragments.js';
import { bitsOf, layoutOf, type PixelLayout, saidFrames } from './layout.js';
import { TAGS } from './tags.js';
import { transferSyntax } from './transferSyntax.js';

/** Something that a header says and its pixel data do not bear out. */
export interface DicomNote {
  /** What is wrong and what becomes of it, in the same words for all files. */
  readonly what: string;
  /** The values of this file. */
  readonly detail: string;
}

export interface PixelData {
  readonly layout: PixelLayout;
  readonly frames: number;
  readonly stored: RawFrames | CompressedFrames;
  readonly notes: readonly DicomNote[];
}

export interface RawFrames {
  readonly kind: 'raw';
  /** The first byte of the first frame. */
  readonly from: number;
  /** The number of bytes of each frame. */
  readonly length: number;
}

export interface CompressedFrames {
  readonly kind: 'compressed';
  /** The fragments of each frame. */
  readonly fragments: readonly (readonly Fragment[])[];
}

const READ_AS_STORED =
  'the transfer syntax does not say how the pixel data are stored, so they are read as what they are';
const FULL_COLOURS =
  'labelled YBR_FULL_422, but every pixel has colours of its own (4:4:4), so the pixel data are read as YBR_FULL';
const SHARED_COLOURS =
  'labelled YBR_FULL, but two pixels share their colours (4:2:2), so the pixel data are read as YBR_FULL_422';
const AS_MANY_FRAMES =
  'the header gives no valid number of frames, so as many are read as the pixel data hold';
const FEWER_FRAMES =
  'the pixel data hold fewer frames than the header says, and those that are there are read';
const MORE_DATA =
  'the pixel data hold more than the header says, and the rest is left out. ' +
  'If it belongs to the images, correct Number of Frames (0028,0008) or what else is wrong in the header';

/**
 * Finds the frames without reading their pixels.
 *
 * @param read reads the bytes that positions in the data set point at
 * @throws DataError if the header is not that of an image that is read
 */
export async function pixelDataOf(file: DicomFile, read: ReadAt): Promise<PixelData> {
  const layout = layoutOf(file);
  const element = file.dataSet.elements[TAGS.pixelData];
  if (element === undefined)
    return refuse(file, 'holds no pixel data', 'Only images are read: leave it out.');
  const compressed = element.hadUndefinedLength === true;
  const { pixels } = transferSyntax(file.syntax);
  const wrongSyntax = pixels !== undefined && compressed !== (pixels !== 'raw');
  const notes = wrongSyntax
    ? [note(READ_AS_STORED, `${file.syntax}, ${compressed ? '' : 'not '}compressed`)]
    : [];
  const { dataOffset, length } = element;
  const found = await (compressed
    ? compressedFrames(file, layout, dataOffset, read)
    : rawFrames(file, layout, dataOffset, length, read));
  return { ...found, notes: [...notes, ...found.notes] };
}

async function compressedFrames(
  file: DicomFile,
  layout: PixelLayout,
  from: number,
  read: ReadAt,
): Promise<PixelData> {
  const said = saidFrames(file);
  const listed = await readFragments(read, from);
  const fragments = await framesOf(listed, said.count, read);
  if (fragments === undefined || (!listed.whole && fragments.length < (said.count ?? 1))) {
    const why = listed.whole ? 'cannot be told apart' : 'go on after the end of the file';
    return refuse(
      file,
      `${said.words}, and the ${listed.fragments.length} fragments of the pixel data ${why}`,
      'The file is truncated or damaged: copy it again or leave it out.',
    );
  }
  const held = fragments.length;
  const detail = `${said.words}, holds ${held}`;
  const notes: DicomNote[] = [];
  if (said.count === undefined) notes.push(note(AS_MANY_FRAMES, detail));
  else if (held < said.count) notes.push(note(FEWER_FRAMES, detail));
  else if (held > said.count) notes.push(note(MORE_DATA, detail));
  const frames = Math.min(held, said.count ?? held);
  return { layout, frames, stored: { kind: 'compressed', fragments }, notes };
}

function note(what: string, detail: string): DicomNote {
  return { what, detail };
}

/** Lays frames that are not compressed side by side, as many as go into `total` bytes. */
async function rawFrames(
  file: DicomFile,
  told: PixelLayout,
  from: number,
  total: number,
  read: ReadAt,
): Promise<PixelData> {
  const said = saidFrames(file);
  const photometric = coloursOf(file, told, total);
  const layout = { ...told, photometric };
  const relabelled = photometric === 'YBR_FULL' ? FULL_COLOURS : SHARED_COLOURS;
  const notes = photometric === told.photometric ? [] : [note(relabelled, `${total} bytes`)];
  const length = bytesOf(layout);
  const [held, rest] = [Math.floor(total / length), total % length];
  const detail = `${said.words}, holds ${held}${rest > 1 ? ` and ${rest} bytes` : ''}`;
  const fewer = held >= 1 && rest <= 1 && !fitsOtherwise(file, layout, said.count ?? 1, total);
  const frames = said.count === undefined || (held < said.count && fewer) ? Math.max(1, held) : said.count;
  // A file may say that it holds more bytes than are there. Frames are only counted where they are.
  const there = frames === 1 || (await read(from + total - 1, 1)).length === 1 ? total : 0;
  if (there < length * frames) refuseShort(file, layout, frames, there);
  if (said.count === undefined) notes.push(note(AS_MANY_FRAMES, detail));
  else if (held < said.count) notes.push(note(FEWER_FRAMES, detail));
  else if (held > said.count || rest > 1) notes.push(note(MORE_DATA, detail));
  return { layout, frames, stored: { kind: 'raw', from, length }, notes };
}

/** Gives the number of bytes of a frame. Of YBR_FULL_422, two pixels side by side share their Cb and Cr. */
function bytesOf({ width, height, samples, bits, photometric }: PixelLayout): number {
  return width * height * (photometric === 'YBR_FULL_422' ? 2 : samples) * (bits / 8);
}

/**
 * Gives the photometric interpretation that the length bears out. Many programs label YBR_FULL_422 what is YBR_FULL;
 * a single image may be labelled the other way round.
 *
 * @throws DataError if the length of what is labelled YBR_FULL_422 does not tell
 */
function coloursOf(file: DicomFile, layout: PixelLayout, total: number): string {
  const { photometric: label } = layout;
  const { count = 1 } = saidFrames(file);
  if (label !== 'YBR_FULL_422') {
    const shared = 'YBR_FULL_422';
    const isShared =
      label === 'YBR_FULL' && count === 1 && isPadded(total, bytesOf({ ...layout, photometric: shared }));
    return isShared ? shared : label;
  }
  const candidates = (['YBR_FULL_422', 'YBR_FULL'] as const).map((photometric) => {
    const length = bytesOf({ ...layout, photometric });
    return { photometric, length, needed: length * count, rest: total % length };
  });
  const exact = candidates.find(({ needed }) => isPadded(total, needed));
  if (exact !== undefined) return exact.photometric;
  const [shared, full] = [candidates[0]!, candidates[1]!];
  const neither = () =>
    refuse(
      file,
      `is labelled YBR_FULL_422, and the ${total} bytes of its pixel data fit neither that nor YBR_FULL`,
      'Convert the file to RGB.',
    );
  // The label is doubted only where the length does not do for it, or would do for both. Shared colours have no planes.
  if (total >= shared.needed && total < full.needed) return layout.planar ? neither() : shared.photometric;
  const whole = candidates.filter(({ length, rest }) => total >= length && rest <= 1);
  if (whole.length === 1) return whole[0]!.photometric;
  // What is too short even for shared colours is refused as such.
  if (whole.length === 0 && total < full.needed) return shared.photometric;
  if (whole.length === 0 && total - full.needed < full.length / layout.height) return full.photometric;
  return neither();
}

/** Tells whether another storage of all frames, which is not the one in the header, has this length. */
function fitsOtherwise(file: DicomFile, layout: PixelLayout, frames: number, total: number): boolean {
  const needed = bytesOf(layout) * frames;
  const others: number[] = [];
  if (layout.bits === 16 && bitsOf(file).stored <= 8) others.push(needed / 2);
  if (layout.photometric === 'YBR_FULL') others.push((needed * 2) / 3);
  return others.some((other) => isPadded(total, other));
}

/** Tells whether a length is the one needed, or one more, as elements have an even number of bytes. */
function isPadded(length: number, needed: number): boolean {
  return length === needed || length === needed + 1;
}

/** Throws the DataError of pixel data that are too short for their frames. */
export function refuseShort(file: DicomFile, layout: PixelLayout, frames: number, there: number): never {
  const { width, height, samples, bits } = layout;
  return refuse(
    file,
    `the pixel data is ${there} bytes long, but ${frames} × ${width}×${height} pixels of ` +
      `${samples} × ${bits} bits need ${bytesOf(layout) * frames}`,
    'The file is truncated or damaged: copy it again.',
  );
}
