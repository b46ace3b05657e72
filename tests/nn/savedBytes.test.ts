import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/**
 * What a process grows by for each image whose graph is held, once workspaces are made, beside what `savedBytes` says.
 * Batches of images are passed one after another and all held.
 */
const script = (name: string, width: number, bytes: number) => `
import { backboneNamed } from '${new URL('../../dist/nn/index.js', import.meta.url)}';
import { autocast, ops, setThreads, tidy } from '${new URL('../../dist/tensor/index.js', import.meta.url)}';
setThreads(1);
const [size, batch] = [160, 8];
const backbone = backboneNamed('${name}').make({ width: ${width}, size, seed: 0 });
const sizes = [];
const hold = (further) => tidy(() => {
  sizes.push(process.memoryUsage().rss);
  if (further === 0) return;
  const images = ops.full([batch, 3, size, size], 0.5, 'f32', null, null).to({ memoryFormat: 'channelsLast' });
  const forward = () => backbone.forward(images, { training: true });
  const output = ${bytes} === 4 ? forward() : autocast('bf16', forward, 'cpu');
  hold(further - 1, output);
});
hold(4);
const measured = (sizes[4] - sizes[1]) / 3 / batch;
console.log(JSON.stringify(measured / backbone.savedBytes(size, ${bytes})));
`;

test.each([
  ['vgg16_bn', 0.25, 4],
  ['vgg16', 0.25, 4],
  ['resnet18', 0.5, 4],
  ['resnet50', 0.5, 4],
  ['resnet50', 0.5, 2],
  ['vit_s16', 1, 4],
] as const)('%s × %s keeps what savedBytes says, of %s bytes', async (name, width, bytes) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    script(name, width, bytes),
  ]);
  // Blocks of memory are an eighth larger than asked at most; copies of weights in half precision are held with a batch.
  expect(Number(stdout)).toBeGreaterThan(0.95);
  expect(Number(stdout)).toBeLessThan(1.25);
});
