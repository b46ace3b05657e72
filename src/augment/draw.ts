import { Random } from '../tensor/index.js';
import type { Box } from './box.js';
import { checkSide } from './check.js';
import { adjustmentNames, type Jitter } from './colorJitter.js';
import { type Augmentation, checkAugmentation } from './recipes.js';

/** All random decisions about one view of one image. */
export interface Draw {
  /** The crop in source pixels; the whole image where the augmentation has none. */
  readonly box: Box;
  readonly flip: boolean;
  readonly jitter: Jitter | null;
  readonly grayscale: boolean;
  readonly grayscaleFirst: boolean;
  /** The sigma of the blur in target pixels; null: no blur. */
  readonly blurSigma: number | null;
}

/** The key of a draw. The draw is a pure function of it. */
export interface DrawKey {
  seed: number;
  epoch: number;
  /** The sample's id, which is the same in all runs. */
  id: string;
  modality: string;
  /** The number of the view, where one image has several in one epoch. Default 0. */
  view?: number;
}

export interface DrawOptions extends DrawKey {
  /** The side of the square source image, in pixels. */
  source: number;
  /**
   * Whether colour is a measurement, such as stiffness in SWE, and is kept: no hue shift, no grayscale and no change of
   * saturation (which is half a grayscale). Brightness and contrast still change.
   */
  keepColours?: boolean;
}

/**
 * Draws one view. Every decision has a random stream of its own, so switching one off leaves the others as they were,
 * and with `shared` geometry the streams of crop and flip know nothing of the modality.
 */
export function drawAugmentation(
  augmentation: Augmentation,
  { seed, epoch, id, modality, view = 0, source, keepColours = false }: DrawOptions,
): Draw {
  checkAugmentation(augmentation);
  checkSide('drawAugmentation', 'source', source);
  const { crop, flip, grayscale, grayscaleFirst = false, blur, geometry } = augmentation;
  const photometric = (decision: string): Random =>
    new Random(seed, 'augment', epoch, id, view, decision, modality);
  const geometric = (decision: string): Random =>
    geometry === 'shared' ? new Random(seed, 'augment', epoch, id, view, decision) : photometric(decision);

  const blurStream = photometric('blur');
  return {
    box:
      crop === null
        ? { top: 0, left: 0, height: source, width: source }
        : drawBox(geometric('crop'), source, crop),
    flip: geometric('flip').chance(flip),
    jitter: drawJitter(photometric('jitter'), augmentation.jitter, keepColours),
    grayscale: !keepColours && photometric('grayscale').chance(grayscale),
    grayscaleFirst,
    blurSigma:
      blur !== null && blurStream.chance(blur.probability) ? blurStream.uniform(...blur.sigma) : null,
  };
}

/**
 * Draws a box as torchvision's RandomResizedCrop.get_params does: ten tries, then the largest box in the middle that
 * has a permitted ratio.
 */
function drawBox(random: Random, side: number, { scale, ratio }: NonNullable<Augmentation['crop']>): Box {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const area = side * side * random.uniform(...scale);
    const aspect = Math.exp(random.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
    const width = Math.round(Math.sqrt(area * aspect));
    const height = Math.round(Math.sqrt(area / aspect));
    if (width >= 1 && width <= side && height >= 1 && height <= side) {
      return { top: random.below(side - height + 1), left: random.below(side - width + 1), height, width };
    }
  }
  // The source is square, so a ratio has to be forced only where the range lies on one side of 1. A box has at least
  // one pixel.
  const width = ratio[1] < 1 ? Math.max(1, Math.round(side * ratio[1])) : side;
  const height = ratio[0] > 1 ? Math.max(1, Math.round(side / ratio[0])) : side;
  return { top: (side - height) >> 1, left: (side - width) >> 1, height, width };
}

function drawJitter(random: Random, jitter: Augmentation['jitter'], keepColours: boolean): Jitter | null {
  if (jitter === null || !random.chance(jitter.probability)) return null;
  const around1 = (strength: number): number => random.uniform(Math.max(0, 1 - strength), 1 + strength);
  const order = Array.from(random.permutation(adjustmentNames.length), (i) => adjustmentNames[i]!);
  const brightness = around1(jitter.brightness);
  const contrast = around1(jitter.contrast);
  const saturation = around1(jitter.saturation);
  const hue = random.uniform(-jitter.hue, jitter.hue);
  return keepColours
    ? { order, brightness, contrast, saturation: 1, hue: 0 }
    : { order, brightness, contrast, saturation, hue };
}
