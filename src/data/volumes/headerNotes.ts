import type { DicomHeader } from '../formats/index.js';

/** A note on a DICOM header, with the image it is of. */
export type FoundNote = DicomHeader['notes'][number] & { readonly id: string; readonly modality: string };

/** Makes one sentence of all notes of a kind, so that a fault of a scanner is not told once for each file. */
export function noteWarnings(notes: readonly FoundNote[], samples: number): string[] {
  return [...new Set(notes.map(({ what }) => what))].map((kind) => {
    const found = notes.filter(({ what }) => what === kind);
    const { id, modality, detail } = found[0]!;
    const count = new Set(found.map((note) => note.id)).size;
    return `${count} of ${samples} samples: ${kind}. For instance "${id}" (${modality}): ${detail}.`;
  });
}
