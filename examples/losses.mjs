// The paper's consistency loss (Eq. 6) and its gradient on maps of two modalities, as tensors.
//   node examples/losses.mjs
import assert from 'node:assert/strict';
import { consistencyLoss, correlationMatrix, tensor, tidy } from 'anatomy-ssl';

// Maps [B, C, H, W] of two pairs, as a backbone would give them.
const count = 2 * 3 * 4 * 4;
const a = tensor(
  Float64Array.from({ length: count }, (_, i) => Math.sin(i)),
  [2, 3, 4, 4],
).setRequiresGrad();
const b = tensor(
  Float64Array.from({ length: count }, (_, i) => Math.cos(1.3 * i)),
  [2, 3, 4, 4],
);

tidy(() => {
  // Similarities of the 2 × 2 patches of each map: [B, P, P] with P = 4.
  const [first, second] = [a, b].map((map) => correlationMatrix(map, 0, { patches: [2, 2] }));
  assert.deepEqual(first.shape, [2, 4, 4]);

  // The loss is their mean squared difference.
  const loss = consistencyLoss([a], [b], { patches: [2, 2] });
  const difference = first.sub(second);
  const expected = difference.mul(difference).mean().item();
  assert.ok(Math.abs(loss.item() - expected) < 1e-15);

  loss.backward();
  console.log(`loss ${loss.item().toFixed(6)}, gradient ${a.grad.shape.join(' × ')}`);

  // A map and itself are consistent.
  assert.equal(consistencyLoss([b], [b], { patches: [2, 2] }).item(), 0);
});
