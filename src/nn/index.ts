/** The room `nn` has networks: layers, backbones, and the encoder with the projection head of the paper. */
export { type Backbone, type BackboneOutput, type ForwardOptions, mapSides } from './backbone.js';
export {
  type BackboneDefinition,
  backboneNamed,
  backboneNames,
  recognizeBackbone,
  type Shapes,
} from './backbones.js';
export { Branches, branchOf, partsOf } from './branches.js';
export { averagedMaps, Encoder, type EncoderOptions, type EncoderOutput, type HeadInput } from './encoder.js';
export {
  BatchNorm,
  Conv3x3,
  Linear,
  LinearWithoutBias,
  normsAcross,
  recomputingInputs,
} from './layers.js';
export { disposeModule, loadState, type Module, namedParameters, placeModule, stateDict } from './module.js';
export { FoldedNorms, NormedConvolution } from './normedConvolution.js';
export { gradientsAtMaps, pool } from './pooledMap.js';
export { type ResNetOptions, resnet } from './resnet.js';
export { Vgg16, type Vgg16Options, vgg16 } from './vgg.js';
export { type VitOptions, vit } from './vit.js';
