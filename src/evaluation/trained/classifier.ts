import { crossEntropy } from '../../losses/index.js';
import type { Features } from '../../metrics/features/features.js';
import { Linear, placeModule } from '../../nn/index.js';
import {
  type Device,
  inFullPrecision,
  noGrad,
  ops,
  type Random,
  type Tensor,
  tensor,
  tidy,
} from '../../tensor/index.js';
import { predictProbabilities } from '../probes/linearClassifier.js';

export interface ClassifierOptions {
  /**
   * The standard deviation of normal weights with bias 0. Null draws both from U(±1/√columns), as torch.nn.Linear does.
   */
  readonly deviation: number | null;
  readonly random: Random;
  readonly device: Device;
}

/** Makes the linear layer from features to logits, ready to be trained. */
export function newClassifier(
  columns: number,
  classes: number,
  { deviation, random, device }: ClassifierOptions,
): Linear {
  const layer = new Linear(columns, classes, random);
  if (deviation !== null) {
    const { weight, bias } = layer.parameters;
    const values = Float32Array.from({ length: classes * columns }, () => random.normal(0, deviation));
    noGrad(() =>
      tidy(() => {
        ops.copy_(weight, tensor(values, [classes, columns]));
        ops.zero_(bias);
      }),
    );
  }
  return placeModule(layer, device);
}

/**
 * The loss of the layer on features side by side, in full precision.
 * @param parts [B, columns] each
 * @param classes i64 [B]
 * @param weights [classes], the weight of each class
 */
export function classificationLoss(
  layer: Linear,
  parts: readonly Tensor[],
  classes: Tensor,
  weights?: readonly number[],
): Tensor {
  return inFullPrecision(parts, (...own) => crossEntropy(layer.forward(ops.cat(own, 1)), classes, weights));
}

/** Class probabilities [n, classes], in double precision. */
export function classify({ parameters: { weight, bias } }: Linear, features: Features): Float64Array {
  return predictProbabilities(
    {
      classes: bias.size(0),
      weights: Float64Array.from(weight.toArray() as Float32Array),
      bias: Float64Array.from(bias.toArray() as Float32Array),
    },
    features,
  );
}
