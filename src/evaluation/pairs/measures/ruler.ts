/** Chooses the settings of L_C and L_Glo for a run, so that every run can be measured with the paper's losses. */
import type { Augmentation } from '../../../augment/index.js';
import { type Config, defaults } from '../../../config/index.js';
import type { ConsistencyOptions } from '../../../losses/index.js';
import { type AnatomyOptions, anatomy, consistencyOptions } from '../../../methods/index.js';
import { backboneNamed, mapSides } from '../../../nn/index.js';
import type { GlobalTermsOptions } from './globalTerms.js';

/** The settings with which L_C and L_Glo are computed on a run. */
export interface Ruler {
  /** The maps that L_C compares. */
  readonly maps: readonly number[];
  /** The sides of all maps of the encoder in pixels. */
  readonly sides: readonly number[];
  readonly consistency: ConsistencyOptions;
  readonly global: GlobalTermsOptions;
  /** The augmentation that makes Â and B̂. */
  readonly augmentation: Augmentation;
}

/**
 * Takes the settings that the run trained with. A run of another method is measured with the defaults of the paper's
 * method, on the maps that its grid fits, or by a coarser grid where it fits none.
 */
export function rulerOf({ method, augment, data, model }: Config): Ruler {
  const sides = mapSides(backboneNamed(model.backbone).strides, data.size);
  const own = method.name === 'anatomy';
  const options: AnatomyOptions = own ? method : { ...anatomy.defaults };
  const largest = Math.max(...options.maps.map((map) => sides[map]!));
  const finest = Math.min(largest, Math.max(...[...options.patches].flat()));
  const maps = own ? options.maps : options.maps.filter((map) => sides[map]! >= finest);
  const patches: AnatomyOptions['patches'] = own ? options.patches : [finest, finest];
  const { tau, positive, crossModal } = options;
  return {
    maps,
    sides,
    consistency: consistencyOptions({ ...options, maps, patches }),
    // The term that draws A and B together is measured even on a run that trained without it.
    global: {
      tau,
      positive,
      crossModal: crossModal === 'clean-and-augmented' ? crossModal : 'both-directions',
    },
    augmentation: own ? augment : defaults.augment,
  };
}
