import { DataError } from '../../errors.js';
import { shellWords } from '../../text/shell.js';
import type { Dataset, Sample } from '../sample.js';
import { type Folder, readFolder } from './folderTree.js';
import { imagesIn } from './known.js';

/** Folders of the parts of a split, which are no classes. */
const SPLIT_PART = /^(train(ing)?|val(id(ation)?)?|dev|test(ing)?|fold[ _-]?\d+)$/i;
/** Folders that are no class, but a modality or another picture of the same thing. */
const NO_CLASS =
  /^(masks?|seg(mentations?)?|rois?|annotations?|images?|labels?|flair|t[12]\w*|adc|dwi|swi|ct|pet|mri?|b-?mode|swe|elasto\w*|octa?|ffa|fundus|[ab])$/i;
/** Names that are a number, with or without a word before it: `12`, `img_012`, `scan (3)`. */
const COUNTED = /^[a-z]*[ _-]*\(?(\d+)\)?$/i;
/** So many folders are unlikely to be classes. */
const MOST_CLASSES = 30;

/** Images of one modality, with what was assumed of them. */
export interface SingleImages {
  readonly dataset: Dataset;
  readonly warnings: readonly string[];
}

/**
 * Opens a folder of images of one modality, `a`: those directly in it, without labels, or those of its sub-folders,
 * each of which is a class. Gives undefined where the folder holds no images.
 *
 * @throws DataError if it holds both, or if its sub-folders are parts of a split or pictures of the same samples
 */
export async function openSingleImages(place: string): Promise<SingleImages | undefined> {
  const folder = await readFolder(place);
  const classes = folder.folders.filter(({ images }) => images.length > 0);
  const name = folder.name;
  if (folder.images.length === 0 && classes.length === 0) return undefined;
  if (classes.length === 0) {
    const samples = imagesIn(folder).map(({ stem, source }) => sampleOf(stem, source));
    const note =
      `${place}: is taken as images of one modality, a, without labels. For pairs name the second folder with --data-b; ` +
      'for classes put the images into a folder each.';
    return { dataset: { name, modalities: ['a'], samples }, warnings: [note] };
  }
  refuseOthers(place, folder, classes);
  const images = classes.flatMap((part) =>
    imagesIn(part).map(({ stem, source }) => ({ stem, source, label: part.name })),
  );
  const unique = new Set(images.map(({ stem }) => stem)).size === images.length;
  const samples = images.map(({ stem, source, label }) => ({
    ...sampleOf(unique ? stem : `${label}/${stem}`, source),
    label,
  }));
  const counts = classes.map((part) => `${part.name} (${part.images.length})`).join(', ');
  const empty = folder.folders.filter(({ images }) => images.length === 0).map((part) => part.name);
  return {
    dataset: { name, modalities: ['a'], samples },
    warnings: [
      `${place}: the names of its folders are taken as classes: ${counts}.` +
        (empty.length === 0
          ? ''
          : ` Passed over, as there are no images directly in them: ${empty.join(', ')}.`),
    ],
  };
}

function sampleOf(id: string, source: Sample['images'][string]): Sample {
  return { id, subject: id, images: { a: source } };
}

function refuseOthers(place: string, folder: Folder, classes: readonly Folder[]): void {
  const names = classes.map(({ name }) => name);
  if (folder.images.length > 0) {
    throw new DataError(
      `${place}: holds images, such as ${folder.images[0]}, and folders of images, such as ${names[0]}. Put every image ` +
        'into the folder of its class, or write a manifest.',
    );
  }
  const parts = names.filter((name) => SPLIT_PART.test(name));
  if (parts.length === names.length) {
    throw new DataError(
      `${place}: its folders ${parts.join(', ')} are parts of a split and no classes. Name one of them, or put all images ` +
        'into one folder a class: anatomy data split draws folds by patient.',
    );
  }
  if (classes.length > MOST_CLASSES) {
    throw new DataError(
      `${place}: has ${classes.length} folders of images, such as ${names[0]}, which are too many to be classes. If they are ` +
        'patients, write a manifest with the columns id,subject,a,label.',
    );
  }
  if (classes.length < 2 || !showTheSame(classes)) return;
  const named = shellWords(classes.map(({ name, path: place }) => `${name}=${place}`));
  throw new DataError(
    `${place}: its folders ${names.join(', ')} hold files of the same names, so they look like modalities of the same ` +
      `samples, not like classes. Name those that are modalities: --data ${named}. If they are classes, write a manifest.`,
  );
}

/**
 * Tells whether two folders are pictures of the same samples: most names of the smaller one are in the other. Names may
 * also be counted anew in every class; they are where every folder counts from 1 or 0 without a gap, to different ends,
 * and none is called like a modality.
 */
function showTheSame(classes: readonly Folder[]): boolean {
  const stems = classes.map((part) => imagesIn(part).map(({ stem }) => stem));
  const ends = new Set(stems.map(({ length }) => length));
  const named = classes.some(({ name }) => NO_CLASS.test(name));
  if (!named && ends.size === stems.length && stems.every(isCounted)) return false;
  const sets = stems.map((names) => new Set(names));
  return sets.some((one, i) =>
    sets.slice(i + 1).some((two) => {
      const [small, large] = one.size <= two.size ? [one, two] : [two, one];
      return 2 * [...small].filter((stem) => large.has(stem)).length >= small.size;
    }),
  );
}

function isCounted(stems: readonly string[]): boolean {
  const numbers = stems.map((stem) => Number(COUNTED.exec(stem)?.[1]));
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return least <= 1 && most - least === stems.length - 1;
}
