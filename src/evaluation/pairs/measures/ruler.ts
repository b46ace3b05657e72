/** Chooses the settings of L_C and L_Glo for a run, so that every run can be measured with the paper's losses. */
import type { Augmentation } from '../../../augment/index.js';
import { type Config, defaults } from '../../../config/index.js';
import type { ConsistencyOptions } from '../../../losses/index.js';
import { type AnatomyOptions, anatomy, consistencyOptions } from '../../../methods/index.js';
import type { GlobalTermsOptions } from './globalTerms.js';

/** The settings with which L_C and L_Glo are computed on a run. */
export interface Ruler {
  /** The maps that L_C compares. */
  readonly maps: readonly number[];
  readonly consistency: ConsistencyOptions;
  readonly global: GlobalTermsOptions;
  /** The augmentation that makes Â and B̂. */
  readonly augmentation: Augmentation;
}

/**
 * Takes the settings that the run trained with. A run of another method is measured with the defaults of the paper's
 * method, on the maps that its grid fits.
 */
export function rulerOf({ method, augment, data }: Config): Ruler {
  const own = method.name === 'anatomy';
  const options: AnatomyOptions = own ? method : { ...anatomy.defaults };
  const [finest] = [...options.patches].flat().sort((a, b) => b - a) as [number];
  const maps = own ? options.maps : options.maps.filter((map) => mapSide(data.size, map) >= finest);
  const { tau, positive, crossModal } = options;
  return {
    maps,
    consistency: consistencyOptions({ ...options, maps }),
    // The term that draws A and B together is measured even on a run that trained without it.
    global: {
      tau,
      positive,
      crossModal: crossModal === 'clean-and-augmented' ? crossModal : 'both-directions',
    },
    augmentation: own ? augment : defaults.augment,
  };
}

/** The side of a map in pixels. Map 0 is as large as the image. */
export function mapSide(size: number, map: number): number {
  return size / 2 ** map;
}
