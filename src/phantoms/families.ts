/**
 * The room `phantoms` draws synthetic studies, so that everything can be tried without patients. This file lists the
 * families of phantoms; each has a folder.
 */
import type { Dataset, Raster } from '../data/sample.js';
import { MOTIONS } from './misalignment.js';
import type { PhantomOptions } from './phantomName.js';

/** A synthetic study: its data set, and the truth that only its maker knows. */
export interface Phantom {
  readonly dataset: Dataset;
  /** The version of the pixels, raised whenever one changes. */
  readonly version: number;
  /** Draws pair `index` as the data set has it, with all that is known of it. */
  readonly pair: (index: number, size: number) => PhantomPair;
  /**
   * Draws where the disease of pair `index` is: 1 inside, row-major, one byte for each pixel of the square of side
   * `size`.
   */
  readonly lesion: (index: number, size: number) => Uint8Array;
}

export interface PhantomPair {
  readonly a: Raster;
  readonly b: Raster;
  /** The third modality, where it is asked for. */
  readonly c?: Raster;
  /** Label maps by name, row-major, one byte for each pixel. */
  readonly masks: Readonly<Record<string, Uint8Array>>;
  readonly params: object;
}

/** The families of phantoms by name. A new one takes a folder beside this file and an entry here. */
export const PHANTOM_FAMILIES: Readonly<Record<string, (options: PhantomOptions) => Promise<() => Phantom>>> =
  {
    breast: async (options) => {
      const { breastLesion, breastPhantom, generatePair, phantomVersion } = await import(
        './breast/breastPhantom.js'
      );
      const settings = {
        pairs: options.integer('pairs') ?? 400,
        seed: options.integer('seed') ?? 0,
        overlay: options.boolean('overlay'),
        gray: options.boolean('gray'),
        difficulty: options.number('difficulty'),
        misalignment: options.number('misalignment'),
        motion: options.word('motion', MOTIONS),
        modalities: options.integer('modalities'),
      };
      return () => ({
        dataset: breastPhantom(settings),
        version: phantomVersion,
        pair: (index, size) => generatePair({ ...settings, index, size }),
        lesion: (index, size) => breastLesion({ ...settings, index, size }),
      });
    },
    fundus: async (options) => {
      const { fundusLesion, fundusPhantom, fundusPhantomVersion, fundusTasks, generateFundusPair } =
        await import('./fundus/fundusPhantom.js');
      const settings = {
        pairs: options.integer('pairs') ?? 400,
        seed: options.integer('seed') ?? 0,
        task: options.word('task', fundusTasks),
        classes: options.words('classes'),
        difficulty: options.number('difficulty'),
        misalignment: options.number('misalignment'),
        motion: options.word('motion', MOTIONS),
        modalities: options.integer('modalities'),
      };
      return () => ({
        dataset: fundusPhantom(settings),
        version: fundusPhantomVersion,
        pair: (index, size) => generateFundusPair({ ...settings, index, size }),
        lesion: (index, size) => fundusLesion({ ...settings, index, size }),
      });
    },
  };
