import { noGrad, ops, type Tensor, tidy } from '../tensor/index.js';
import { changeSome } from './changeSome.js';
import { checkImages, checkOnePerImage } from './check.js';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './photometry.js';

const adjustments = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
};
export type Adjustment = keyof typeof adjustments;
export const adjustmentNames = Object.keys(adjustments) as Adjustment[];

/** The factors of one image. A factor of 1 changes nothing; for hue, 0 does not. `order` holds each adjustment once. */
export interface Jitter {
  readonly order: readonly Adjustment[];
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
}

/**
 * Carries out torchvision's ColorJitter with all its draws made: every image goes through its own adjustments in its
 * own order. At each place of the order the images with the same adjustment there are handled together.
 *
 * @param images [B, C, H, W], f32 in 0..1
 * @param jitters one per image; null leaves the image as it is
 * @returns a new tensor of the same shape
 */
export function colorJitter(images: Tensor, jitters: readonly (Jitter | null)[]): Tensor {
  checkImages('colorJitter', images);
  checkOnePerImage('colorJitter', 'jitters', jitters.length, images);
  const coloured = images.size(1) === 3;
  const orders = jitters.map((jitter) => (jitter === null ? [] : effective(jitter, coloured)));
  const places = Math.max(0, ...orders.map((order) => order.length));
  return tidy(() =>
    noGrad(() => {
      let current = ops.clone(images, 'contiguous');
      for (let place = 0; place < places; place += 1) {
        for (const name of adjustmentNames) {
          const chosen = orders.map((order) => order[place] === name);
          const change = (some: Tensor, factors: readonly number[]): Tensor =>
            adjustments[name](some, factors);
          current = changeSome(
            current,
            jitters.map((jitter, b) => (chosen[b] ? jitter![name] : null)),
            change,
          );
        }
      }
      return current;
    }),
  );
}

/**
 * Lists the adjustments that change anything, in order. This leaves fewer places, and whole groups that need no
 * gathering.
 */
function effective(jitter: Jitter, coloured: boolean): Adjustment[] {
  return jitter.order.filter((name) =>
    name === 'hue' ? coloured && jitter.hue !== 0 : jitter[name] !== 1 && (coloured || name !== 'saturation'),
  );
}
