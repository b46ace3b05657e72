import { autocast, ops, type Tensor } from '../tensor/index.js';

/**
 * Applies one matrix per image and direction: out[b, c] = rows[b] · images[b, c] · columns[b]ᵀ, all images at once.
 * Filters and resizing are of this form, each with its own parameters per image.
 *
 * @param images [B, C, H, W]; any dtype is computed in f32
 * @param rows [B, h, H] or, for all images the same, [1, h, H]
 * @param columns [B, w, W] or [1, w, W]
 * @returns [B, C, h, w], f32, contiguous
 */
export function separable(images: Tensor, rows: Tensor, columns: Tensor): Tensor {
  const [batch, channels, height, width] = images.shape as [number, number, number, number];
  const [h, w] = [rows.size(1), columns.size(1)];
  // The channels stand side by side in each row of pixels, so that one product per image serves them all.
  const sideBySide = ops
    .permute(images, [0, 2, 1, 3])
    .to({ dtype: 'f32', memoryFormat: 'contiguous' })
    .reshape([batch, height, channels * width]);
  // The product is in f32 also where the caller's forward pass is in bf16, whose mantissa holds fewer bits than a
  // pixel.
  const resized = autocast(
    null,
    () => {
      const shortened = ops.bmm(perImage(rows, batch), sideBySide).reshape([batch, h * channels, width]);
      return ops.bmm(shortened, ops.transpose(perImage(columns, batch), 1, 2));
    },
    images.device,
  );
  const planes = ops.permute(resized.reshape([batch, h, channels, w]), [0, 2, 1, 3]);
  return ops.contiguous(planes, 'contiguous');
}

function perImage(matrices: Tensor, batch: number): Tensor {
  return ops.expand(matrices, [batch, matrices.size(1), matrices.size(2)]);
}
