/** The changes of brightness and colour, each as torchvision defines it. */
import { type Device, noGrad, ops, type Tensor, TensorError, tensor, tidy } from '../tensor/index.js';
import { checkImages, checkOnePerImage } from './check.js';

/*
 * torchvision's adjust_* on tensors, with a factor per image. Images are [B, C, H, W], f32 in 0..1, C 1 or 3 (RGB).
 * Results are new tensors in 0..1. Saturation, hue and grayscale leave images of one channel as they are.
 */

/**
 * Computes factor·x, cut at 1.
 *
 * @param factors one per image, ≥ 0; 1 changes nothing
 */
export function adjustBrightness(images: Tensor, factors: readonly number[]): Tensor {
  return adjust('adjustBrightness', images, factors, atLeastZero, () =>
    ops.clamp_(images.mul(perImage(factors, images.device)), 0, 1),
  );
}

/**
 * Computes factor·x + (1 − factor)·m, where m is the mean of the image's gray version.
 *
 * @param factors one per image, ≥ 0; 1 changes nothing
 */
export function adjustContrast(images: Tensor, factors: readonly number[]): Tensor {
  return adjust('adjustContrast', images, factors, atLeastZero, () => {
    const gray = images.size(1) === 1 ? images : toGray(images);
    // Rows are reduced first: one reduction per image would be split among threads by the size of the batch, and the
    // mean of an image would depend on its company.
    const mean = gray.mean([3], true).mean([2], true);
    return mix(images, ops.mul_(mean, perImage(factors.map(complement), images.device)), factors);
  });
}

/**
 * Computes factor·x + (1 − factor)·gray.
 *
 * @param factors one per image, ≥ 0; 1 changes nothing, 0 is gray
 */
export function adjustSaturation(images: Tensor, factors: readonly number[]): Tensor {
  return adjust('adjustSaturation', images, factors, atLeastZero, () => {
    if (images.size(1) === 1) return ops.clone(images, 'contiguous');
    const gray = ops.mul_(toGray(images), perImage(factors.map(complement), images.device));
    return mix(images, gray, factors);
  });
}

/**
 * Turns the hue of HSV by `factor` full circles.
 *
 * torchvision goes by a table of six sectors; this is the same function in closed form: with V = max, chroma C = max −
 * min and hue h in sixths, a channel is V − C·clamp(min(k, 4 − k), 0, 1), k = (n + h) mod 6, n = 5, 3, 1 for R, G, B.
 *
 * @param factors one per image, −½..½; 0 changes nothing
 */
export function adjustHue(images: Tensor, factors: readonly number[]): Tensor {
  return adjust('adjustHue', images, factors, halfCircle, () => {
    if (images.size(1) === 1) return ops.clone(images, 'contiguous');
    const { device } = images;
    const [red, green, blue] = channels(images);
    const value = ops.amax(images, [1], true);
    const chroma = value.sub(ops.amin(images, [1], true));
    const divisor = ops.clampMin(chroma, 1e-12); // gray has no hue: 0/1e-12, and counts 0 below
    const sixths = ops.where(
      ops.eqTensor(value, red),
      green.sub(blue).div(divisor),
      ops.where(
        ops.eqTensor(value, green),
        blue.sub(red).div(divisor).add(2),
        red.sub(green).div(divisor).add(4),
      ),
    );
    const turned = ops.add_(
      sixths,
      perImage(
        factors.map((factor) => 6 * factor),
        device,
      ),
    );
    const k = ops.remainderScalar(turned.add(tensor([5, 3, 1], [1, 3, 1, 1], { device })), 6);
    const share = ops.clamp_(ops.minimum(k, ops.reverseSubScalar(k, 4)), 0, 1);
    return value.sub(ops.mul_(share, chroma));
  });
}

/** Makes R = G = B = .2989 R + .587 G + .114 B. */
export function grayscale(images: Tensor): Tensor {
  checkImages('grayscale', images);
  return tidy(() =>
    noGrad(() => {
      if (images.size(1) === 1) return ops.clone(images, 'contiguous');
      return ops.contiguous(ops.expand(toGray(images), images.shape), 'contiguous');
    }),
  );
}

/** Makes [B, 1, H, W] of [B, 3, H, W], by the weights of ITU-R 601 as torchvision rounds them; they sum to .9999. */
function toGray(images: Tensor): Tensor {
  const [red, green, blue] = channels(images);
  return ops.add_(ops.add_(red.mul(0.2989), green.mul(0.587)), blue.mul(0.114));
}

function channels(images: Tensor): [red: Tensor, green: Tensor, blue: Tensor] {
  return [images.narrow(1, 0, 1), images.narrow(1, 1, 1), images.narrow(1, 2, 1)];
}

/** Computes factor·x + rest, cut to 0..1. */
function mix(images: Tensor, rest: Tensor, factors: readonly number[]): Tensor {
  return ops.clamp_(ops.add_(images.mul(perImage(factors, images.device)), rest), 0, 1);
}

function complement(factor: number): number {
  return 1 - factor;
}

/** Makes a tensor [B, 1, 1, 1] of one value per image. */
function perImage(values: readonly number[], device: Device): Tensor {
  return tensor(values, [values.length, 1, 1, 1], { device });
}

interface Bounds {
  readonly low: number;
  readonly high: number;
}
const atLeastZero: Bounds = { low: 0, high: Number.POSITIVE_INFINITY };
const halfCircle: Bounds = { low: -0.5, high: 0.5 };

function adjust(
  who: string,
  images: Tensor,
  factors: readonly number[],
  { low, high }: Bounds,
  body: () => Tensor,
): Tensor {
  checkImages(who, images);
  if (images.dtype !== 'f32')
    throw new TensorError(`${who}: images are ${images.dtype}, expected f32 in 0..1`);
  checkOnePerImage(who, 'factors', factors.length, images);
  for (const factor of factors) {
    if (!(factor >= low && factor <= high)) {
      throw new RangeError(`${who}: factor ${factor}, expected ${low}..${high}`);
    }
  }
  return tidy(() => noGrad(body));
}
