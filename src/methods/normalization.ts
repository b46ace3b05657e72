/** The preparation of views for the encoder: normalisation, and gray views beside colour views. */
import { ops, type Tensor, tensor } from '../tensor/index.js';

/** The normalisation of the images. `imagenet` is the one that torchvision's pretrained weights expect. */
export type Normalization = 'none' | 'imagenet';

/**
 * Computes (x − mean) / std for each channel.
 *
 * @param images f32 [B, C, H, W] in 0..1; gray ones become three channels, as the means differ
 */
export function normalize(images: Tensor, normalization: Normalization): Tensor {
  if (normalization === 'none') return images;
  const { device } = images;
  const mean = tensor([0.485, 0.456, 0.406], [1, 3, 1, 1], { device });
  const std = tensor([0.229, 0.224, 0.225], [1, 3, 1, 1], { device });
  const colour = images.size(1) === 1 ? ops.expand(images, [-1, 3, -1, -1]) : images;
  return colour.sub(mean).div(std);
}

/** Joins views. Gray views become three equal channels only where there is a colour view beside them. */
export function joinViews(views: readonly Tensor[]): Tensor {
  const colour = views.some((view) => view.size(1) === 3);
  return ops.cat(
    views.map((view) => (colour && view.size(1) === 1 ? ops.expand(view, [-1, 3, -1, -1]) : view)),
    0,
  );
}
