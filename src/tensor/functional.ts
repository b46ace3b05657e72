/** Compositions of operators that several parts need. */
import { autocast } from './autocast.js';
import * as ops from './ops.js';
import type { Tensor } from './tensor.js';

/**
 * Computes x / max(‖x‖₂, eps) along `dim`, as torch.nn.functional.normalize does. A zero row stays zero and its
 * gradient finite.
 */
export function l2Normalize(x: Tensor, dim: number, eps = 1e-12): Tensor {
  return x.div(ops.clampMin(ops.vectorNorm(x, 2, [dim], true), eps));
}

/**
 * Runs `body` on the tensors in at least f32 and with autocast off. Losses run this way, as inside autocast their
 * products would go back to bf16.
 */
export function inFullPrecision<T>(
  tensors: readonly Tensor[],
  body: (...tensors: readonly Tensor[]) => T,
): T {
  const device = tensors[0]?.device ?? 'cpu';
  return autocast(
    null,
    () =>
      body(
        ...tensors.map((x) => {
          const { dtype } = x;
          return dtype === 'f32' || dtype === 'f64' ? x : x.to({ dtype: 'f32' });
        }),
      ),
    device,
  );
}

/**
 * Puts the images into channels-last memory, in which convolutions are fastest. One-channel images count as
 * channels-last whatever their strides are, so `to()` would leave them and the whole network would run in NCHW. Their
 * strides are set by a view.
 * @param images [B, C, H, W]
 */
export function toChannelsLast(images: Tensor): Tensor {
  if (images.size(1) !== 1) return images.to({ memoryFormat: 'channelsLast' });
  const [batch, , height, width] = images.shape as [number, number, number, number];
  return ops.permute(ops.reshape(images, [batch, height, width, 1]), [0, 3, 1, 2]);
}
