import { type Linear, namedParameters } from '../../nn/index.js';
import { AdamW, Sgd } from '../../optim/index.js';
import type { Tensor } from '../../tensor/index.js';
import type { EncoderGroup } from './encoderGroups.js';
import { layerGroups } from './layerDecay.js';
import type { TrainingPreset } from './presets.js';

/**
 * Makes the optimiser of a preset.
 * @param encoders the encoders that are trained too
 * @param classifiers the classifiers by row key
 */
export function optimizerOf(
  { optimizer }: TrainingPreset,
  encoders: readonly EncoderGroup[],
  classifiers: ReadonlyMap<string, Linear>,
): Sgd | AdamW {
  if (optimizer.kind === 'adamw') return new AdamW(layerGroups(encoders, classifiers, optimizer), optimizer);
  const parameters = new Map<string, Tensor>();
  for (const { encoder, modalities } of encoders) {
    for (const [name, tensor] of namedParameters(encoder, `encoder.${modalities[0]}.`))
      parameters.set(name, tensor);
  }
  for (const [key, classifier] of classifiers) {
    for (const [name, tensor] of namedParameters(classifier, `classifier.${key}.`))
      parameters.set(name, tensor);
  }
  return new Sgd(parameters, optimizer);
}
