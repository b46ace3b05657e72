/**
 * Reconstruction of one modality from the other, after Hervella et al. 2018: L = 1/(n·C·P) Σ_i Σ_c Σ_p (p_icp − t_icp)²
 * over n images, C channels and P pixels, where p is what the mate tells of the image, and t the image.
 */
import { inFullPrecision, type Tensor, TensorError } from '../tensor/index.js';

/**
 * Computes the mean squared error of predicted images. The images are constants.
 *
 * @param predicted [n, 3, h, w]
 * @param images [n, 3, h, w], or [n, 1, h, w] for gray, which stands for three equal channels
 * @returns a scalar, in the square of the images' unit
 */
export function reconstructionLoss(predicted: Tensor, images: Tensor): Tensor {
  const [n, channels, ...pixels] = predicted.shape;
  const gray = [n, 1, ...pixels].join();
  if (predicted.shape.length !== 4 || predicted.shape.includes(0) || channels !== 3) {
    throw new TensorError(`reconstructionLoss: predicted is [${predicted.shape}], expected [n, 3, h, w]`);
  }
  if (![predicted.shape.join(), gray].includes(images.shape.join())) {
    throw new TensorError(
      `reconstructionLoss: images is [${images.shape}], expected [${predicted.shape}], or [${gray}] for gray`,
    );
  }
  return inFullPrecision([predicted, images], (p, t) => p!.sub(t!.detach()).pow(2).mean());
}

/**
 * Computes what the loss is by a prediction that knows nothing of the mate, the mean image of the modality: 1/(n − 1)
 * in place of 1/n, as the n images lie nearer to their own mean than to that of all images. The mean image, and not one
 * gray value, because where images are dark and where bright can be learned without a look at the mate.
 *
 * @param images [n, C, h, w], n at least 2
 * @returns a scalar without graph
 */
export function reconstructionChance(images: Tensor): Tensor {
  const n = images.size(0);
  if (n < 2) throw new TensorError(`reconstructionChance: ${n} images, expected at least 2`);
  return inFullPrecision([images.detach()], (t) =>
    t!
      .sub(t!.mean([0], true))
      .pow(2)
      .mean()
      .mul(n / (n - 1)),
  );
}
