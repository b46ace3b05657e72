/** L_C of a batch: the term of the paper's method that needs no other pair. */
import { consistencyLoss, meanOverParts, stackedConsistencyLoss } from '../../losses/index.js';
import { ops, type Tensor } from '../../tensor/index.js';
import type { Views } from '../method.js';
import { type MatedPair, takeRows } from '../presence.js';
import { viewPart } from '../views.js';
import { type AnatomyOptions, consistencyOptions } from './settings.js';

/** The views as far as the maps of them must be told apart. */
type Looked = Pick<Views, 'specs' | 'pairs'>;

export class ConsistencyTerm {
  readonly #options: ReturnType<typeof consistencyOptions>;
  readonly #augmentedToo: boolean;
  readonly #modalities: readonly string[];

  constructor(options: AnatomyOptions, modalities: readonly string[]) {
    this.#options = consistencyOptions(options);
    this.#augmentedToo = options.consistencyViews === 'aligned-and-augmented';
    this.#modalities = modalities;
  }

  /**
   * @param maps one for each hierarchy, of all views, the un-augmented ones first
   * @returns a scalar; undefined where no sample has two images
   */
  value(maps: readonly Tensor[], views: Looked, mated: readonly MatedPair[]): Tensor | undefined {
    const aligned = this.#from(0, maps, views, mated);
    if (!this.#augmentedToo || aligned === undefined) return aligned;
    return aligned.add(this.#from(this.#modalities.length, maps, views, mated)!).div(2);
  }

  /** The value by chance: that of images whose mates are rolled on by one sample. @param several pairs of two or more */
  chance(maps: readonly Tensor[], views: Looked, several: readonly MatedPair[]): Tensor | undefined {
    return this.#ofPairs(0, maps, views, several, 1);
  }

  /** L_C of the views from number `first` on, one for each modality. */
  #from(
    first: number,
    maps: readonly Tensor[],
    views: Looked,
    mated: readonly MatedPair[],
  ): Tensor | undefined {
    const { ids, present } = views.pairs;
    if (this.#modalities.length !== 2 || present !== undefined) {
      return this.#ofPairs(first, maps, views, mated, 0);
    }
    // The maps hold A's images and then B's, as they are.
    const images = { first: first * ids.length, count: 2 * ids.length };
    return stackedConsistencyLoss(maps, this.#options, images);
  }

  /** The mean over the pairs of images, with the second one of each rolled on by `roll` samples. */
  #ofPairs(
    first: number,
    maps: readonly Tensor[],
    views: Looked,
    mated: readonly MatedPair[],
    roll: number,
  ): Tensor | undefined {
    const part = (modality: string, rows: readonly number[] | undefined, by: number): Tensor[] =>
      maps.map((map) => {
        const images = takeRows(viewPart(map, views, first + this.#modalities.indexOf(modality)), rows);
        return by === 0 ? images : ops.roll(images, [by], [0]);
      });
    return meanOverParts(
      mated.map(({ first: a, second: b, rows, count }) => ({
        value: consistencyLoss(part(a, rows[0], 0), part(b, rows[1], roll), this.#options),
        count,
      })),
    );
  }
}
