import { inFullPrecision, ops, type Tensor, TensorError, tensor } from '../tensor/index.js';

/**
 * The cross-entropy −Σ_b w_b log softmax(logits_b)[class_b] / Σ_b w_b, a scalar, as torch.nn.CrossEntropyLoss computes
 * it. w_b is the weight of sample b's class; all weights are 1 where none are given. The chance level is the ln of the
 * number of classes.
 * @param logits [B, classes]
 * @param classes i64 [B], from 0
 * @param weights one for each class
 */
export function crossEntropy(logits: Tensor, classes: Tensor, weights?: readonly number[]): Tensor {
  const [batch, count] = logits.shape;
  if (logits.shape.length !== 2 || classes.dtype !== 'i64' || classes.shape.join() !== String(batch)) {
    throw new TensorError(
      `crossEntropy: logits are [${logits.shape}] and classes ${classes.dtype} [${classes.shape}], expected [B, classes] and i64 [B]`,
    );
  }
  if (weights !== undefined && weights.length !== count) {
    throw new TensorError(
      `crossEntropy: ${weights.length} weights, expected one for each of ${count} classes`,
    );
  }
  return inFullPrecision([logits], (raw) => {
    const own = ops.gather(ops.logSoftmax(raw!, 1), 1, ops.unsqueeze(classes, 1));
    if (weights === undefined) return own.mean().neg();
    const { dtype, device } = raw!;
    const perSample = ops.indexSelect(
      tensor([...weights], [weights.length, 1], { dtype, device }),
      0,
      classes,
    );
    return own.mul(perSample).sum().div(perSample.sum()).neg();
  });
}
