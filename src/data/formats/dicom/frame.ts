import type { Element } from 'dicom-parser';
import { type DicomFile, damaged, refuse } from './dataSet.js';

/**
 * Gives the compressed bytes of one frame. A frame may be cut into fragments. Which of them are its own is told by
 * their number, by the basic offset table, or, where that is empty, by the marker (FFD9) that ends every JPEG,
 * JPEG-LS and JPEG 2000 image.
 *
 * @throws DataError if the fragments cannot be told apart or lie outside the file
 */
export function compressedFrame(
  file: DicomFile,
  element: Element,
  frame: number,
  frames: number,
): Uint8Array {
  const { byteArray } = file.dataSet;
  const fragments = element.fragments ?? [];
  if (fragments.some(({ position, length }) => position + length > byteArray.length)) {
    throw damaged(file.name, 'a fragment of the pixel data goes on after the end of the file');
  }
  const parts = fragments.map(({ position, length }) => byteArray.subarray(position, position + length));
  const bytes = Buffer.concat(parts.filter((_, i) => frameOf(i) === frame));
  if (bytes.length === 0) {
    refuse(
      file,
      `frame ${frame} of ${frames} has no pixel data in ${parts.length} fragments`,
      'The file is truncated or damaged: copy it again.',
    );
  }
  return bytes;

  function frameOf(fragment: number): number {
    if (frames === 1) return 0;
    if (fragments.length === frames) return fragment;
    const table = element.basicOffsetTable ?? [];
    if (table.length === frames) {
      return table.findLastIndex((start) => fragments[fragment]!.offset >= start);
    }
    return parts.slice(0, fragment).filter(endsImage).length;
  }
}

/** Tells whether the bytes end with the marker FFD9, but for padding. */
export function endsImage(bytes: Uint8Array): boolean {
  let end = bytes.length;
  while (end > 2 && bytes[end - 1] === 0) end -= 1;
  return bytes[end - 2] === 0xff && bytes[end - 1] === 0xd9;
}
