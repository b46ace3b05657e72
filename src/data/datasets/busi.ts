import { DataError } from '../../errors.js';
import type { Sample } from '../sample.js';
import { inside } from './folderTree.js';
import { imagesIn, type KnownDataset, stemsIn } from './known.js';

const CLASSES = ['benign', 'malignant', 'normal'] as const;

/** The end of a mask's name. Each lesion of an image has a mask: `_mask`, `_mask_1`, `_mask_2`. */
const MASK = /_mask(_\d+)?$/i;
const NAME = /^(benign|malignant|normal) \(\d+\)$/i;

/**
 * Reads BUSI, breast ultrasound images (Al-Dhabyani et al., Data in Brief 2020): `benign/benign (1).png` beside
 * `benign (1)_mask.png`, also for `malignant` and `normal`. Masks are never read.
 */
export const busi: KnownDataset = {
  name: 'BUSI',
  // The literature on benign against malignant, the paper included, takes these 647 images.
  classes: ['benign', 'malignant'],

  recognise: (folder) =>
    CLASSES.some((name) => {
      const part = inside(folder, name);
      return part !== undefined && stemsIn(part).some((stem) => NAME.test(stem.replace(MASK, '')));
    }),

  async open(folder) {
    for (const name of ['benign', 'malignant']) {
      if (inside(folder, name) !== undefined) continue;
      throw new DataError(
        `${folder.path}: looks like BUSI, but has no folder "${name}", expected benign, malignant and normal. ` +
          'Unpack it again, or write a manifest.',
      );
    }
    const samples = CLASSES.flatMap((label) => {
      const part = inside(folder, label);
      const images = part === undefined ? [] : imagesIn(part).filter(({ stem }) => !MASK.test(stem));
      return images.map(
        ({ stem, source }): Sample => ({ id: stem, subject: stem, images: { a: source }, label }),
      );
    });
    return {
      name: 'BUSI',
      modalities: ['a'],
      samples,
      published: {
        name: 'BUSI (Al-Dhabyani et al. 2020)',
        counts: { benign: 437, malignant: 210, normal: 133 },
        subjects: 600,
        notes: [
          'No patient ids and no split are published: 780 images of 600 women, so some share a patient.',
          'Pawłowska et al. (Data in Brief 2023) count 235 duplicated images, 8 lesions among both benign and malignant, ' +
            'about 70 images of the axilla, and 295 with annotations burnt in.',
        ],
      },
    };
  },
};
