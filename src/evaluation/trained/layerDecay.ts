import { type Encoder, type Linear, namedParameters } from '../../nn/index.js';
import type { ParameterGroup } from '../../optim/index.js';
import type { Tensor } from '../../tensor/index.js';
import type { EncoderGroup } from './encoderGroups.js';

export interface LayerDecayOptions {
  readonly layerDecay: number;
  readonly weightDecay: number;
}

/**
 * Makes parameter groups with layer-wise rate decay (Clark et al. 2020, as in BEiT and MAE). With L convolutions,
 * convolution l, counted from 0 at the image, and its batch norm train at layerDecay^(L − l) of the rate; the head and
 * classifiers train at the whole rate. Weights of one dimension (biases, batch norm) do not decay.
 */
export function layerGroups(
  encoders: readonly EncoderGroup[],
  classifiers: ReadonlyMap<string, Linear>,
  { layerDecay, weightDecay }: LayerDecayOptions,
): ParameterGroup[] {
  const groups: ParameterGroup[] = [];
  const add = (name: string, parameter: Tensor, rate: number) => {
    const decays = parameter.shape.length > 1;
    groups.push({ parameters: new Map([[name, parameter]]), rate, weightDecay: decays ? weightDecay : 0 });
  };
  for (const { encoder, modalities } of encoders) {
    for (const { name, parameter, rate } of layerRates(encoder, layerDecay)) {
      add(`encoder.${modalities[0]}.${name}`, parameter, rate);
    }
  }
  for (const [key, classifier] of classifiers) {
    for (const [name, parameter] of namedParameters(classifier, `classifier.${key}.`))
      add(name, parameter, 1);
  }
  return groups;
}

/** The factor on the learning rate of each parameter of an encoder. */
export function layerRates(
  encoder: Encoder,
  layerDecay: number,
): { name: string; parameter: Tensor; rate: number }[] {
  const own = [...namedParameters(encoder)];
  const isConvolution = ([name, { shape }]: (typeof own)[number]) =>
    name.endsWith('.weight') && shape.length === 4;
  // Branches are alike, and each counts its own convolutions.
  const layers = own.filter(isConvolution).length / encoder.branches;
  let layer = -1;
  return own.map((entry) => {
    const [name, parameter] = entry;
    // Parameters come in the order of the network, where a convolution is followed by its batch norm.
    if (isConvolution(entry)) layer = (layer + 1) % layers;
    return { name, parameter, rate: /(^|\.)features\./.test(name) ? layerDecay ** (layers - layer) : 1 };
  });
}
