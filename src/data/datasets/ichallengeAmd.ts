import { DataError } from '../../errors.js';
import type { Sample } from '../sample.js';
import { inside } from './folderTree.js';
import { imagesIn, type KnownDataset, stemsIn } from './known.js';

const CLASSES = ['AMD', 'non-AMD'] as const;
const NAME = /^[AN]\d{4}$/i;

/**
 * Reads the 400 training images of iChallenge-AMD (ADAM), colour fundus photographs in the folders `AMD` and
 * `Non-AMD`.
 */
export const ichallengeAmd: KnownDataset = {
  name: 'iChallenge-AMD',

  recognise: (folder) =>
    CLASSES.some((name) => {
      const part = inside(folder, name);
      return part !== undefined && stemsIn(part).some((stem) => NAME.test(stem));
    }),

  async open(folder) {
    const samples = CLASSES.flatMap((label) => {
      const part = inside(folder, label);
      if (part === undefined) {
        throw new DataError(
          `${folder.path}: looks like iChallenge-AMD, but has no folder "${label}", expected AMD and Non-AMD. ` +
            'Unpack it again, or write a manifest.',
        );
      }
      return imagesIn(part).map(
        ({ stem, source }): Sample => ({ id: stem, subject: stem, images: { a: source }, label }),
      );
    });
    return {
      name: 'iChallenge-AMD',
      modalities: ['a'],
      samples,
      positive: 'AMD',
      published: {
        name: 'iChallenge-AMD (ADAM) training set',
        counts: { AMD: 89, 'non-AMD': 311 },
        notes: [
          'No patient ids and no split are published; both eyes of a patient may be among the images.',
          '22 % are positive: calling every image negative is right in 78 % of the cases.',
        ],
      },
    };
  },
};
