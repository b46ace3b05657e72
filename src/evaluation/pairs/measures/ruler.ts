import type { Augmentation } from '../../../augment/index.js';
import { type Config, defaults } from '../../../config/index.js';
import type { ConsistencyOptions } from '../../../losses/index.js';
import { type AnatomyOptions, anatomy, consistencyOptions } from '../../../methods/index.js';
import type { GlobalTermsOptions } from './globalTerms.js';

/** How L_C and L_Glo are computed. */
export interface Ruler {
  /** Maps that L_C compares. */
  readonly maps: readonly number[];
  readonly consistency: ConsistencyOptions;
  readonly global: GlobalTermsOptions;
  /** Of Â and B̂. */
  readonly augmentation: Augmentation;
}

/**
 * As the run trained with them; a run of another method is measured as the paper's method is by default, on the maps that its
 * grid fits.
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
    // What draws A and B together is asked of a run that does without, too.
    global: { tau, positive, crossModal: crossModal === 'none' ? 'both-directions' : crossModal },
    augmentation: own ? augment : defaults.augment,
  };
}

/** Side of a map in pixels; map 0 is as large as the image. */
export function mapSide(size: number, map: number): number {
  return size / 2 ** map;
}
