import { DataError } from '../../errors.js';
import type { Sample } from '../sample.js';
import { imagesIn, type KnownDataset, stemsIn } from './known.js';

/** The class by the first letter of the name. Highly myopic (H) and normal (N) eyes have no pathologic myopia. */
export const PM_CLASSES: Readonly<Record<string, string>> = { P: 'PM', H: 'non-PM', N: 'non-PM' };

const NAME = /^[PHN]\d{4}$/i;
const VALIDATION = /^V\d{4}$/i;

/**
 * Reads the 400 training images of iChallenge-PM (PALM), colour fundus photographs labelled by the first letter of
 * their names.
 */
export const ichallengePm: KnownDataset = {
  name: 'iChallenge-PM',

  // N alone does not tell, as it also begins the names of iChallenge-AMD's controls.
  recognise: (folder) => stemsIn(folder).some((stem) => /^[PH]\d{4}$/i.test(stem)),

  async open(folder) {
    const images = imagesIn(folder);
    const validation = images.filter(({ stem }) => VALIDATION.test(stem)).length;
    const leftOut =
      `${folder.path}: ${validation} validation images (V….jpg) are left out, as their names tell no class. ` +
      'To use them, write a manifest with the labels of PALM-Validation-GT.';
    const samples = images
      .filter(({ stem }) => NAME.test(stem))
      .map(({ stem, source }): Sample => {
        const letter = stem[0]!.toUpperCase();
        return {
          id: stem,
          subject: stem,
          images: { a: source },
          label: PM_CLASSES[letter],
          extra: { letter },
        };
      });
    for (const label of new Set(Object.values(PM_CLASSES))) {
      if (samples.some((sample) => sample.label === label)) continue;
      throw new DataError(
        `${folder.path}: looks like iChallenge-PM, but holds no ${label} image, expected P….jpg (pathologic myopia) beside ` +
          'H….jpg and N….jpg. Unpack it again, or write a manifest.',
      );
    }
    return {
      name: 'iChallenge-PM',
      modalities: ['a'],
      samples,
      positive: 'PM',
      published: {
        name: 'iChallenge-PM (PALM) training set',
        counts: { PM: 213, 'non-PM': 187 },
        notes: [
          'First letter P: pathologic myopia (213); H: high myopia (26) and N: normal (161), both non-PM. Kept as "letter".',
          'No patient ids and no split are published; both eyes of a patient may be among the images.',
        ],
      },
      warnings: validation > 0 ? [leftOut] : [],
    };
  },
};
