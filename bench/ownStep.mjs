// A training step of the system's own method and optimiser, for benchmarks.
import { resolveConfig } from '../dist/config/index.js';
import { Random, Sgd, tensor, tidy } from '../dist/index.js';
import { synchronize, toChannelsLast } from '../dist/tensor/index.js';
import { buildMethod } from '../dist/training/build.js';
import { trainingStep } from '../dist/training/step.js';

/** Makes a step on noise. `step()` gives the seconds that one took. */
export function makeStep({
  width,
  size,
  pairs,
  bf16,
  device = 'cpu',
  gray = false,
  recompute = 'none',
  set = [],
}) {
  const config = resolveConfig({ set: [`model.width=${width}`, `data.size=${size}`, ...set] });
  const samples = Array.from({ length: pairs }, (_, i) => ({ subject: String(i), images: { a: 0, b: 0 } }));
  const method = buildMethod(config, { modalities: ['a', 'b'], samples }, device);
  const random = new Random('bench');
  const channels = gray ? 1 : 3;
  const values = Float32Array.from({ length: 4 * pairs * channels * size * size }, () => random.uniform());
  const images = toChannelsLast(tensor(values, [4 * pairs, channels, size, size], { device }));
  const pairsOf = { ids: samples.map(({ subject }) => subject), rows: samples.map((_, i) => i), epoch: 0 };
  const batch = { ...pairsOf, images: {} };
  const specs = ['whole', 0].flatMap((look) => ['a', 'b'].map((modality) => ({ modality, look })));
  // Views are given, as on the other side: what is timed is the step without augmentation.
  method.views = () => ({ images, specs, pairs: pairsOf });
  const optimizer = new Sgd(method.parameters(), { momentum: 0.9, weightDecay: 1e-4 });
  const precision = bf16 ? 'bf16' : 'fp32';
  const step = () => {
    const started = performance.now();
    tidy(() => trainingStep({ method, optimizer, batch, learningRate: 0.001, precision, device, recompute }));
    if (device !== 'cpu') synchronize();
    return (performance.now() - started) / 1000;
  };
  const dispose = () => {
    for (const thing of [images, optimizer, method]) thing.dispose();
  };
  return { step, dispose };
}
