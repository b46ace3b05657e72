/** The room `nn` has networks: layers, VGG16, and the encoder with the projection head of the paper. */
export { Branches, branchOf } from './branches.js';
export { averagedMaps, Encoder, type EncoderOptions, type EncoderOutput, type HeadInput } from './encoder.js';
export { BatchNorm, Conv3x3, Linear, LinearWithoutBias } from './layers.js';
export { disposeModule, loadState, type Module, namedParameters, placeModule, stateDict } from './module.js';
export {
  type Backbone,
  type BackboneOutput,
  type ForwardOptions,
  Vgg16,
  type Vgg16Options,
  vgg16,
} from './vgg.js';
