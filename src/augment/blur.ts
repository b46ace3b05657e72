import { type Device, noGrad, ops, type Tensor, TensorError, tensor, tidy } from '../tensor/index.js';
import { checkImages, checkOnePerImage } from './check.js';
import { separable } from './separable.js';

/**
 * Gives the side of SimCLR's kernel (Chen et al. 2020, appendix A): a tenth of the image's side, made odd; 1, no blur,
 * below 20 pixels.
 */
export function blurKernelSize(size: number): number {
  return 2 * Math.floor(Math.floor(size / 10) / 2) + 1;
}

/**
 * Blurs as torchvision's gaussian_blur does, with a sigma per image. The Gaussian is taken at whole pixels, cut to
 * `kernelSize` and scaled to a sum of 1. Beyond the edge the image is mirrored at its outermost pixels (reflect
 * padding, which the matrices contain).
 *
 * @param images [B, C, H, W], f32, H and W > kernelSize / 2
 * @param sigmas one per image, in pixels
 */
export function gaussianBlur(images: Tensor, sigmas: readonly number[], kernelSize: number): Tensor {
  checkImages('gaussianBlur', images);
  checkOnePerImage('gaussianBlur', 'sigmas', sigmas.length, images);
  if (!Number.isInteger(kernelSize) || kernelSize < 1 || kernelSize % 2 === 0) {
    throw new RangeError(`gaussianBlur: kernelSize is ${kernelSize}, expected an odd whole number of pixels`);
  }
  for (const sigma of sigmas) {
    if (!(sigma > 0)) throw new RangeError(`gaussianBlur: sigma is ${sigma}, expected pixels > 0`);
  }
  const [height, width] = [images.size(2), images.size(3)];
  if (Math.min(height, width) <= kernelSize >> 1) {
    throw new TensorError(
      `gaussianBlur: images are ${height}×${width}, expected sides > ${kernelSize >> 1} to mirror at for kernelSize ${kernelSize}`,
    );
  }
  return tidy(() =>
    noGrad(() => {
      const kernels = sigmas.map((sigma) => gaussian(sigma, kernelSize));
      const rows = filterMatrices(kernels, height, images.device);
      const columns = height === width ? rows : filterMatrices(kernels, width, images.device);
      return ops.clamp_(separable(images, rows, columns), 0, 1); // rounding may pass 1
    }),
  );
}

function gaussian(sigma: number, kernelSize: number): number[] {
  const values = Array.from({ length: kernelSize }, (_, k) =>
    Math.exp(-0.5 * ((k - (kernelSize >> 1)) / sigma) ** 2),
  );
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) => value / total);
}

/**
 * Makes matrices [kernels, side, side]. Row i holds the kernel centred on pixel i; its part beyond the edge is folded
 * back.
 */
function filterMatrices(kernels: readonly number[][], side: number, device: Device): Tensor {
  const matrices = new Float32Array(kernels.length * side * side);
  kernels.forEach((kernel, b) => {
    const radius = kernel.length >> 1;
    for (let i = 0; i < side; i += 1) {
      const row = (b * side + i) * side;
      for (let k = 0; k < kernel.length; k += 1) {
        const beyond = Math.abs(i + k - radius);
        const pixel = beyond < side ? beyond : 2 * (side - 1) - beyond;
        matrices[row + pixel]! += kernel[k]!;
      }
    }
  });
  return tensor(matrices, [kernels.length, side, side], { device });
}
