import { type Encoder, type Linear, namedParameters } from '../../nn/index.js';
import type { ParameterGroup } from '../../optim/index.js';
import type { Tensor } from '../../tensor/index.js';
import type { EncoderGroup } from './encoderGroups.js';

export interface LayerDecayOptions {
  readonly layerDecay: number;
  readonly weightDecay: number;
}

/**
 * Makes parameter groups with layer-wise rate decay (Clark et al. 2020, as in BEiT and MAE). With L layers,
 * layer l, counted from 0 at the image, trains at layerDecay^(L − l) of the rate; what comes after them, such as the
 * head and classifiers, trains at the whole rate. The backbone says what its layers are: of VGG16 the convolutions with
 * their batch norm, of a ResNet the stem and the four stages, of a ViT the embedding and the blocks. Weights of one
 * dimension (biases, norms), the class token and position embeddings do not decay.
 */
export function layerGroups(
  encoders: readonly EncoderGroup[],
  classifiers: ReadonlyMap<string, Linear>,
  { layerDecay, weightDecay }: LayerDecayOptions,
): ParameterGroup[] {
  const groups: ParameterGroup[] = [];
  const add = (name: string, parameter: Tensor, rate: number) => {
    const decays = parameter.shape.length > 1 && !/(cls_token|pos_embed)$/.test(name);
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
  const { backbone } = encoder;
  return [...namedParameters(encoder)].map(([name, parameter]) => ({
    name,
    parameter,
    rate: layerDecay ** (backbone.depth - backbone.layerOf(name)),
  }));
}
