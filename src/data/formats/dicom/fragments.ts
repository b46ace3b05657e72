/** Finds the compressed frames of a DICOM file among the fragments that hold them (PS3.5 A.4). */
import { type Beginning, beginningOf, holdsEnd } from './markers.js';

/** Reads bytes of a file or of a buffer; fewer than `length` only where it ends. */
export type ReadAt = (offset: number, length: number) => Buffer | Promise<Buffer>;

export interface Fragment {
  /** The first byte of the content. */
  readonly position: number;
  readonly length: number;
  /** The distance of its item from that of the first fragment, by which offset tables name it. */
  readonly offset: number;
  /** The kind of image that begins here, by its first bytes; undefined: none. */
  readonly begins: Beginning | undefined;
}

export interface Fragments {
  readonly fragments: readonly Fragment[];
  /** The offset of each frame, as the basic offset table has it; often empty, sometimes wrong. */
  readonly table: readonly number[];
  /** Whether all of them lie within the file. */
  readonly whole: boolean;
}

/** The tags of an item and of the end of all items, (FFFE,E000) and (FFFE,E0DD), as numbers of four bytes. */
const [ITEM, LAST] = [0xe000fffe, 0xe0ddfffe];
/** The first bytes of a fragment by which the beginning of an image is told. */
const SIGNATURE = 64;
/** The largest offset table that is read: that of a million frames. */
const MOST_TABLE = 2 ** 22;

/**
 * Lists the fragments that follow the pixel data's element, without reading their content.
 *
 * @param from the first byte after the element's length
 */
export async function readFragments(read: ReadAt, from: number): Promise<Fragments> {
  const fragments: Fragment[] = [];
  let table: readonly number[] | undefined;
  let first = from;
  for (let at = from; ; ) {
    const bytes = await read(at, 8 + SIGNATURE);
    const tag = bytes.length < 8 ? undefined : bytes.readUInt32LE(0);
    if (tag !== ITEM) return { fragments, table: table ?? [], whole: tag === LAST };
    const [position, length] = [at + 8, bytes.readUInt32LE(4)];
    const begins = beginningOf(bytes.subarray(8, 8 + length));
    // The first item is the table. A few programs leave it out.
    if (at === from && begins === undefined) {
      table = offsetsOf(await read(position, Math.min(length, MOST_TABLE)));
      first = position + length;
    } else fragments.push({ position, length, offset: at - first, begins });
    at = position + length;
  }
}

function offsetsOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.readUInt32LE(4 * i));
}

/**
 * Groups the fragments by frame. A frame begins where an image begins, whatever the offset tables say. Only where
 * there are fewer beginnings than frames, fragments are counted or the table is believed, if it fits.
 *
 * @param frames how many there should be; undefined: as many as are found
 * @returns the fragments of each frame that is there; undefined where they cannot be told apart
 */
export async function framesOf(
  { fragments, table }: Fragments,
  frames: number | undefined,
  read: ReadAt,
): Promise<readonly (readonly Fragment[])[] | undefined> {
  const beginnings = [...fragments.keys()].filter((i) => fragments[i]!.begins !== undefined);
  const count = frames ?? Math.max(1, beginnings.length);
  const cut = (starts: readonly number[]) => starts.map((start, i) => fragments.slice(start, starts[i + 1]));
  const inOrder = beginnings[0] === 0;
  if (inOrder && beginnings.length >= count) return cut(beginnings);
  if (count === 1) return [fragments];
  const ends = await endsOf(fragments, read);
  const isWhole = (fragment: Fragment, i: number) => fragment.begins !== undefined || ends[i - 1] !== false;
  if (fragments.length === count && fragments.every(isWhole)) return fragments.map((fragment) => [fragment]);
  const ascending = table[0] === 0 && table.every((offset, i) => i === 0 || offset > table[i - 1]!);
  if (table.length === count && ascending) {
    const indexOf = new Map(fragments.map(({ offset }, i) => [offset, i]));
    const named = table.map((offset) => indexOf.get(offset));
    const known = new Set(named);
    if (!known.has(undefined) && beginnings.every((start) => known.has(start))) return cut(named as number[]);
    // Some frames are not there. Those before the first gap are where the table says.
    return inOrder && beginnings.every((start, i) => named[i] === start) ? cut(beginnings) : undefined;
  }
  // Without a table that fits, frames are only told apart where none goes on after the end of its image.
  const single = fragments.every(({ begins }, i) => begins !== undefined || !ends[i - 1]);
  return inOrder && single ? cut(beginnings) : undefined;
}

/** Tells of each fragment whether an image ends in it. Fragments of run-length encoding are whole frames. */
async function endsOf(fragments: readonly Fragment[], read: ReadAt): Promise<boolean[]> {
  const rle = fragments.some(({ begins }) => begins === 'rle');
  const ends: boolean[] = [];
  for (const { position, length } of fragments) ends.push(rle || holdsEnd(await read(position, length)));
  return ends;
}
