// Our side of bench/trainingStep.mjs and bench/inference.mjs: the same protocol as reference.py, with the system's own
// method, step and optimiser, or its own embedding.
import { createInterface } from 'node:readline';
import { resolveConfig } from '../dist/config/index.js';
import { disposeModule, Random, setThreads, tensor } from '../dist/index.js';
import { torchVersion } from '../dist/tensor/index.js';
import { buildEncoder } from '../dist/training/build.js';
import { embed } from '../dist/training/embed.js';
import { makeStep } from './ownStep.mjs';

/** Embeds images as `anatomy embed` does, from bytes to features. */
function makeInference({ width, size, stored, images: count, bf16, device = 'cpu' }) {
  const config = resolveConfig({ set: [`model.width=${width}`, `data.size=${size}`] });
  const encoder = buildEncoder(config, device);
  const random = new Random('bench');
  const bytes = Uint8Array.from({ length: count * 3 * stored * stored }, () => random.below(256));
  const images = tensor(bytes, [count, 3, stored, stored], { device });
  const loader = {
    modalities: ['a'],
    prepare: async () => {},
    load: (indices) => ({ images: { a: images.narrow(0, indices[0], indices.length) } }),
  };
  const options = {
    ...{ encoder, loader, modality: 'a', indices: Array.from({ length: count }, (_, i) => i), size },
    ...{ normalization: 'none', precision: bf16 ? 'bf16' : 'fp32', device },
  };
  const step = async () => {
    const started = performance.now();
    await embed(options, ['features']);
    return (performance.now() - started) / 1000;
  };
  const dispose = () => {
    images.dispose();
    disposeModule(encoder);
  };
  return { step, dispose };
}

let current;
let onGpu = false;
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.threads) setThreads(command.threads);
  if (command.make) {
    current?.dispose();
    current = command.make.images === undefined ? makeStep(command.make) : makeInference(command.make);
    onGpu = command.make.device !== 'cpu';
  }
  const seconds = [];
  for (let i = 0; i < command.steps; i += 1) seconds.push(await current.step());
  // What a GPU holds is LibTorch's to know, and its C++ API does not tell.
  const peakMiB = onGpu ? null : process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ seconds, peakMiB, torch: torchVersion() }));
}
