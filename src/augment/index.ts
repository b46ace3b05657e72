/** The room `augment` varies training images: it draws random decisions and carries them out on tensors. */
export { augmentBatch } from './augmentBatch.js';
export { blurKernelSize, gaussianBlur } from './blur.js';
export type { Box } from './box.js';
export { type Adjustment, colorJitter, type Jitter } from './colorJitter.js';
export { type Draw, type DrawKey, type DrawOptions, drawAugmentation } from './draw.js';
export {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  grayscale,
} from './photometry.js';
export { type Augmentation, checkAugmentation, type RecipeName, recipes } from './recipes.js';
export { type ResampleOptions, resample } from './resample.js';
