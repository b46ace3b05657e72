// A network by hand: VGG16 at a quarter of its width, and a few gradient steps by a loss of ours.
//   node examples/encoder.mjs
import assert from 'node:assert/strict';
import { Encoder, infoNce, namedParameters, noGrad, Random, Sgd, tensor, tidy, vgg16 } from 'anatomy-ssl';

const backbone = vgg16({ width: 0.25, batchNorm: true, seed: 0 });
const encoder = new Encoder({ backbone, size: 32, embeddingSize: 64 });
// Four images of A and their mates of B, [8, 3, 32, 32], values 0 … 1.
const random = new Random('pixels');
const pixels = Float32Array.from({ length: 8 * 3 * 32 * 32 }, () => random.uniform(0, 1));
const images = tensor(pixels, [8, 3, 32, 32]);
const parameters = namedParameters(encoder);
const optimizer = new Sgd(parameters, { momentum: 0.9, weightDecay: 1e-4 });

function step() {
  return tidy(() => {
    optimizer.zeroGrad();
    const { embedding } = encoder.forward(images, { training: true });
    // Each image of A finds its mate of B among four (the paper's Eq. 9).
    const loss = infoNce(embedding.narrow(0, 0, 4), embedding.narrow(0, 4, 4), { tau: 0.1 });
    loss.backward();
    optimizer.step(0.01);
    return loss.item();
  });
}

const losses = [step(), step(), step(), step(), step()];
console.log(losses.map((loss) => loss.toFixed(4)).join(' → '));
assert.ok(losses.at(-1) < losses[0]);

const features = noGrad(() => tidy(() => encoder.forward(images).features.toArray()));
assert.equal(features.length, 8 * 128);
