import { DataError } from '../../errors.js';
import type { Sample } from '../sample.js';
import { inside } from './folderTree.js';
import { imagesIn, type KnownDataset, stemsIn } from './known.js';

/** The name of a folder: the digit of the fold and the letter of the class. */
const PART = /^[1-5][ab]$/i;
const FOLDS = [1, 2, 3, 4, 5];
const CLASSES = { A: 'benign', B: 'malignant' } as const;

/**
 * Reads the layout of the paper's breast ultrasound set (Hu et al. 2022, private): folders `1A` … `5B` of screens
 * that show the B-mode image in their left half and the same view as shear-wave elastography in their right half. The
 * digit of a folder is the fold, the letter the class.
 */
export const composite: KnownDataset = {
  name: 'US-SWE',

  recognise: ({ folders }) =>
    folders.filter((folder) => PART.test(folder.name) && stemsIn(folder).length > 0).length >= 2,

  async open(folder) {
    const parts = FOLDS.flatMap((digit) =>
      Object.entries(CLASSES).map(([letter, label]) => ({
        name: `${digit}${letter}`,
        fold: digit - 1,
        label,
      })),
    );
    const absent = parts.filter(({ name }) => inside(folder, name) === undefined).map(({ name }) => name);
    if (absent.length > 0) {
      throw new DataError(
        `${folder.path}: looks like the US-SWE composites, but has no folder ${absent.join(', ')}, expected 1A, 1B … 5A, 5B. ` +
          'Copy it again, or write a manifest.',
      );
    }
    const samples = parts.flatMap(({ name, fold, label }) =>
      imagesIn(inside(folder, name)!).map(({ stem, source }): Sample => {
        const id = `${name}/${stem}`;
        return {
          id,
          subject: id,
          images: {
            a: { ...source, part: { kind: 'half', side: 'left' } },
            b: { ...source, part: { kind: 'half', side: 'right' } },
          },
          label,
          fold,
        };
      }),
    );
    return {
      name: 'US-SWE',
      modalities: ['a', 'b'],
      samples,
      colourCoded: ['b'],
      published: {
        name: 'US-SWE (Hu et al. 2022)',
        counts: {},
        samples: 3474,
        notes: [
          'Each file holds both images side by side: left B-mode (a), right elastography (b).',
          'The five folds are those of the authors, by the digit of the folder.',
          'File names carry no patients: whether the folds keep patients together cannot be told.',
        ],
      },
    };
  },
};
