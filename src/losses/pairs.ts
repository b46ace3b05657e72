import { gradientsOf, ops, type Tensor, tidy } from '../tensor/index.js';

/** The number of bytes that the intermediate results of the pairs worked on at once may take. */
const budget = 2 ** 28;

/**
 * The mean of `loss` over the pairs of a batch. Where its intermediate results would exceed the budget, it runs on a
 * few pairs at a time and takes their gradient at once: what a pair needed is freed before the next, and only the
 * gradient of its embeddings is kept until the backward pass. (So this is differentiable once, not twice.)
 * @param sA [B, C, P]
 * @param sB [B, C, P]
 * @param bytesPerPair of intermediate results, forward and backward
 * @param loss of some pairs, [b, C, P] each: a scalar, their mean
 */
export function meanOverPairs(
  sA: Tensor,
  sB: Tensor,
  bytesPerPair: number,
  loss: (sA: Tensor, sB: Tensor) => Tensor,
): Tensor {
  const pairs = sA.size(0);
  const atOnce = Math.max(1, Math.floor(budget / bytesPerPair));
  if (pairs <= atOnce) return loss(sA, sB);
  const inputs = [sA, sB];
  const differentiable = inputs.some((s) => s.requiresGrad);
  return tidy(() => {
    // Tensors that outlive a part are allocated before the first one: later, they would break up the memory that parts
    // reuse.
    const value = ops.full([], 0, sA.dtype, null, sA.device);
    const gradients = differentiable ? inputs.map((s) => ops.clone(s.detach(), 'preserve')) : [];
    for (let first = 0; first < pairs; first += atOnce) {
      const count = Math.min(atOnce, pairs - first);
      const part = (s: Tensor): Tensor => s.detach().narrow(0, first, count);
      tidy(() => {
        const leaves = inputs.map((s) => part(s).setRequiresGrad(differentiable));
        const share = tidy(() => loss(leaves[0]!, leaves[1]!).mul(count / pairs));
        ops.add_(value, share.detach());
        if (!differentiable) return;
        gradientsOf([share], leaves).forEach((gradient, i) => {
          ops.copy_(part(gradients[i]!), gradient!);
        });
      });
    }
    if (!differentiable) return value;
    const slope = inputs
      .map((s, i) => s.mul(gradients[i]!).sum())
      .reduce((total, product) => total.add(product));
    return value.add(slope.sub(slope.detach())); // exactly the value, with the gradient of the slope
  });
}
