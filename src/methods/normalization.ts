/** The preparation of views for the encoder: normalisation, and gray views beside colour views. */
import { type Device, ops, type Tensor, tensor } from '../tensor/index.js';

/** The normalisation of the images. `imagenet` is the one that torchvision's pretrained weights expect. */
export type Normalization = 'none' | 'imagenet';

/**
 * Computes (x − mean) / std for each channel.
 *
 * @param images f32 [B, C, H, W] in 0..1; gray ones become three channels, as the means differ
 */
export function normalize(images: Tensor, normalization: Normalization): Tensor {
  if (normalization === 'none') return images;
  const { mean, std } = imagenetOn(images.device);
  const colour = images.size(1) === 1 ? ops.expand(images, [-1, 3, -1, -1]) : images;
  return colour.sub(mean).div(std);
}

/** Undoes `normalize`, up to rounding. @param images f32 [B, C, H, W] @returns the images in 0..1 */
export function withoutNormalization(images: Tensor, normalization: Normalization): Tensor {
  if (normalization === 'none') return images;
  const { mean, std } = imagenetOn(images.device);
  return images.mul(std).add(mean);
}

function imagenetOn(device: Device): { mean: Tensor; std: Tensor } {
  return {
    mean: tensor([0.485, 0.456, 0.406], [1, 3, 1, 1], { device }),
    std: tensor([0.229, 0.224, 0.225], [1, 3, 1, 1], { device }),
  };
}

/** Joins views. Gray views become three equal channels only where there is a colour view beside them. */
export function joinViews(views: readonly Tensor[]): Tensor {
  if (views.length === 1) return views[0]!;
  const colour = views.some((view) => view.size(1) === 3);
  return ops.cat(
    views.map((view) => (colour && view.size(1) === 1 ? ops.expand(view, [-1, 3, -1, -1]) : view)),
    0,
  );
}
