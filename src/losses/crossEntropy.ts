import { inFullPrecision, ops, type Tensor, TensorError } from '../tensor/index.js';

/**
 * −1/B Σ_b log softmax(logits_b)[class_b], a scalar; chance level ln of the number of classes.
 * @param logits [B, classes]
 * @param classes i64 [B], from 0
 */
export function crossEntropy(logits: Tensor, classes: Tensor): Tensor {
  const [batch] = logits.shape;
  if (logits.shape.length !== 2 || classes.dtype !== 'i64' || classes.shape.join() !== String(batch)) {
    throw new TensorError(
      `crossEntropy: logits are [${logits.shape}] and classes ${classes.dtype} [${classes.shape}], expected [B, classes] and i64 [B]`,
    );
  }
  return inFullPrecision([logits], (raw) =>
    ops.gather(ops.logSoftmax(raw!, 1), 1, ops.unsqueeze(classes, 1)).mean().neg(),
  );
}
